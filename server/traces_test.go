package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	v1 "go.opentelemetry.io/proto/otlp/trace/v1"
)

const (
	traceID    = "0af7651916cd43dd8448eb211c80319c"
	clientSpan = "b7ad6b7169203331"
)

// seen are the requests that a backend got, in their order.
type seen struct {
	mu   sync.Mutex
	list []http.Header
}

func (s *seen) note(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, r.Header.Clone())
}

func (s *seen) last(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list[len(s.list)-1].Get(name)
}

// getWith asks the entry point for the path / with headers.
func (r *running) getWith(t *testing.T, path string, headers map[string]string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+r.Addresses()["web"]+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
}

// The span of the attempt is the parent of what the server does, in each form.
func TestServer_TracesGoOnToServers(t *testing.T) {
	w3c := func(id, span string) map[string]string {
		return map[string]string{"Traceparent": "00-" + id + "-" + span + "-01"}
	}
	b3 := func(id, span string) map[string]string { return map[string]string{"B3": id + "-" + span + "-1"} }
	several := func(id, span string) map[string]string {
		return map[string]string{"X-B3-Traceid": id, "X-B3-Spanid": span, "X-B3-Sampled": "1"}
	}
	for name, tt := range map[string]struct {
		forms string
		came  func(id, span string) map[string]string
		goes  []func(id, span string) map[string]string
	}{
		"W3C":             {"", w3c, []func(id, span string) map[string]string{w3c}},
		"B3 in one":       {"b3", b3, []func(id, span string) map[string]string{b3}},
		"B3 in several":   {"b3multi", several, []func(id, span string) map[string]string{several}},
		"W3C, and B3 too": {"tracecontext,b3", w3c, []func(id, span string) map[string]string{w3c, b3}},
		"B3, and W3C too": {"tracecontext,b3", b3, []func(id, span string) map[string]string{w3c, b3}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_PROPAGATORS", tt.forms)
			c, got := newCollector(t), &seen{}
			r := start(t, routeTo(backend(t, got.note)), "--tracing.otlp.http.endpoint="+c.url, "--tracing.samplerate=0")
			r.getWith(t, "/", tt.came(traceID, clientSpan))
			r.stop() // sends the rest
			servers, clients := c.ofKind(v1.Span_SPAN_KIND_SERVER), c.ofKind(v1.Span_SPAN_KIND_CLIENT)
			if len(servers) != 1 || len(clients) != 1 || c.spans[0].TraceState != "" {
				t.Fatalf("got %v and %v", servers, clients)
			}
			for _, form := range tt.goes {
				for header, want := range form(traceID, clients[0]) {
					if got := got.last(header); got != want {
						t.Errorf("%s: the server got %s, want %s", header, got, want)
					}
				}
			}
		})
	}
}

// Servers are told of it, for else they would follow what nobody else does.
func TestServer_WhoIsNotSampledTellsSo(t *testing.T) {
	t.Setenv("OTEL_PROPAGATORS", "tracecontext,b3,b3multi")
	c, got := newCollector(t), &seen{}
	routes := strings.Replace(routeTo(backend(t, got.note)), "routers: {", "routers: {silent: {rule: 'PathPrefix(`/silent`)', service: all, observability: {tracing: false}}, ", 1)
	r := start(t, routes, "--tracing.otlp.http.endpoint="+c.url, "--tracing.samplerate=0")
	parents := map[string]bool{}
	for range 100 {
		r.get(t, "any.test", "/")
		parent := got.last("Traceparent")
		if !regexp.MustCompile("^00-[0-9a-f]{32}-[0-9a-f]{16}-00$").MatchString(parent) || got.last("B3") != "0" || got.last("X-B3-Sampled") != "0" {
			t.Fatalf("the server got %q, %q, %q", parent, got.last("B3"), got.last("X-B3-Sampled"))
		}
		parents[parent] = true
	}
	if len(parents) != 100 {
		t.Errorf("%d different ones for 100 requests", len(parents))
	}
	r.getWith(t, "/", map[string]string{"Traceparent": "00-" + traceID + "-" + clientSpan + "-00"})
	if parent := got.last("Traceparent"); parent != "00-"+traceID+"-"+clientSpan+"-00" || got.last("B3") != "" {
		t.Errorf("one that came with a trace: the server got %q, %q", parent, got.last("B3"))
	}
	r.get(t, "any.test", "/silent")
	if parent := got.last("Traceparent"); parent != "" || got.last("B3") != "" {
		t.Errorf("a router without tracing: the server got %q, %q", parent, got.last("B3"))
	}
	if r.stop(); len(c.spans) != 0 {
		t.Errorf("%d spans were sent", len(c.spans))
	}
}

const detailedRoutes = `
http:
  routers:
    shop: {rule: 'PathPrefix(@/shop@)', service: shop, middlewares: [strip, again], observability: {traceVerbosity: detailed}}
    closed: {rule: 'PathPrefix(@/closed@)', service: shop, middlewares: [login], observability: {traceVerbosity: detailed}}
    torn: {rule: 'PathPrefix(@/torn@)', service: shop, observability: {traceVerbosity: detailed}}
    paged: {rule: 'PathPrefix(@/paged@)', service: shop, middlewares: [pages], observability: {traceVerbosity: detailed}}
    asked: {rule: 'PathPrefix(@/asked@)', service: shop, middlewares: [ask, small], observability: {traceVerbosity: detailed}}
    line: {rule: 'PathPrefix(@/line@)', service: shop, middlewares: [small], observability: {traceVerbosity: detailed}}
    silent: {rule: 'PathPrefix(@/silent@)', service: shop, observability: {tracing: false}}
    usual: {rule: 'PathPrefix(@/@)', service: shop}
  middlewares:
    strip: {stripPrefix: {prefixes: [/shop]}}
    again: {retry: {attempts: 2, status: ["503"]}}
    login: {basicAuth: {users: ["ann:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/"]}}
    pages: {errors: {status: ["404"], service: pages, query: /page}}
    ask: {forwardAuth: {address: BACKEND/verify}}
    small: {compress: {}}
  services:
    shop: {loadBalancer: {servers: [{url: BACKEND}]}}
    pages: {loadBalancer: {servers: [{url: BACKEND}]}}
`

// shop is a backend whose first answer at /again is 503.
func shop(t *testing.T, got *seen) string {
	failed := false
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.note(r)
		switch r.URL.Path {
		case "/again":
			if !failed {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			failed = true
		case "/torn":
			_, _ = w.Write([]byte("begun"))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case "/line":
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\nhello")
			_ = conn.Close()
		case "/paged":
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestServer_DetailedTraces(t *testing.T) {
	for path, want := range map[string]string{
		"/shop/again": `GET shop@file status_code=200
> router shop@file status_code=200
> > middleware strip@file status_code=200
> > > middleware again@file status_code=200
> > > > service shop@file status_code=503
> > > > > GET status_code=503
> > > > service shop@file status_code=200
> > > > > GET status_code=200 resend_count=1`,
		"/closed": `GET closed@file status_code=401 message=basicAuth: no credentials were sent
> router closed@file status_code=401
> > middleware login@file status_code=401 message=basicAuth: no credentials were sent`,
		"/torn": `GET torn@file status_code=200 message=response of BACKEND broke off: the server closed the connection in the middle
> router torn@file status_code=200 message=response of BACKEND broke off: the server closed the connection in the middle
> > service shop@file status_code=200 message=response of BACKEND broke off: the server closed the connection in the middle
> > > GET status_code=200`,
		"/paged": `GET paged@file status_code=404
> router paged@file status_code=404
> > middleware pages@file status_code=404
> > > service shop@file status_code=404
> > > > GET status_code=404
> > > service pages@file status_code=200
> > > > GET status_code=200`,
		"/asked": `GET asked@file status_code=200
> router asked@file status_code=200
> > middleware ask@file status_code=200
> > > GET status_code=200
> > > middleware small@file status_code=200
> > > > service shop@file status_code=200
> > > > > GET status_code=200`,
		"/line": `GET line@file status_code=101
> router line@file status_code=101
> > middleware small@file status_code=101
> > > service shop@file status_code=101
> > > > GET status_code=101`,
		"/usual":  "GET usual@file status_code=200\n> GET status_code=200",
		"/silent": "",
	} {
		t.Run(path, func(t *testing.T) {
			c, url := newCollector(t), shop(t, &seen{})
			r := start(t, strings.NewReplacer("@/", "`/", "@)", "`)", "BACKEND", url).Replace(detailedRoutes), "--tracing.otlp.http.endpoint="+c.url)
			headers := map[string]string{}
			if path == "/line" {
				headers = map[string]string{"Connection": "Upgrade", "Upgrade": "test"}
			}
			r.getWith(t, path, headers)
			r.stop()
			drawn := strings.ReplaceAll(c.tree(nil, "http.response.status_code", "http.request.resend_count", "error.message"), url, "BACKEND")
			if drawn != want {
				t.Errorf("got\n%s\nwant\n%s", drawn, want)
			}
		})
	}
}
