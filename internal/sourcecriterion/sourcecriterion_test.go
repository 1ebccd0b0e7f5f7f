package sourcecriterion

import (
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"fairway/internal/clientip"
	"fairway/internal/identity"
	"fairway/internal/record"
)

func request(addr, host, user string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-User", user)
	ip, _ := netip.ParseAddr(addr)
	r.RemoteAddr = addr
	return r.WithContext(record.With(r.Context(), &record.Record{ClientIP: ip, Host: host}))
}

func TestResolver_TellsSourcesApart(t *testing.T) {
	first := request("192.0.2.1", "a.test", "ann")
	tests := map[string]struct {
		criterion *Criterion
		same      *http.Request
		other     *http.Request
	}{
		"default":   {nil, request("192.0.2.1", "b.test", "bob"), request("192.0.2.2", "a.test", "ann")},
		"no option": {&Criterion{}, request("192.0.2.1", "b.test", "bob"), request("192.0.2.2", "a.test", "ann")},
		"address":   {&Criterion{IPStrategy: &clientip.Strategy{}}, request("::ffff:192.0.2.1", "b.test", "bob"), request("", "a.test", "ann")},
		"host":      {&Criterion{RequestHost: true}, request("192.0.2.2", "a.test", "bob"), request("192.0.2.1", "b.test", "ann")},
		"header":    {&Criterion{RequestHeaderName: "x-user"}, request("192.0.2.2", "b.test", "ann"), request("192.0.2.1", "a.test", "bob")},
		"Host":      {&Criterion{RequestHeaderName: "host"}, request("192.0.2.2", "a.test", "bob"), request("192.0.2.1", "b.test", "ann")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			source, err := tt.criterion.Resolver(Criterion{IPStrategy: &clientip.Strategy{}})
			if err != nil {
				t.Fatal(err)
			}
			if source(first) != source(tt.same) {
				t.Error("requests of one source are taken for two")
			}
			if source(first) == source(tt.other) {
				t.Error("requests of two sources are taken for one")
			}
		})
	}
}

func TestResolver_HostWithoutARecord(t *testing.T) {
	source, err := (&Criterion{RequestHost: true}).Resolver(Criterion{})
	if err != nil {
		t.Fatal(err)
	}
	a, b := httptest.NewRequest(http.MethodGet, "http://a.test/", nil), httptest.NewRequest(http.MethodGet, "http://b.test/", nil)
	if source(a) == source(b) {
		t.Error("two hosts are taken for one source")
	}
}

func TestResolver_NamesTheFaultyOption(t *testing.T) {
	for want, c := range map[string]*Criterion{
		"only one of":              {RequestHost: true, RequestHeaderName: "X"},
		"requestHeaderName: \"a b": {RequestHeaderName: "a b"},
		"ipStrategy: depth":        {IPStrategy: &clientip.Strategy{Depth: -1}},
	} {
		if _, err := c.Resolver(Criterion{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %s", err, want)
		}
	}
}

func TestResolver_Consumers(t *testing.T) {
	source, err := (&Criterion{Consumer: true}).Resolver(Criterion{})
	if err != nil {
		t.Fatal(err)
	}
	of := func(who *identity.Identity) Source {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		return source(r.WithContext(record.With(r.Context(), &record.Record{Identity: who})))
	}
	ann := &identity.Consumer{Name: "ann@file"}
	all := []Source{
		of(ann.Of("apiKey", "x")), of(&identity.Identity{Method: "basicAuth", Subject: "ann@file"}), of(&identity.Identity{Method: "jwt", Subject: "ann@file"}), of(nil),
		of((&identity.Consumer{Name: "bob@file"}).Of("apiKey", "x")),
	}
	for i, a := range all {
		for _, b := range all[:i] {
			if a == b {
				t.Errorf("source %d is that of another", i)
			}
		}
	}
	if of(ann.Of("apiKey", "x")) != of(ann.Of("jwt", "y")) {
		t.Error("one consumer is two sources")
	}
}

func TestResolver_PathsClaimsAndExpressions(t *testing.T) {
	of := func(path string, claims map[string]any) *http.Request {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		return r.WithContext(record.With(r.Context(), &record.Record{Identity: &identity.Identity{Method: "jwt", Claims: claims}}))
	}
	acme, other := map[string]any{"org": map[string]any{"id": "acme"}}, map[string]any{"org": map[string]any{"id": "other"}}
	for name, tt := range map[string]struct {
		criterion          Criterion
		first, same, other *http.Request
	}{
		"path":             {Criterion{RequestPath: true}, of("/a", acme), of("/a?b", other), of("/b", acme)},
		"claim":            {Criterion{Claim: "org.id"}, of("/a", acme), of("/b", acme), of("/a", other)},
		"no claim":         {Criterion{Claim: "org.id"}, of("/a", nil), httptest.NewRequest(http.MethodGet, "/", nil), of("/a", acme)},
		"expression":       {Criterion{Expression: `request.method + " " + string(claims.org.id)`}, of("/a", acme), of("/b", acme), of("/a", other)},
		"expression fails": {Criterion{Expression: `string(claims.org.id)`}, of("/a", nil), of("/b", nil), of("/a", acme)},
	} {
		for kind, resolver := range map[string]func(Criterion) (func(*http.Request) Source, error){"here": tt.criterion.Resolver, "lasting": tt.criterion.Lasting} {
			source, err := resolver(Criterion{})
			if err != nil {
				t.Fatal(err)
			}
			if source(tt.first) != source(tt.same) || source(tt.first) == source(tt.other) {
				t.Errorf("%s, %s: the sources are not told apart", name, kind)
			}
		}
	}
}

// TestLasting_IsTheSameElsewhere has what other gateways and earlier lives have found.
func TestLasting_IsTheSameElsewhere(t *testing.T) {
	source, err := (&Criterion{RequestHost: true}).Lasting(Criterion{})
	if err != nil {
		t.Fatal(err)
	}
	got := source(request("192.0.2.1", "a.test", ""))
	if want := "52dcf5eeb77a59de2eb7221158d2316a"; hex.EncodeToString(got[:]) != want {
		t.Errorf("got %x, want %s", got, want)
	}
}
