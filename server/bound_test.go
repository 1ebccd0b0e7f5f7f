package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

type connKey struct{}

// byConnection starts a server that lets in whatever comes on a connection once that has
// shown credentials, as with NTLM. It answers with whom it takes the client for.
func byConnection(t *testing.T, secure bool) string {
	t.Helper()
	var mu sync.Mutex
	users := map[net.Conn]string{}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _ := r.Context().Value(connKey{}).(net.Conn)
		mu.Lock()
		defer mu.Unlock()
		if auth := r.Header.Get("Authorization"); auth != "" {
			users[conn] = auth
		}
		w.Header().Set("X-Conn", conn.RemoteAddr().String())
		if r.URL.Path == "/ask" && users[conn] == "" {
			w.Header().Set("WWW-Authenticate", "NTLM")
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = io.WriteString(w, users[conn])
	}))
	s.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) }
	if secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s.URL
}

func TestServer_CredentialsOfAConnectionAreForOneClient(t *testing.T) {
	for name, secure := range map[string]bool{"http": false, "https": true} {
		routes := routeTo(byConnection(t, secure))
		routes = strings.Replace(routes, "loadBalancer: {", "loadBalancer: {serversTransport: any, ", 1) + "  serversTransports: {any: {insecureSkipVerify: true}}\n"
		t.Run(name, func(t *testing.T) {
			ways(t, routes, nil, func(t *testing.T, _ *running, alice *http.Client) {
				show := ask(t, "GET", "/", nil)
				show.Header.Set("Authorization", "NTLM alice")
				if _, body := fetch(t, alice, show); body != "NTLM alice" {
					t.Fatalf("got %q", body)
				}
				for range 5 {
					other := alice // by HTTP/2 nobody is kept
					if way := alice.Transport.(*toEntryPoint); way.scheme == "http" {
						other = &http.Client{Transport: &toEntryPoint{way.scheme, way.address, &http.Transport{DisableKeepAlives: true}}}
					}
					if _, body := fetch(t, other, ask(t, "GET", "/", nil)); body != "" {
						t.Fatalf("another client is taken for %q", body)
					}
				}
			})
		})
	}
}

func TestServer_ConnectionsToServersStayWithClientsThatLogIn(t *testing.T) {
	r := start(t, routeTo(byConnection(t, false)))
	client := &http.Client{Transport: &toEntryPoint{"http", r.Addresses()["web"], &http.Transport{MaxConnsPerHost: 1}}, Timeout: longest}
	res, _ := fetch(t, client, ask(t, "GET", "/ask", nil))
	conn := res.Header.Get("X-Conn")
	if res.StatusCode != http.StatusUnauthorized {
		t.Fatalf("got %d", res.StatusCode)
	}
	for range 3 { // others come between
		if res, _ := r.get(t, "any.test", "/"); res.Header.Get("X-Conn") == conn {
			t.Error("the connection of the one who logs in serves somebody else")
		}
	}
	show := ask(t, "GET", "/ask", nil)
	show.Header.Set("Authorization", "Negotiate alice")
	for i, r := range []*http.Request{show, ask(t, "GET", "/ask", nil), ask(t, "GET", "/", nil)} {
		res, body := fetch(t, client, r)
		if res.Header.Get("X-Conn") != conn || body != "Negotiate alice" {
			t.Errorf("request %d: got %q on another connection: %v", i, body, res.Header.Get("X-Conn") != conn)
		}
	}
}
