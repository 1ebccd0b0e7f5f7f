//go:build e2e

package test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fairway/internal/headername"
)

// merging is a service that takes what comes behind a body for headers, in whatever spelling.
func merging(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		seen := map[string][]string{}
		for _, h := range []http.Header{r.Header, r.Trailer} {
			for name, values := range h {
				seen[headername.Plain(name)] = append(seen[headername.Plain(name)], values...)
			}
		}
		_ = json.NewEncoder(w).Encode(seen)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

const forgingHosts = "jwt oidc acl basic digest ldap client buffered none"

func TestMiddlewares_NobodyIsForgedByTrailers(t *testing.T) {
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"access_token":"t0ken","token_type":"bearer"}`)
	}))
	t.Cleanup(tokens.Close)
	routes := `http:
  services: {s: {loadBalancer: {servers: [{url: '` + merging(t) + `'}]}}}
  consumers: {ann: {apiKeys: ['` + annHashed + `']}}
  middlewares:
    jwt: {jwt: {secret: ` + hsSecret + `, optional: true, forwardHeaders: {X-User: sub}}}
    oidc: {oidc: {issuer: 'http://127.0.0.1:1', clientID: g, optional: true, forwardHeaders: {X-User: sub}}}
    keys: {apiKey: {}}
    acl: {acl: {forwardHeaders: {X-User: consumer.name}}}
    basic: {basicAuth: {users: ['x:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ='], optional: true, headerField: X-User}}
    digest: {digestAuth: {users: ['x:traefik:e008efc4676c740d22dfb8460b00c71f'], optional: true, headerField: X-User}}
    ldap: {ldapAuth: {url: 'ldap://127.0.0.1:1', baseDN: 'dc=example', optional: true, headerField: X-User}}
    client: {oauth2Client: {tokenURL: '` + tokens.URL + `', clientID: g, clientSecret: s, header: X-User}}
    held: {buffering: {maxRequestBodyBytes: 1000}}
  routers:
`
	chains := map[string]string{"acl": "keys, acl", "buffered": "jwt, held", "none": "held"}
	for name := range strings.FieldsSeq(forgingHosts) {
		chain := chains[name]
		if chain == "" {
			chain = name
		}
		routes += "    " + name + ": {rule: 'Host(`" + name + ".test`)', service: s, middlewares: [" + chain + "]}\n"
	}
	file := filepath.Join(t.TempDir(), "routes.yml")
	if err := os.WriteFile(file, []byte(routes), 0o600); err != nil {
		t.Fatal(err)
	}
	f := startFairway(t, "--providers.file.filename="+file)
	f.await("the routes", func() bool { return f.get("jwt.test", "/").status == 200 })
	for name := range strings.FieldsSeq(forgingHosts) {
		want := map[string]string{"acl": "ann@file", "client": "t0ken", "none": "root root root"}[name]
		for kind, ask := range map[string]func(t *testing.T, address, host string) map[string][]string{"HTTP/1.1": forgeByChunks, "HTTP/2": forgeByHTTP2} {
			seen := ask(t, f.address("web"), name+".test")
			if got := strings.Join(seen["X-User"], " "); got != want || strings.Join(seen["X-Sum"], "") != "1" || seen["X-Forwarded-Prefix"] != nil {
				t.Errorf("%s by %s: the service sees X-User %q, want %q; X-Sum %q, X-Forwarded-Prefix %q", name, kind, got, want, seen["X-Sum"], seen["X-Forwarded-Prefix"])
			}
		}
	}
}

// forgeByChunks sends trailers of which only some are announced.
func forgeByChunks(t *testing.T, address, host string) (seen map[string][]string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: "+host+"\r\nX-Api-Key: "+keyOfAnn+"\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X-User, X-Sum, X-Forwarded-Prefix\r\n\r\n"+
		"4\r\ntext\r\n0\r\nX-User: root\r\nX_User: root\r\nX.User: root\r\nX-Sum: 1\r\nX-Forwarded-Prefix: /x\r\nX.Forwarded.Prefix: /x\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&seen); err != nil || res.StatusCode != 200 {
		t.Fatalf("%s: got %d, %v", host, res.StatusCode, err)
	}
	return seen
}

func forgeByHTTP2(t *testing.T, address, host string) (seen map[string][]string) {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	req, err := http.NewRequest(http.MethodPost, "http://"+address+"/", io.MultiReader(strings.NewReader("text")))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	req.Header.Set("X-Api-Key", keyOfAnn)
	req.Trailer = http.Header{"X-User": {"root"}, "X_User": {"root"}, "X.User": {"root"}, "X-Sum": {"1"}, "X-Forwarded-Prefix": {"/x"}}
	res, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&seen); err != nil || res.StatusCode != 200 || res.ProtoMajor != 2 {
		t.Fatalf("%s: got %d by %s, %v", host, res.StatusCode, res.Proto, err)
	}
	return seen
}
