package server

import (
	"crypto/tls"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fairway/config"
	"fairway/internal/record"
)

func TestForwarded(t *testing.T) {
	const peer = "192.0.2.7"
	trust := &config.ForwardedHeaders{TrustedIPs: []string{"192.0.2.0/24"}}
	fresh := map[string]string{"X-Forwarded-Host": "a.test:8080", "X-Forwarded-Port": "8080", "X-Forwarded-Proto": "http", "X-Real-Ip": peer}
	with := func(changes map[string]string) map[string]string {
		all := map[string]string{}
		maps.Copy(all, fresh)
		for name, value := range changes {
			all[name] = value
			if value == "" {
				delete(all, name)
			}
		}
		return all
	}
	tests := []struct {
		name   string
		config *config.ForwardedHeaders
		in     map[string]string
		secure bool
		want   map[string]string
	}{
		{name: "a client that says nothing", want: fresh},
		{name: "TLS", secure: true, want: with(map[string]string{"X-Forwarded-Proto": "https"})},
		{
			name: "a WebSocket", in: map[string]string{"Upgrade": "websocket", "Connection": "upgrade"},
			want: with(map[string]string{"X-Forwarded-Proto": "ws", "Upgrade": "websocket", "Connection": "Upgrade"}),
		},
		{
			name: "an untrusted peer is not believed",
			in: map[string]string{
				"X-Forwarded-For": "1.1.1.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil", "X-Real-Ip": "1.1.1.1",
				"X-Forwarded-Prefix": "/x", "X-Forwarded-Uri": "/x", "X-Forwarded-Method": "PUT", "X-Scheme": "x", "X-Forwarded-Tls-Client-Cert": "x",
			},
			want: fresh,
		},
		{
			name: "nor under names with underscores",
			in:   map[string]string{"X_Forwarded_For": "1.1.1.1", "X_real-ip": "1.1.1.1", "X_Other": "stays"},
			want: with(map[string]string{"X_Other": "stays"}),
		},
		{
			name: "a trusted peer is believed", config: trust,
			in:   map[string]string{"X-Forwarded-For": "1.1.1.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "public", "X-Real-Ip": "1.1.1.1", "X-Forwarded-Port": "444"},
			want: map[string]string{"X-Forwarded-For": "1.1.1.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "public", "X-Real-Ip": "1.1.1.1", "X-Forwarded-Port": "444"},
		},
		{
			name: "everybody is believed", config: &config.ForwardedHeaders{Insecure: true},
			in: map[string]string{"X-Forwarded-For": "1.1.1.1"}, want: with(map[string]string{"X-Forwarded-For": "1.1.1.1"}),
		},
		{
			name: "Connection cannot take away what the gateway sets",
			in:   map[string]string{"Connection": "X-Real-Ip, X-Forwarded-Proto, X-Private, keep-alive", "X-Private": "1"},
			want: fresh,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.config == nil {
				tt.config = &config.ForwardedHeaders{}
			}
			f, err := newForwarded(tt.config)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodGet, "http://a.test:8080/", nil)
			if tt.secure {
				r.TLS = &tls.ConnectionState{}
			}
			for name, value := range tt.in {
				r.Header[name] = []string{value}
			}
			f.apply(r, &record.Record{Peer: peer, ClientIP: netip.MustParseAddr(peer)})
			got := map[string]string{}
			for name := range r.Header {
				got[name] = r.Header[name][0]
			}
			if got["X-Forwarded-Server"] == "" {
				t.Error("X-Forwarded-Server is missing")
			}
			delete(got, "X-Forwarded-Server")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestForwarded_RefusesABadNetwork(t *testing.T) {
	if _, err := newForwarded(&config.ForwardedHeaders{TrustedIPs: []string{"10.0.0.0/99"}}); err == nil {
		t.Error("no error")
	}
}
