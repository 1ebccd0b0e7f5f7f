package acme

import (
	"crypto/tls"
	"crypto/x509"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-acme/lego/v4/challenge/dns01"
	"github.com/miekg/dns"
)

func TestNew_NamesWhatIsWrong(t *testing.T) {
	t.Setenv("HTTPREQ_ENDPOINT", "http://127.0.0.1:1")
	for _, tt := range []struct {
		name string
		edit func(*Config)
		want string
	}{
		{"no challenge", func(c *Config) { c.HTTPChallenge = nil }, "httpChallenge, tlsChallenge or dnsChallenge is missing"},
		{"plain http", func(c *Config) { c.CAServer = "http://ca.test/dir" }, "caServer: "},
		{"key type", func(c *Config) { c.KeyType = "RSA4095" }, "keyType: \"RSA4095\" is none of EC256, EC384, RSA2048, RSA4096, RSA8192; did you mean RSA4096?"},
		{"email", func(c *Config) { c.Email = "nobody" }, "email: "},
		{"entry point", func(c *Config) { c.HTTPChallenge = &HTTPChallenge{} }, "httpChallenge.entryPoint: is required"},
		{"delay", func(c *Config) { c.TLSChallenge = &TLSChallenge{Delay: -1} }, "tlsChallenge.delay: "},
		{"duration", func(c *Config) { c.ClientTimeout = -1 }, "clientTimeout: "},
		{"kid", func(c *Config) { c.EAB = &EAB{HmacEncoded: "YQ"} }, "eab.kid: is required"},
		{"hmac", func(c *Config) { c.EAB = &EAB{Kid: "k", HmacEncoded: "secret!"} }, "eab.hmacEncoded: is no Base64"},
		{"roots missing", func(c *Config) { c.CACertificates = []string{"/missing.pem"} }, "caCertificates: "},
		{"roots empty", func(c *Config) { c.CACertificates = []string{"-----BEGIN X"} }, "caCertificates: no certificate"},
		{"no provider", func(c *Config) { c.DNSChallenge = &DNSChallenge{} }, "dnsChallenge.provider: is required: one of acme-dns, cloudflare, desec, digitalocean, dnsimple, duckdns, exec, gandiv5, godaddy, hetzner, httpreq, inwx, ionos, linode, namecheap, netcup, ovh, pdns, porkbun, rfc2136, route53, vultr"},
		{"unknown provider", func(c *Config) { c.DNSChallenge = &DNSChallenge{Provider: "cloudfare"} }, "did you mean cloudflare?"},
		{"no credentials", func(c *Config) { c.DNSChallenge = &DNSChallenge{Provider: "duckdns"} }, "dnsChallenge.provider: duckdns: some credentials information are missing: DUCKDNS_TOKEN"},
		{"resolver", func(c *Config) {
			c.DNSChallenge = &DNSChallenge{Provider: "httpreq", Resolvers: []string{"https://x/"}}
		}, "dnsChallenge.resolvers: "},
		{"ask missing", func(c *Config) { c.OnDemand = &OnDemand{} }, "onDemand.ask: is required"},
		{"on demand by DNS", func(c *Config) {
			c.HTTPChallenge, c.OnDemand = nil, &OnDemand{Ask: "http://x"}
			c.DNSChallenge = &DNSChallenge{Provider: "httpreq"}
		}, "onDemand: needs httpChallenge or tlsChallenge"},
		{"storage", func(c *Config) { c.Storage = ".json" }, "storage: "},
	} {
		var c Config
		c.SetDefaults()
		c.Storage = t.TempDir()
		c.HTTPChallenge = &HTTPChallenge{EntryPoint: "web"}
		tt.edit(&c)
		_, err := c.New(Env{Name: "le"})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret!") {
			t.Errorf("%s: a secret is shown", tt.name)
		}
	}
}

func TestNew_NeitherDialsNorWrites(t *testing.T) {
	var c Config // as decoded from nothing but the challenge
	c.TLSChallenge = &TLSChallenge{}
	c.Storage = t.TempDir() + "/acme.json"
	r, err := c.New(Env{Name: "le"})
	if err != nil {
		t.Fatal(err)
	}
	if r.cfg.CAServer != defaultCA || r.keyType != keyTypes["EC256"] {
		t.Errorf("defaults: %s, %s", r.cfg.CAServer, r.keyType)
	}
	if _, err := os.Stat(r.store.dir); err == nil {
		t.Error("a folder was made")
	}
	if len(r.Status()) != 0 || r.Certificate("a.test") != nil {
		t.Error("there is something in an empty storage")
	}
	if cert, err := r.OnDemand(&tls.ClientHelloInfo{ServerName: "a.test"}); cert != nil || err != nil {
		t.Errorf("on demand without configuration: %v, %v", cert, err)
	}
}

func TestDNS_AllProvidersAreConstructed(t *testing.T) {
	for name, construct := range dnsProviders {
		p, err := construct()
		if err == nil && p == nil {
			t.Errorf("%s: neither a provider nor an error", name)
		}
	}
	old := DNSChallenge{Provider: "exec", DelayBeforeCheck: 5, DisablePropagationCheck: true, Resolvers: []string{"1.1.1.1", "[::1]:5353"}}
	t.Setenv("EXEC_PATH", "/bin/true")
	s, err := newDNSSolver(&old)
	if err != nil || !s.settings.DisableChecks || s.settings.DelayBeforeChecks != 5 || !s.sequential || !slices.Equal(s.servers, []string{"1.1.1.1:53", "[::1]:5353"}) {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestNames(t *testing.T) {
	const own = "https://ca.internal/acme/acme/directory"
	for _, tt := range []struct{ ca, in, want, refused string }{
		{defaultCA, "Example.COM.", "example.com", ""},
		{defaultCA, "bücher.test", "xn--bcher-kva.test", ""},
		{defaultCA, "*.Example.com", "*.example.com", "dnsChallenge"},
		{own, "*.Example.com", "*.example.com", "dnsChallenge"},
		{defaultCA, "192.0.2.1", "192.0.2.1", "profile: shortlived"},
		{"https://acme.zerossl.com/v2/DV90", "10.0.0.1", "10.0.0.1", "private address"},
		{own, "10.0.0.1", "10.0.0.1", ""},
		{defaultCA, "a.localhost", "a.localhost", "not a full domain name"},
		{defaultCA, "intranet", "intranet", "not a full domain name"},
		{stagingCA, "intranet", "intranet", "not a full domain name"},
		{"https://dv.acme-v02.api.pki.goog/directory", "intranet", "intranet", "not a full domain name"},
		{"https://api.buypass.com/acme/directory", "intranet", "intranet", "not a full domain name"},
		{own, "intranet", "intranet", ""},
		{own, "a.localhost", "a.localhost", ""},
	} {
		got, err := normal(tt.in)
		var c Config
		c.SetDefaults()
		c.CAServer, c.HTTPChallenge = tt.ca, &HTTPChallenge{}
		if reason := c.refuse(got); err != nil || got != tt.want || !strings.Contains(reason, tt.refused) || (reason == "") != (tt.refused == "") {
			t.Errorf("%s, %q: %q, %v, refused %q", tt.ca, tt.in, got, err, reason)
		}
	}
	for _, bad := range []string{"", " ", "a.*.test", "*.*.test", "*a.test", "a:80", "a b.test", "a..test", "-a.test", "a/b.test", strings.Repeat("a.", 130) + "test"} {
		if got, err := normal(bad); err == nil {
			t.Errorf("%q is taken for %q", bad, got)
		}
	}
}

func TestWant_NamesThatAreCoveredByOthers(t *testing.T) {
	plans := map[string]*planned{}
	r := &Resolver{}
	for _, names := range [][]string{{"*.a.test"}, {"b.a.test"}, {"a.test"}, {"c.b.a.test"}, {"x.test", "y.test"}, {"y.test"}, {"z.test"}, {"y.test", "z2.test"}} {
		r.note(plans, names, names[0]+"@docker", "")
	}
	r.note(plans, []string{"*.refused.test"}, "r@docker", "for a reason")
	r.note(plans, []string{"b.refused.test"}, "r@docker", "")
	leaveOut(plans)
	want := []string{"*.a.test", "*.refused.test", "a.test", "b.refused.test", "c.b.a.test", "x.test,y.test", "y.test,z2.test", "z.test"}
	if got := slices.Sorted(maps.Keys(plans)); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := plans["*.a.test"].by; !slices.Equal(got, []string{"*.a.test@docker", "b.a.test@docker"}) {
		t.Errorf("by %v", got)
	}
}

func TestCertificate_ExpiredOnlyIfThereIsNothingBetter(t *testing.T) {
	r := &Resolver{entries: map[string]*entry{}}
	add := func(notAfter time.Time, names ...string) *tls.Certificate {
		chain, key := selfSigned(t, notAfter, names...)
		cert, err := pair(chain, key)
		if err != nil {
			t.Fatal(err)
		}
		r.entries[keyOf(names)] = &entry{names: names, cert: cert}
		r.publish()
		return cert
	}
	now := time.Now()
	old := add(now.Add(-time.Hour), "a.x.test")
	if r.Certificate("a.x.test") != old {
		t.Error("the expired one is not served although there is no other")
	}
	oldWildcard := add(now.Add(-time.Minute), "*.x.test")
	if r.Certificate("a.x.test") != old || r.Certificate("b.x.test") != oldWildcard {
		t.Error("of two expired ones the exact one is better")
	}
	wildcard := add(now.Add(time.Hour), "*.x.test", "x.test")
	if r.Certificate("a.x.test") != wildcard {
		t.Error("the expired one is served although the wildcard is valid")
	}
	fresh := add(now.Add(time.Hour), "a.x.test", "c.x.test")
	if r.Certificate("a.x.test") != fresh {
		t.Error("the exact one is not preferred")
	}
	if n := testing.AllocsPerRun(100, func() { r.Certificate("a.x.test") }); n != 0 {
		t.Errorf("a look-up of an exact name allocates %v times", n)
	}
}

// zone is a name server that has a.zone.test, with a record after the second question.
func zone(t *testing.T, value string) (address string) {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	server := &dns.Server{PacketConn: pc, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		reply := new(dns.Msg)
		reply.SetReply(q)
		add := func(text string) {
			record, err := dns.NewRR(text)
			if err == nil {
				reply.Answer = append(reply.Answer, record)
			}
		}
		question := q.Question[0]
		switch {
		case question.Qtype == dns.TypeSOA && question.Name == "zone.test.":
			add("zone.test. 60 IN SOA ns.zone.test. x.zone.test. 1 1 1 1 1")
		case question.Qtype == dns.TypeNS && question.Name == "zone.test.":
			add("zone.test. 60 IN NS ns.zone.test.")
		case question.Qtype == dns.TypeA:
			add("ns.zone.test. 60 IN A 127.0.0.1")
		case question.Qtype == dns.TypeTXT:
			if asked++; asked > 2 {
				add("_acme-challenge.a.zone.test. 1 IN TXT \"" + value + "\"")
			}
		case question.Name == "broken.test.":
			reply.Rcode = dns.RcodeServerFailure
		}
		_ = w.WriteMsg(reply)
	})}
	started := make(chan struct{})
	server.NotifyStartedFunc = func() { close(started) }
	go func() { _ = server.ActivateAndServe() }()
	<-started
	t.Cleanup(func() { _ = server.Shutdown() })
	return pc.LocalAddr().String()
}

func TestPropagation_AsksTheZonesOwnServers(t *testing.T) {
	t.Parallel()
	address := zone(t, "value")
	_, port, _ := net.SplitHostPort(address)
	s := &dnsSolver{servers: []string{address}, port: port, timeout: patience, interval: 10 * time.Millisecond}
	info := dns01.ChallengeInfo{EffectiveFQDN: "_acme-challenge.a.zone.test.", Value: "value"}
	if err := s.await(t.Context(), info); err != nil {
		t.Error(err)
	}
	for fqdn, want := range map[string]string{
		"_acme-challenge.a.zone.test.": "does not have it yet",
		"broken.test.":                 "SERVFAIL",
		"nowhere.test.":                "the zone of nowhere.test. is not known",
	} {
		err := s.seen(t.Context(), dns01.ChallengeInfo{EffectiveFQDN: fqdn, Value: "other"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", fqdn, err, want)
		}
	}
	s.timeout = time.Millisecond
	info.Value = "other"
	if err := s.await(t.Context(), info); err == nil || !strings.Contains(err.Error(), "was not seen within 1ms") {
		t.Errorf("got %v", err)
	}
}

func TestRenewalTime(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, lifetime := range []time.Duration{6 * time.Hour, 6 * 24 * time.Hour, 90 * 24 * time.Hour} {
		leaf := &x509.Certificate{NotBefore: now, NotAfter: now.Add(lifetime)}
		for range 100 {
			at := renewal(leaf)
			if left := leaf.NotAfter.Sub(at); left < lifetime/3 || left > lifetime/3+lifetime/20 {
				t.Fatalf("%s: renewed with %s left", lifetime, left)
			}
			past := window{now.Add(-2 * time.Hour), now.Add(-time.Hour)}
			if at := past.pick(leaf, now); at.Before(now.Add(min(lifetime/4, time.Hour))) {
				t.Fatalf("%s: an authority that always wants a renewal is asked without end", lifetime)
			}
			late := window{leaf.NotAfter, leaf.NotAfter.Add(time.Hour)}
			if at := late.pick(leaf, now); leaf.NotAfter.Sub(at) < lifetime/8 {
				t.Fatalf("%s: too late", lifetime)
			}
		}
	}
}
