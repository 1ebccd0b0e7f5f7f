package lambda

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fairway/internal/identity"
	"fairway/internal/record"
)

func TestBody_IsTextOrBase64(t *testing.T) {
	for _, tt := range []struct {
		name, kind, encoding string
		binary               []string
		body                 string
		text                 bool
	}{
		{"nothing", "", "", nil, "", true},
		{"JSON", "application/json; charset=utf-8", "", nil, `{"a":"ä"}`, true},
		{"its relatives", "application/problem+json", "", nil, `{}`, true},
		{"a form", "application/x-www-form-urlencoded", "", nil, "a=b", true},
		{"text", "text/csv", "", nil, "a;b", true},
		{"text that is wanted encoded", "text/csv", "", []string{"text/*"}, "a;b", false},
		{"all of it", "text/csv", "", []string{"*/*"}, "a;b", false},
		{"no type, but text", "", "", nil, "abc", true},
		{"no type and no text", "", "", nil, "\xff\x00", false},
		{"a picture", "image/png", "", nil, "abc", false},
		{"text in another encoding", "text/plain; charset=latin1", "", nil, "\xe4", false},
		{"packed text", "text/plain", "gzip", nil, "abc", false},
		{"no type of any sort", ";;;", "", nil, "abc", false},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Content-Type", tt.kind)
		if tt.kind == "" {
			r.Header.Del("Content-Type")
		}
		if tt.encoding != "" {
			r.Header.Set("Content-Encoding", tt.encoding)
		}
		if _, encoded := (&Request{Request: r, Body: []byte(tt.body), Binary: tt.binary}).text(); encoded == tt.text {
			t.Errorf("%s: encoded is %v", tt.name, encoded)
		}
	}
}

func TestHead_IsThatOfTheRequestAlone(t *testing.T) {
	r := httptest.NewRequest("POST", "http://Shop.Test:8080/", nil)
	for name, value := range map[string]string{
		"Connection": "close, X-Hop", "X-Hop": "1", "Te": "trailers", "Transfer-Encoding": "chunked", "Expect": "100-continue", "Proxy-Authorization": "x",
		"Content-Length": "99", "X-Forwarded-For": "10.0.0.1", "Accept": "*/*", "X-Amzn-Trace-Id": "Root=1-a-b",
	} {
		r.Header.Set(name, value)
	}
	r.Header.Add("Accept", "text/html")
	before := r.Header.Clone()
	rec := &record.Record{Peer: "192.0.2.1"}
	q := &Request{Request: r.WithContext(record.With(t.Context(), rec)), Body: []byte("abc"), At: time.Unix(0, 0)}
	e := (&API{}).V2(q)
	want := map[string]string{
		"host": "Shop.Test:8080", "x-forwarded-for": "10.0.0.1, 192.0.2.1", "accept": "*/*,text/html", "content-length": "3", "x-amzn-trace-id": "Root=1-a-b",
	}
	if diff := cmp.Diff(want, e.Headers); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if e.RequestContext.DomainName != "shop.test" || e.RequestContext.DomainPrefix != "shop" || e.RequestContext.RequestID == "" {
		t.Errorf("got %+v", e.RequestContext)
	}
	if diff := cmp.Diff(before, r.Header); diff != "" {
		t.Errorf("the request is another:\n%s", diff)
	}
	rec.Unlisted = true
	if got := (&API{}).V1(q).Headers["X-Forwarded-For"]; got != "10.0.0.1" {
		t.Errorf("got %s", got)
	}
}

func TestV1_LastOfSeveralAndNull(t *testing.T) {
	r := httptest.NewRequest("GET", "/a%2Fb?x=1&x=2&y", nil)
	text, err := (&API{}).V1(&Request{Request: r}).JSON()
	if err != nil {
		t.Fatal(err)
	}
	var e map[string]any
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"queryStringParameters": map[string]any{"x": "2", "y": ""}, "multiValueQueryStringParameters": map[string]any{"x": []any{"1", "2"}, "y": []any{""}},
		"pathParameters": nil, "stageVariables": nil, "body": nil, "path": "/a/b", "isBase64Encoded": false,
	} {
		got, there := e[name]
		if diff := cmp.Diff(want, got); diff != "" || !there {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
	text, _ = (&API{}).V1(&Request{Request: httptest.NewRequest("GET", "/", nil)}).JSON()
	for _, want := range []string{`"queryStringParameters":null`, `"multiValueQueryStringParameters":null`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("there is no %s in %s", want, text)
		}
	}
}

func TestV2_TokensAndPaths(t *testing.T) {
	rec := &record.Record{Identity: &identity.Identity{Method: "jwt", Subject: "ann", Claims: map[string]any{"sub": "ann", "aud": []any{"a", "b"}, "admin": true, "exp": json.Number("1e3"), "scp": []any{"x"}}}}
	r := httptest.NewRequest("GET", "/pets/7", nil)
	q := &Request{Request: r.WithContext(record.With(t.Context(), rec)), Resource: "/pets/{id}", Path: map[string]string{"id": "7"}}
	e := (&API{}).V2(q)
	if e.RouteKey != "GET /pets/{id}" || e.RequestContext.RouteKey != e.RouteKey || e.PathParameters["id"] != "7" {
		t.Errorf("got %+v", e)
	}
	want := map[string]any{"jwt": map[string]any{"claims": map[string]string{"sub": "ann", "aud": "[a b]", "admin": "true", "exp": "1e3", "scp": "[x]"}, "scopes": []string{"x"}}}
	if diff := cmp.Diff(want, e.RequestContext.Authorizer); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	rec.Identity = &identity.Identity{Method: "basicAuth", Subject: "ann"}
	if got := (&API{}).V2(q).RequestContext.Authorizer; got != nil {
		t.Errorf("got %v", got)
	}
	if got := (&API{}).V1(q).RequestContext.Authorizer["principalId"]; got != "ann" {
		t.Errorf("got %v", got)
	}
}

func TestClientCert(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{
		Raw: []byte("raw"), Subject: pkix.Name{CommonName: "My Client", Country: []string{"US"}}, Issuer: pkix.Name{CommonName: "My CA"}, SerialNumber: big.NewInt(0xa1b2),
		NotBefore: time.Date(2020, 8, 29, 0, 28, 21, 0, time.UTC), NotAfter: time.Date(2120, 8, 5, 0, 28, 21, 0, time.UTC),
	}}}
	want := recordings(t, "apigw-v2-request-no-authorizer.json").at("requestContext.authentication.clientCert").(map[string]any)
	want["clientCertPem"] = "-----BEGIN CERTIFICATE-----\ncmF3\n-----END CERTIFICATE-----\n"
	want["subjectDN"], want["issuerDN"], want["serialNumber"] = "CN=My Client,C=US", "CN=My CA", "a1:b2"
	text, err := json.Marshal((&API{}).V2(&Request{Request: r}).RequestContext.Authentication.ClientCert)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, want, text, nil)
	if cert, ok := (&API{}).V1(&Request{Request: r}).RequestContext.Identity["clientCert"].(*ClientCert); !ok || cert.SerialNumber != "a1:b2" {
		t.Errorf("got %v", cert)
	}
}

// followed is a trace that only says which it is.
type followed struct{ record.Trace }

func (followed) TraceID() [16]byte { return [16]byte{0x5e, 0x9f, 0x0c, 0x65, 0x1d} }
func (followed) SpanID() [8]byte   { return [8]byte{7: 0xab} }

func TestTrace_IsTheGatewaysWhereTheClientHasNone(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	if got := Trace(r); got != "" {
		t.Errorf("got %s", got)
	}
	r = r.WithContext(record.With(t.Context(), &record.Record{Trace: followed{}}))
	const own = "Root=1-5e9f0c65-1d0000000000000000000000;Parent=00000000000000ab;Sampled=1"
	if got := Trace(r); got != own {
		t.Errorf("got %s", got)
	}
	if got := (&API{}).V2(&Request{Request: r}).Headers["x-amzn-trace-id"]; got != own {
		t.Errorf("got %s", got)
	}
	r.Header.Set("X-Amzn-Trace-Id", "Root=1-a-b")
	if got := Trace(r); got != "Root=1-a-b" {
		t.Errorf("got %s", got)
	}
}
