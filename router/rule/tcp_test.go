package rule

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParseTCP(t *testing.T) {
	for _, tt := range []struct {
		rule, name, client, protocol string
		want                         bool
	}{
		{"HostSNI(`*`)", "", "10.0.0.1", "", true},
		{"HostSNI(`A.test.`)", "a.TEST", "10.0.0.1", "", true},
		{"HostSNI(`a.test`)", "", "10.0.0.1", "", false},
		{"HostSNI(`*.test`)", "a.test", "10.0.0.1", "", true},
		{"HostSNI(`*.test`)", "a.b.test", "10.0.0.1", "", false},
		{"HostSNIRegexp(`^db-[0-9]+\\.test$`)", "db-7.test", "10.0.0.1", "", true},
		{"ClientIP(`10.0.0.0/8`)", "", "10.1.2.3", "", true},
		{"ClientIP(`10.0.0.0/8`)", "", "::ffff:10.1.2.3", "", true},
		{"!ClientIP(`10.0.0.0/8`)", "", "192.0.2.1", "", true},
		{"ALPN(`mqtt`)", "", "10.0.0.1", "mqtt", true},
		{"ALPN(`mqtt`)", "", "10.0.0.1", "h2", false},
		{"HostSNI(`a.test`) || ALPN(`mqtt`)", "b.test", "10.0.0.1", "mqtt", true},
	} {
		r, err := ParseTCP(tt.rule)
		if err != nil {
			t.Errorf("%s: %v", tt.rule, err)
			continue
		}
		if got := r.Match(ForConnection(tt.name, netip.MustParseAddr(tt.client), []string{tt.protocol})); got != tt.want {
			t.Errorf("%v: got %v", tt, got)
		}
	}
	v2, err := ParseTCPV2("HostSNI(`a.test`, `b.test`) && HostSNIRegexp(`{any:[a-z]+}.test`)")
	if err != nil || !v2.Match(ForConnection("b.test", netip.Addr{}, nil)) || v2.Match(ForConnection("c.test", netip.Addr{}, nil)) {
		t.Errorf("v2: got %v", err)
	}
}

func TestParseTCP_MistakesAreTold(t *testing.T) {
	for text, want := range map[string]string{
		"Host(`a`)": "unknown matcher Host; did you mean HostSNI?", "HostSNI(`a`, `b`)": "takes 1 argument", "ALPN(`acme-tls/1`)": "certificate resolvers answer it",
		"HostSNI(`a*.test`)": "a star as the first label only", "HostSNI(`a.test:443`)": "HostSNI takes a name", "HostSNI(`bücher.test`)": "punycode", "HostSNIRegexp(`(`)": "is no regular expression", "": "the rule is empty",
	} {
		if _, err := ParseTCP(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func TestRule_AnyHost(t *testing.T) {
	for text, want := range map[string][2]bool{"HostSNI(`*`)": {true, true}, "HostSNI(`a`)": {}, "ClientIP(`10.0.0.1`)": {true, false}, "HostSNI(`*`) && ClientIP(`10.0.0.1`)": {true, false}, "HostSNI(`a`) || ALPN(`b`)": {true, false}} {
		r, err := ParseTCP(text)
		if err != nil {
			t.Fatal(err)
		}
		if r.AnyHost() != want[0] || r.OnlyAnyHost() != want[1] {
			t.Errorf("%s: got %v, %v", text, r.AnyHost(), r.OnlyAnyHost())
		}
	}
}
