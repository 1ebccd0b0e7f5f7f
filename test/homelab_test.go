//go:build e2e

package test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/publicsuffix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// ann is a user of the examples.
const ann = "Authorization: Basic YW5uOnNlY3JldA=="

// The stack as it was with Traefik, to the letter: its image has the name of
// Traefik's.
func TestHomelab_MediaByTheNameOfTraefik(t *testing.T) {
	s := startStack(t, "homelab-media", "fairway/fairway:latest", "traefik:v3.6")
	s.tour([]visit{
		{
			name: "jellyfin", url: "https://jellyfin.example.com/web/", status: 200, by: "jellyfin", path: "/web/",
			seen: map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "jellyfin.example.com", "X-Forwarded-Port": "443"},
			shown: map[string]string{
				"Strict-Transport-Security": "max-age=31536000; includeSubDomains", "X-Frame-Options": "SAMEORIGIN", "X-Content-Type-Options": "nosniff",
				"X-Robots-Tag": "noindex,nofollow,nosnippet,noarchive,notranslate,noimageindex", "X-Powered-By": "", "Referrer-Policy": "strict-origin-when-cross-origin",
				"Permissions-Policy": "camera=(), microphone=(), geolocation=()", "Content-Encoding": "",
			},
		},
		{name: "jellyfin, compressed", url: "https://jellyfin.example.com/web/", with: []string{"Accept-Encoding: gzip"}, status: 200, by: "jellyfin", shown: map[string]string{"Content-Encoding": "gzip"}},
		{name: "jellyseerr", url: "https://requests.example.com/", status: 200, by: "jellyseerr"},
		{name: "its old name", url: "https://overseerr.example.com/tv/1?x=y", status: 301, shown: map[string]string{"Location": "https://requests.example.com/tv/1?x=y"}},
		{name: "sonarr without a login", url: "https://sonarr.example.com/", status: 401, shown: map[string]string{"Www-Authenticate": `Basic realm="family"`}},
		{name: "sonarr with a wrong one", url: "https://sonarr.example.com/", with: []string{"Authorization: Basic YW5uOndyb25n"}, status: 401},
		{name: "sonarr", url: "https://sonarr.example.com/", with: []string{ann}, status: 200, by: "sonarr", seen: map[string]string{"Authorization": ""}},
		{name: "sonarr by a program", url: "https://sonarr.example.com/api/v3/series", with: []string{"X-Api-Key: k"}, status: 200, by: "sonarr"},
		{name: "sonarr by a program, key in the query", url: "https://sonarr.example.com/api/v3/series?apikey=k", status: 200, by: "sonarr"},
		{name: "sonarr by a program without a key", url: "https://sonarr.example.com/api/v3/series", status: 401},
		{name: "radarr", url: "https://radarr.example.com/", with: []string{ann}, status: 200, by: "radarr"},
		{
			name: "qbittorrent", url: "https://torrent.example.com/", with: []string{"Origin: https://evil.example", "Referer: https://evil.example/"}, status: 200, by: "qbittorrent",
			seen: map[string]string{"Origin": "", "Referer": "", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "torrent.example.com"},
		},
		{name: "qbittorrent, not by the VPN", url: "https://torrent.example.com/api/v2/app/shutdown", status: 403},
		{name: "ntfy", url: "https://ntfy.example.com/alarms", status: 200, by: "ntfy"},
		{name: "what nobody knows", url: "https://nothing.example.com/", status: 200, by: "homepage"},
		{name: "the domain itself", url: "https://example.com/", status: 200, by: "homepage"},
		{name: "another domain", url: "https://example.org/", status: 404},
		{name: "the API without a login", url: "https://traefik.example.com/api/overview", status: 401},
		{name: "the API", url: "https://traefik.example.com/api/overview", with: []string{ann}, status: 200},
		{name: "the API cannot be had by another host", url: "https://nothing.example.com/api/overview", status: 200, by: "homepage"},
	})
	s.checkSecure("jellyfin.example.com")
	s.checkSecure("nothing.example.com")
	s.checkSocket("wss://jellyfin.example.com/socket?api_key=k")
	s.checkEvents("https://ntfy.example.com/alarms/sse")
	t.Run("a film in parts", func(t *testing.T) { checkParts(t, s, "https://jellyfin.example.com/Items/1/Download") })
	t.Run("a film is uploaded", func(t *testing.T) {
		a, err := s.ask(http.MethodPost, "https://jellyfin.example.com/upload", strings.Repeat("x", 8<<20))
		if err != nil || a.status != 200 || a.Length != 8<<20 {
			t.Errorf("got %d, %d bytes, %v", a.status, a.Length, err)
		}
	})
	t.Run("logins are limited", func(t *testing.T) {
		got := map[int]int{}
		for range 8 {
			got[s.get("https://requests.example.com/api/v1/auth/local").status]++
		}
		if got[200] < 5 || got[429] < 1 || got[200]+got[429] != 8 {
			t.Errorf("got %v, want 5 that pass", got)
		}
	})
	s.checkSaid("https://traefik.example.com", ann)
}

// checkParts downloads a film, and parts of it as a player does.
func checkParts(t *testing.T, s *stack, url string) {
	whole := s.get(url)
	if whole.status != 200 || len(whole.text) != 4<<20 || whole.header.Get("Accept-Ranges") != "bytes" {
		t.Fatalf("got %d, %d bytes, %v", whole.status, len(whole.text), whole.header)
	}
	for asked, want := range map[string]string{
		"bytes=0-1": whole.text[:2], "bytes=1000003-3000000": whole.text[1000003:3000001], "bytes=-5": whole.text[4<<20-5:], "bytes=4194000-": whole.text[4194000:],
	} {
		a := s.get(url, "Range: "+asked, "Accept-Encoding: gzip")
		if a.status != 206 || a.text != want || a.header.Get("Content-Encoding") != "" || !strings.HasPrefix(a.header.Get("Content-Range"), "bytes ") {
			t.Errorf("%s: got %d, %d bytes, %v", asked, a.status, len(a.text), a.header)
		}
	}
	if a := s.get(url, "Range: bytes=9999999-"); a.status != 416 {
		t.Errorf("behind the end: got %d", a.status)
	}
}

func TestHomelab_Monitoring(t *testing.T) {
	s := startStack(t, "homelab-monitoring")
	pusher := "Authorization: Basic cHVzaGVyOnNlY3JldA=="
	s.tour([]visit{
		{
			name: "grafana", url: "https://grafana.example.com/d/1", with: []string{"X-Webauth-User: admin", "Origin: https://home.example.com", "Accept-Encoding: gzip"}, status: 200, by: "grafana",
			seen:  map[string]string{"X-Webauth-User": "", "X-Forwarded-Proto": "https"},
			shown: map[string]string{"Access-Control-Allow-Origin": "https://home.example.com", "Strict-Transport-Security": "max-age=31536000", "Content-Encoding": "gzip"},
		},
		{
			name: "grafana, asked before by a script", method: http.MethodOptions, url: "https://grafana.example.com/d/1", status: 200,
			with:  []string{"Origin: https://home.example.com", "Access-Control-Request-Method: GET"},
			shown: map[string]string{"Access-Control-Allow-Origin": "https://home.example.com", "Access-Control-Allow-Methods": "GET,OPTIONS"},
		},
		{name: "prometheus without a login", url: "https://monitor.example.com/prometheus/graph", status: 401, shown: map[string]string{"Www-Authenticate": `Basic realm="monitoring"`}},
		{name: "prometheus", url: "https://monitor.example.com/prometheus/graph", with: []string{ann}, status: 200, by: "prometheus", path: "/prometheus/graph"},
		{name: "the host alone", url: "https://monitor.example.com/", with: []string{ann}, status: 302, shown: map[string]string{"Location": "https://monitor.example.com/prometheus/graph"}},
		{name: "alertmanager", url: "https://monitor.example.com/alertmanager/api/v2/status?x=y", with: []string{ann}, status: 200, by: "alertmanager", path: "/api/v2/status?x=y", seen: map[string]string{"X-Forwarded-Prefix": "/alertmanager"}},
		{name: "alertmanager without a slash", url: "https://monitor.example.com/alertmanager", with: []string{ann}, status: 200, by: "alertmanager", path: "/"},
		{name: "node exporter", url: "https://monitor.example.com/node/attic/metrics", status: 200, by: "node-exporter", path: "/metrics"},
		{name: "no other path", url: "https://monitor.example.com/other", with: []string{ann}, status: 404},
		{
			name: "loki", method: http.MethodPost, url: "https://loki.example.com/loki/api/v1/push", body: "{}", with: []string{pusher, "X-Scope-Orgid: other"}, status: 200, by: "loki",
			seen: map[string]string{"X-Scope-Orgid": "homelab", "X-Pusher": "pusher", "Authorization": ""},
		},
		{name: "loki without a login", method: http.MethodPost, url: "https://loki.example.com/loki/api/v1/push", body: "{}", status: 401},
		{name: "loki is for pushing", url: "https://loki.example.com/loki/api/v1/push", with: []string{pusher}, status: 404},
		{name: "loki is not asked", url: "https://loki.example.com/loki/api/v1/query", with: []string{pusher}, status: 404},
		{name: "uptime kuma", url: "https://status.example.com/dashboard", status: 200, by: "uptime-kuma"},
		{name: "traces by http", method: http.MethodPost, url: "https://otlp.example.com/v1/traces", body: "{}", status: 200, by: "opentelemetry-collector-contrib"},
		{name: "portainer, by https", url: "https://portainer.example.com/", status: 200, by: "portainer-ce", seen: map[string]string{"X-Forwarded-Proto": "https"}},
		{name: "an appliance of a file without a login", url: "https://nas.example.com/", status: 401},
		{name: "an appliance of a file", url: "https://nas.example.com/", with: []string{ann}, status: 200, by: "portainer-ce"},
		{name: "the API without a login", url: "https://traefik.example.com/api/overview", status: 401},
	})
	for host, port := range map[string]string{"portainer": "9443", "otlp": "4318", "grafana": "3000"} {
		if got := s.get("https://" + host + ".example.com/v1/x").Port; got != port {
			t.Errorf("%s is asked at port %s, want %s", host, got, port)
		}
	}
	s.checkSecure("grafana.example.com")
	s.checkSocket("wss://status.example.com/socket.io/?transport=websocket")
	s.checkSocket("wss://grafana.example.com/api/live/ws")
	s.checkEvents("https://grafana.example.com/events")
	t.Run("a sticky cookie", func(t *testing.T) { checkSticky(t, s) })
	t.Run("traces by gRPC", func(t *testing.T) { checkCalls(t, s, "otlp.example.com") })
	s.checkSaid("https://traefik.example.com", ann)
}

func checkSticky(t *testing.T, s *stack) {
	res := http.Response{Header: s.get("https://status.example.com/").header}
	cookies := res.Cookies()
	if len(cookies) != 1 {
		t.Fatalf("got %v", res.Header)
	}
	if c := cookies[0]; c.Name != "kuma" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
		t.Errorf("got %v", c)
	}
	a := s.get("https://status.example.com/", "Cookie: "+cookies[0].Name+"="+cookies[0].Value)
	if again := a.header.Get("Set-Cookie"); a.status != 200 || again != "" && again != cookies[0].Raw {
		t.Errorf("with the cookie: got %d, %q", a.status, again)
	}
}

// checkCalls sends one trace, and a stream of them.
func checkCalls(t *testing.T, s *stack, host string) {
	conn, err := grpc.NewClient("passthrough:///"+host+":443",
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) { return s.dial(ctx, "tcp", address) }))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const method = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
	var out wrapperspb.BytesValue
	if err := conn.Invoke(limited(t), method, wrapperspb.Bytes([]byte("trace")), &out); err != nil || string(out.Value) != "trace" {
		t.Fatalf("got %q, %v", out.Value, err)
	}
	stream, err := conn.NewStream(limited(t), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		said := fmt.Append(nil, "trace ", i)
		if err := stream.SendMsg(wrapperspb.Bytes(said)); err != nil {
			t.Fatal(err)
		}
		if err := stream.RecvMsg(&out); err != nil || string(out.Value) != string(said) {
			t.Fatalf("got %q, %v", out.Value, err)
		}
	}
}

func TestHomelab_ForwardAuth(t *testing.T) {
	s := startStack(t, "homelab-forward-auth")
	browser := "Accept: text/html"
	portal := func(rd string) map[string]string {
		return map[string]string{"Location": "https://auth.example.com/?" + url.Values{"rd": {rd}, "rm": {"GET"}}.Encode()}
	}
	nobody := map[string]string{"Remote-User": "", "Remote-Groups": "", "Remote-Name": "", "Remote-Email": ""}
	spoof := []string{browser, "Remote-User: admin", "Remote-Groups: admins", "Remote-Email: admin@example.com", "remote-name: ADMIN"}
	s.tour([]visit{
		{name: "the portal is there for everybody", url: "https://auth.example.com/", with: spoof, status: 200, by: "authelia", seen: nobody, shown: map[string]string{"X-Frame-Options": "DENY"}},
		{name: "a path for programs", url: "https://wiki.example.com/api/public/feed?n=1", with: spoof, status: 200, by: "whoami", path: "/api/public/feed?n=1", seen: nobody},
		{name: "not beside it", url: "https://wiki.example.com/api/publicity", status: 401},
		{name: "not around it", url: "https://wiki.example.com/api/public/../../admin", status: 401},
		{name: "not around it, encoded", url: "https://wiki.example.com/api/public/%2e%2e/%2e%2e/admin", status: 401},
		{name: "a browser is sent to the portal", url: "https://whoami.example.com/a?b=c&d=e", with: spoof, status: 302, shown: portal("https://whoami.example.com/a?b=c&d=e")},
		{
			name: "and comes back to where it was, whatever it says", url: "https://whoami.example.com/a", status: 302, shown: portal("https://whoami.example.com/a"),
			with: []string{browser, "X-Forwarded-Host: auth.example.com", "X-Forwarded-Uri: /x", "X-Forwarded-Proto: http", "X-Forwarded-Method: POST"},
		},
		{name: "a form", method: http.MethodPost, url: "https://whoami.example.com/", body: "a=b", with: []string{browser}, status: 303},
		{name: "a program", url: "https://whoami.example.com/", status: 401},
		{name: "the dashboard", url: "https://traefik.example.com/api/overview", with: []string{browser}, status: 302, shown: portal("https://traefik.example.com/api/overview")},
		{name: "what is not shown", url: "https://database.example.com/", status: 404},
	})
	s.checkSecure("whoami.example.com")
	t.Run("a wrong password", func(t *testing.T) { s.login(t, "wrong", http.StatusUnauthorized) })
	t.Run("the right one", func(t *testing.T) { s.login(t, "secret", http.StatusOK) })
	known := map[string]string{"Remote-User": "ann", "Remote-Groups": "family,admins", "Remote-Name": "ANN", "Remote-Email": "ann@example.com"}
	s.tour([]visit{
		{name: "the service hears who is there", url: "https://whoami.example.com/a?b", with: spoof, status: 200, by: "whoami", path: "/a?b", seen: known, shown: map[string]string{"Strict-Transport-Security": "max-age=31536000", "Content-Security-Policy": "frame-ancestors 'none'"}},
		{name: "of all methods", method: http.MethodPost, url: "https://whoami.example.com/", body: "a=b", status: 200, by: "whoami", seen: known},
		{name: "the other service, compressed", url: "https://wiki.example.com/", with: []string{"Accept-Encoding: gzip"}, status: 200, by: "whoami", seen: known, shown: map[string]string{"Content-Encoding": "gzip"}},
		{name: "its other name", url: "https://www.wiki.example.com/page", status: 301, shown: map[string]string{"Location": "https://wiki.example.com/page"}},
		{name: "what is not shown, with a session", url: "https://database.example.com/", status: 404},
	})
	s.checkEvents("https://whoami.example.com/events")
	s.checkEvents("https://wiki.example.com/events")
	s.checkSaid("https://traefik.example.com")
	// Its labels are gone with it, and so is the middleware: nobody gets in, and no
	// other router answers in place of the guarded one.
	s.project.do("stop", "-t", "1", "authelia")
	s.await("nobody to get in", func() bool { return s.get("https://whoami.example.com/").status == http.StatusServiceUnavailable })
}

// login tells the portal the password of ann. The session is kept for what follows.
func (s *stack) login(t *testing.T, password string, want int) {
	jar, err := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
	if err != nil {
		t.Fatal(err)
	}
	s.client.Jar = jar
	a, err := s.ask(http.MethodPost, "https://auth.example.com/api/firstfactor", url.Values{"username": {"ann"}, "password": {password}}.Encode(), "Content-Type: application/x-www-form-urlencoded")
	if err != nil || a.status != want {
		t.Fatalf("got %d %v, want %d", a.status, err, want)
	}
}
