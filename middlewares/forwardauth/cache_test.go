package forwardauth

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

// keeping is an Env that keeps as the router does.
func keeping() middlewares.Env {
	env := middlewarestest.Env("test")
	var once sync.Once
	var value any
	env.Keep = func(first func() any) any {
		once.Do(func() { value = first() })
		return value
	}
	return env
}

func request(header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/a", nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func TestCache_AsksOnceForTheSame(t *testing.T) {
	other := request("Authorization", "1")
	other.URL.Path = "/b"
	posted := request("Authorization", "1")
	posted.Method = http.MethodPost
	elsewhere := request("Authorization", "1")
	elsewhere.RemoteAddr = "192.0.2.99:1"
	tests := map[string]struct {
		first, second *http.Request
		status        int
		header        http.Header
		asked         int32
	}{
		"the same":                  {request("Authorization", "1"), request("Authorization", "1"), 200, nil, 1},
		"by cookie":                 {request("Cookie", "a=1"), request("Cookie", "a=1"), 200, nil, 1},
		"other credentials":         {request("Authorization", "1"), request("Authorization", "2"), 200, nil, 2},
		"credentials as a cookie":   {request("Authorization", "1"), request("Cookie", "1"), 200, nil, 2},
		"one header instead of two": {request("Authorization", "1", "Cookie", "1"), request("Authorization", "1", "Authorization", "1"), 200, nil, 2},
		"no credentials":            {request(), request(), 200, nil, 2},
		"other path":                {request("Authorization", "1"), other, 200, nil, 2},
		"other method":              {request("Authorization", "1"), posted, 200, nil, 2},
		"other client":              {request("Authorization", "1"), elsewhere, 200, nil, 2},
		"refusal":                   {request("Authorization", "1"), request("Authorization", "1"), 403, nil, 2},
		"with a cookie":             {request("Authorization", "1"), request("Authorization", "1"), 200, http.Header{"Set-Cookie": {"a=1"}}, 2},
		"not to be kept":            {request("Authorization", "1"), request("Authorization", "1"), 200, http.Header{"Cache-Control": {"private, No-Store"}}, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			s := authServer(t, func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				maps.Copy(w.Header(), tt.header)
				w.Header().Set("Remote-User", "ann")
				w.WriteHeader(tt.status)
			})
			var user string
			next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { user = r.Header.Get("Remote-User") })
			c := &Config{Address: s.URL, AuthResponseHeaders: []string{"Remote-User"}, Cache: &Cache{TTL: types.Duration(time.Hour)}}
			env := keeping()
			do(build(t, c, env, next), tt.first)
			user = ""
			w, _ := do(build(t, c, env, next), tt.second) // after a reload
			if asked.Load() != tt.asked || w.Code != tt.status {
				t.Errorf("asked %d times, want %d; got %d", asked.Load(), tt.asked, w.Code)
			}
			if tt.status == 200 && user != "ann" {
				t.Errorf("the second request is from %q", user)
			}
		})
	}
}

func TestCache_TellsApartWhatTheServerMayTellApart(t *testing.T) {
	const cert, info = "X-Forwarded-Tls-Client-Cert", "X-Forwarded-Tls-Client-Cert-Info"
	posted := request("Cookie", "a=1")
	posted.Method = http.MethodPost
	posted.Header.Set("X-Forwarded-Method", "GET")
	key := []string{"X-Api-Key"}
	for name, tt := range map[string]struct {
		sent, deciding []string
		trust          bool
		first, second  *http.Request
		asked          int32
	}{
		"another key":                     {key, nil, false, request("Cookie", "a=1", "X-Api-Key", "1"), request("Cookie", "a=1", "X-Api-Key", "2"), 2},
		"no key":                          {key, nil, false, request("Cookie", "a=1", "X-Api-Key", "1"), request("Cookie", "a=1"), 2},
		"the same key":                    {key, nil, false, request("X-Api-Key", "1"), request("X-Api-Key", "1"), 1},
		"never a key":                     {key, nil, false, request("Cookie", "a=1"), request("Cookie", "a=1"), 2},
		"what is not sent":                {key, nil, false, request("X-Api-Key", "1", "X-Other", "1"), request("X-Api-Key", "1", "X-Other", "2"), 1},
		"sent, though something decides":  {key, []string{"Cookie"}, false, request("Cookie", "a=1", "X-Api-Key", "1"), request("Cookie", "a=1", "X-Api-Key", "2"), 2},
		"it decides":                      {key, []string{"Cookie"}, false, request("Cookie", "a=1", "X-Api-Key", "1"), request("Cookie", "a=2", "X-Api-Key", "1"), 2},
		"all are sent, another key":       {nil, nil, false, request("Cookie", "a=1", "X-Api-Key", "1"), request("Cookie", "a=1", "X-Api-Key", "2"), 2},
		"all are sent, no key":            {nil, nil, false, request("Cookie", "a=1", "X-Api-Key", "1"), request("Cookie", "a=1"), 2},
		"all are sent, other spelling":    {nil, nil, false, request("Cookie", "a=1", "X-Api-Key", "1"), request("Cookie", "a=1", "X_Api_Key", "1"), 2},
		"all are sent, other program":     {nil, nil, false, request("Cookie", "a=1", "User-Agent", "1"), request("Cookie", "a=1", "User-Agent", "2"), 2},
		"all are sent, from another site": {nil, nil, false, request("Cookie", "a=1", "Sec-Fetch-Site", "same-origin"), request("Cookie", "a=1", "Sec-Fetch-Site", "cross-site"), 2},
		"all are sent, another origin":    {nil, nil, false, request("Cookie", "a=1", "Origin", "null"), request("Cookie", "a=1", "Origin", "https://a"), 2},
		"noise": {
			nil, nil, false,
			request("Cookie", "a=1", "Accept", "a", "X-Request-Id", "1", "Traceparent", "1", "B3", "1", "X-B3-TraceId", "1", "If-None-Match", "1", "Cache-Control", "no-cache"),
			request("Cookie", "a=1", "Accept", "b", "X-Request-Id", "2", "Accept-Language", "de", "Range", "bytes=0-1", "Upgrade-Insecure-Requests", "1"), 1,
		},
		"hop by hop":                 {nil, nil, false, request("Cookie", "a=1", "Connection", "close"), request("Cookie", "a=1", "Keep-Alive", "1"), 1},
		"no credentials but a key":   {nil, nil, false, request("X-Api-Key", "1"), request("X-Api-Key", "1"), 2},
		"said to decide":             {nil, []string{"x-api-key"}, false, request("X-Api-Key", "1", "X-Other", "1"), request("X-Api-Key", "1", "X-Other", "2"), 1},
		"said to decide, another":    {nil, []string{"x-api-key"}, false, request("X-Api-Key", "1"), request("X-Api-Key", "2"), 2},
		"certificate":                {nil, nil, false, request(cert, "1"), request(cert, "1"), 1},
		"another certificate":        {nil, nil, false, request("Cookie", "a=1", cert, "1"), request("Cookie", "a=1", cert, "2"), 2},
		"another owner":              {nil, nil, false, request("Cookie", "a=1", info, "1"), request("Cookie", "a=1", info, "2"), 2},
		"another certificate, key":   {key, nil, false, request("X-Api-Key", "1", cert, "1"), request("X-Api-Key", "1", cert, "2"), 2},
		"another owner, key decides": {nil, key, false, request("X-Api-Key", "1", info, "1"), request("X-Api-Key", "1", info, "2"), 2},
		"another method, which a gateway in front says is the same": {nil, nil, true, request("Cookie", "a=1", "X-Forwarded-Method", "GET"), posted, 2},
		"another host, which a gateway in front says":               {nil, []string{"Cookie"}, true, request("Cookie", "a=1", "X-Forwarded-Host", "a"), request("Cookie", "a=1", "X-Forwarded-Host", "b"), 2},
		"another host, which a client says":                         {nil, []string{"Cookie"}, false, request("Cookie", "a=1", "X-Forwarded-Host", "a"), request("Cookie", "a=1", "X-Forwarded-Host", "b"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			s := authServer(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
			h := build(t, &Config{
				Address: s.URL, AuthRequestHeaders: tt.sent, TrustForwardHeader: tt.trust,
				Cache: &Cache{TTL: types.Duration(time.Hour), Headers: tt.deciding},
			}, keeping(), served)
			do(h, tt.first)
			do(h, tt.second)
			if asked.Load() != tt.asked {
				t.Errorf("asked %d times, want %d", asked.Load(), tt.asked)
			}
		})
	}
}

func TestCache_TheDefaultIsThatNothingIsSaidToDecide(t *testing.T) {
	c := &Cache{}
	if c.SetDefaults(); len(c.Headers) != 0 {
		t.Errorf("got %v: whoever sets a ttl says by it that these are all that decide", c.Headers)
	}
}

func TestCache_OtherOptionsAreAskedAboutAgain(t *testing.T) {
	var asked atomic.Int32
	s := authServer(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	env := keeping()
	for _, path := range []string{"/one", "/two"} {
		c := &Config{Address: s.URL + path, Cache: &Cache{TTL: types.Duration(time.Hour)}}
		do(build(t, c, env, served), request("Authorization", "1"))
	}
	if asked.Load() != 2 {
		t.Errorf("asked %d times, want 2", asked.Load())
	}
}

func TestCache_IsSafeForConcurrentUse(t *testing.T) {
	s := authServer(t, func(http.ResponseWriter, *http.Request) {})
	h := build(t, &Config{Address: s.URL, Cache: &Cache{TTL: types.Duration(time.Hour), MaxEntries: 2}}, keeping(), served)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 10 {
				if w, _ := do(h, request("Authorization", string(rune('a'+i)))); w.Code != 200 {
					t.Errorf("got %d", w.Code)
				}
			}
		})
	}
	wg.Wait()
}
