package middlewarestest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fairway/internal/responsehead"
)

// received is a response of a server, in memory.
type received struct {
	status int
	header http.Header
	body   string
}

func (r *received) StatusCode() int             { return r.status }
func (r *received) Get(name string) string      { return r.header.Get(name) }
func (r *received) Values(name string) []string { return r.header[name] }
func (r *received) Each(visit func(name, value string)) {
	for name, values := range r.header {
		for _, value := range values {
			visit(name, value)
		}
	}
}
func (r *received) Length() int64 { return int64(len(r.body)) }

// addMissing adds the fields of a server to those that are there, which take the place
// of those of the same name.
func addMissing(h, more http.Header) {
	ours := h.Clone()
	for name, values := range more {
		if _, ok := ours[name]; !ok || name == "Set-Cookie" {
			h[name] = append(h[name], values...)
		}
	}
}

// inParts writes a response in the common way, as the proxy does.
func (r *received) inParts(w http.ResponseWriter) {
	h := w.Header()
	addMissing(h, r.header)
	if _, named := h["Content-Type"]; !named {
		h["Content-Type"] = nil
	}
	h.Set("Content-Length", fmt.Sprint(len(r.body)))
	w.WriteHeader(r.status)
	_, _ = io.WriteString(w, r.body)
}

// forwarder is a writer like that of the engine.
type forwarder struct {
	*httptest.ResponseRecorder
	short bool // it has been asked to send a response on as it came
}

// Forward implements responsehead.Forwarder.
func (f *forwarder) Forward(r responsehead.Received) error {
	f.short = true
	r.(*received).inParts(f.ResponseRecorder)
	return nil
}

func (f *forwarder) result() map[string]any {
	res := f.Result()
	res.Header.Del("Date")
	for name, values := range res.Header {
		if slices.Sort(values); len(values) == 0 {
			delete(res.Header, name)
		}
	}
	return map[string]any{"status": res.StatusCode, "header": res.Header, "body": f.Body.String()}
}

// forwards checks that a client cannot tell the short way from the common one.
func (ex *example) forwards(t *testing.T) {
	shortOnce := false
	for _, res := range []*received{
		{200, http.Header{"Content-Type": {"text/html"}, "Vary": {"Accept", "Origin"}, "Set-Cookie": {"a=1", "b=2"}, "Etag": {`"x"`}}, strings.Repeat("long ", 1000)},
		{200, http.Header{"X-Powered-By": {"x"}, "Server": {"s"}, "X-Frame-Options": {"ALLOW"}, "Access-Control-Allow-Origin": {"*"}}, "short"},
		{304, http.Header{"Etag": {`"x"`}, "X-Request-Id": {"theirs"}}, ""},
		{404, http.Header{"Content-Type": {"text/plain"}, "Content-Security-Policy": {"none"}}, "not here"},
		{503, http.Header{"Content-Type": {"application/json"}, "Retry-After": {"1"}}, "{}"},
	} {
		answer := func(next http.HandlerFunc) *forwarder {
			handler := ex.build(t.Context(), t, next)
			_, r := parseRequest(t, signed(t, handler, ex.request))
			r.RemoteAddr = "127.0.0.1:1"
			w := &forwarder{ResponseRecorder: httptest.NewRecorder()}
			handler.ServeHTTP(w, r)
			return w
		}
		common := answer(func(w http.ResponseWriter, _ *http.Request) { res.inParts(w) })
		short := answer(func(w http.ResponseWriter, _ *http.Request) {
			if err := responsehead.Forward(w, res); errors.Is(err, responsehead.ErrInParts) {
				res.inParts(w)
			} else if err != nil {
				t.Error(err)
			}
		})
		shortOnce = shortOnce || short.short
		want, got := common.result(), short.result()
		if stamped(want) && stamped(got) { // identifiers differ from request to request
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d: a response that is sent on as it came is another (-common +short):\n%s", res.status, diff)
		}
	}
	if !shortOnce && !holdsBack(ex.typ) {
		t.Error("no response is sent on as it came")
	}
}

// holdsBack tells of a middleware that has to see bodies, or all cookies.
func holdsBack(typ reflect.Type) bool {
	switch path.Base(typ.PkgPath()) {
	case "grpcweb", "buffering", "forwardauth", "idempotency", "lua", "transform", "validate", "wasm":
		return true
	}
	return false
}

// stamped tells of a response that has an identifier of its own.
func stamped(result map[string]any) bool {
	id := result["header"].(http.Header).Get("X-Request-Id")
	return id != "" && id != "theirs"
}

// leavesTheRequest checks that what a middleware changes is a copy: whoever called it
// may need the request again.
func (ex *example) leavesTheRequest(t *testing.T) {
	handler := ex.build(t.Context(), t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	_, r := parseRequest(t, signed(t, handler, ex.request))
	r.RemoteAddr = "127.0.0.1:1"
	before := r.Clone(r.Context())
	handler.ServeHTTP(httptest.NewRecorder(), r)
	for what, pair := range map[string][2]any{
		"header": {before.Header, r.Header}, "URL": {before.URL.String(), r.URL.String()}, "host": {before.Host, r.Host},
		"method": {before.Method, r.Method}, "target": {before.RequestURI, r.RequestURI},
	} {
		if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
			t.Errorf("the caller's %s is changed:\n%s", what, diff)
		}
	}
}
