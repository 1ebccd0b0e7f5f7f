package otlp

import (
	"encoding/json"
	"strings"
	"testing"

	"fairway/internal/certtest"
	"fairway/internal/secret"
)

func TestCollector_Client(t *testing.T) {
	for name, tt := range map[string]struct {
		of        *Collector
		url, grpc string
	}{
		"nothing said":          {nil, "http://localhost:4318/v1/things", ""},
		"empty":                 {&Collector{}, "http://localhost:4318/v1/things", ""},
		"a URL without a path":  {&Collector{HTTP: &HTTP{Endpoint: "https://c.test"}}, "https://c.test/v1/things", ""},
		"a URL with a path":     {&Collector{HTTP: &HTTP{Endpoint: "http://c.test:80/in"}}, "http://c.test:80/in", ""},
		"gRPC":                  {&Collector{GRPC: &GRPC{}}, "", "localhost:4317"},
		"gRPC with an endpoint": {&Collector{GRPC: &GRPC{Endpoint: "c.test:1", Insecure: true}}, "", "c.test:1"},
	} {
		c, err := tt.of.Client("/v1/things")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c.HTTP != nil && c.HTTP.URL != tt.url || c.GRPC != nil && c.GRPC.Endpoint != tt.grpc || (c.HTTP == nil) == (c.GRPC == nil) {
			t.Errorf("%s: got %+v, %+v", name, c.HTTP, c.GRPC)
		}
	}
}

// Whoever may read the API must not get into the collector.
func TestCollector_HeadersAreNotShown(t *testing.T) {
	c := &Collector{HTTP: &HTTP{Headers: secret.Headers{"X-Vendor-Team": "hunter2"}}}
	shown, err := json.Marshal(c)
	if err != nil || strings.Contains(string(shown), "hunter2") || !strings.Contains(string(shown), "X-Vendor-Team") {
		t.Errorf("got %s, %v", shown, err)
	}
	if client, err := c.Client("/"); err != nil || client.HTTP.Headers["X-Vendor-Team"] != "hunter2" {
		t.Errorf("got %v, %v", client, err)
	}
}

func TestCollector_Mistakes(t *testing.T) {
	empty := certtest.File(t, "ca.pem", "")
	for want, c := range map[string]*Collector{
		"grpc and http cannot be given together":                       {HTTP: &HTTP{}, GRPC: &GRPC{}},
		`http.endpoint: "collector:4318" is no URL`:                    {HTTP: &HTTP{Endpoint: "collector:4318"}},
		`http.endpoint: "ftp://c" is no URL`:                           {HTTP: &HTTP{Endpoint: "ftp://c"}},
		"http.tls: the endpoint http://c is not spoken to by TLS":      {HTTP: &HTTP{Endpoint: "http://c", TLS: &TLS{}}},
		`grpc.endpoint: "http://c:4317" is a URL, not a host and port`: {GRPC: &GRPC{Endpoint: "http://c:4317"}},
		"grpc.tls.ca: open /nowhere: no such file":                     {GRPC: &GRPC{TLS: &TLS{CA: "/nowhere"}}},
		"http.tls.ca: there is no certificate in it":                   {HTTP: &HTTP{TLS: &TLS{CA: empty}}},
		"http.tls.cert: open /nowhere: no such file or directory":      {HTTP: &HTTP{TLS: &TLS{Cert: "/nowhere"}}},
	} {
		if _, err := c.Client("/v1/things"); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
