package certs

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestOptions_SayHowTLSIsSpoken(t *testing.T) {
	a := newAuthority(t, "CA")
	c, _ := newStore(t)
	c.Set([]*Certificate{a.rsa("one.test")}, nil)
	at := func(change func(*tls.Config)) *tls.Config {
		v := visitor("one.test")
		v.NextProtos = []string{"h2", "http/1.1"}
		change(v)
		return v
	}
	for name, tt := range map[string]struct {
		options Options
		client  func(*tls.Config)
		refused bool
		fits    func(tls.ConnectionState) bool
	}{
		"by default": {Options{}, func(*tls.Config) {}, false, func(s tls.ConnectionState) bool {
			return s.Version == tls.VersionTLS13 && s.NegotiatedProtocol == "h2" && s.CurveID == tls.X25519MLKEM768
		}},
		"an old client": {Options{}, func(v *tls.Config) { v.MinVersion, v.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, true, nil},
		"it is let in":  {Options{MinVersion: "VersionTLS10", CipherSuites: []string{"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"}}, func(v *tls.Config) { v.MinVersion, v.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, false, func(s tls.ConnectionState) bool { return s.Version == tls.VersionTLS11 }},
		"the highest":   {Options{MaxVersion: "VersionTLS12"}, func(*tls.Config) {}, false, func(s tls.ConnectionState) bool { return s.Version == tls.VersionTLS12 }},
		"weak suites": {Options{}, func(v *tls.Config) {
			v.MaxVersion, v.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}
		}, true, nil},
		"a suite":           {Options{MaxVersion: "VersionTLS12", CipherSuites: []string{"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"}}, func(*tls.Config) {}, false, func(s tls.ConnectionState) bool { return s.CipherSuite == tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 }},
		"a key exchange":    {Options{CurvePreferences: []string{"CurveP384"}}, func(*tls.Config) {}, false, func(s tls.ConnectionState) bool { return s.CurveID == tls.CurveP384 }},
		"another exchange":  {Options{CurvePreferences: []string{"CurveP384"}}, func(v *tls.Config) { v.CurvePreferences = []tls.CurveID{tls.X25519} }, true, nil},
		"a protocol":        {Options{ALPNProtocols: []string{"http/1.1", "acme-tls/1"}}, func(*tls.Config) {}, false, func(s tls.ConnectionState) bool { return s.NegotiatedProtocol == "http/1.1" }},
		"another protocol":  {Options{ALPNProtocols: []string{"h2"}}, func(v *tls.Config) { v.NextProtos = []string{"spdy"} }, true, nil},
		"tickets turned on": {Options{}, func(v *tls.Config) { v.ClientSessionCache = tls.NewLRUClientSessionCache(1) }, false, func(tls.ConnectionState) bool { return true }},
	} {
		t.Run(name, func(t *testing.T) {
			m := handshake(t, c.Config(only(policyOf(t, tt.options))), at(tt.client))
			if (m.err != nil) != tt.refused {
				t.Fatalf("got %v", m.err)
			}
			if !tt.refused && !tt.fits(m.state) {
				t.Errorf("got %+v", m.state)
			}
		})
	}
}

func TestOptions_MistakesAreNamed(t *testing.T) {
	a, other := newAuthority(t, "CA"), newAuthority(t, "other")
	for name, tt := range map[string]struct {
		options Options
		want    string
	}{
		"version":      {Options{MinVersion: "TLS12"}, `minVersion: "TLS12" is none of VersionTLS10`},
		"versions":     {Options{MinVersion: "VersionTLS13", MaxVersion: "VersionTLS12"}, "maxVersion VersionTLS12 is below the lowest version, TLS 1.3"},
		"suite":        {Options{CipherSuites: []string{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA25"}}, `did you mean "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"?`},
		"curve":        {Options{CurvePreferences: []string{"CurveP265"}}, `curvePreferences: there is no "CurveP265"; did you mean "CurveP256"?`},
		"protocol":     {Options{ALPNProtocols: []string{""}}, `alpnProtocols: "" is no name of a protocol`},
		"demand":       {Options{ClientAuth: ClientAuth{ClientAuthType: "RequireClientCert"}}, `clientAuth.clientAuthType: there is no "RequireClientCert"; did you mean`},
		"no authority": {Options{ClientAuth: ClientAuth{ClientAuthType: "RequireAndVerifyClientCert"}}, "clientAuth: RequireAndVerifyClientCert needs caFiles"},
		"no file":      {Options{ClientAuth: ClientAuth{CAFiles: []string{a.pem(), "/nowhere.pem"}}}, "clientAuth.caFiles[1]: open /nowhere.pem"},
		"no PEM":       {Options{ClientAuth: ClientAuth{CAFiles: []string{file(t, "x.pem", "x")}}}, "clientAuth.caFiles[0]: there is no certificate in it"},
		"no list":      {Options{ClientAuth: ClientAuth{CAFiles: []string{a.pem()}, CRLFiles: []string{a.pem()}}}, "clientAuth.crlFiles[0]: read the list of revoked certificates"},
		"outdated kind": {Options{ClientAuth: ClientAuth{CAFiles: []string{a.pem()}, CRLFiles: []string{a.revokesWith(func(l *x509.RevocationList) {
			l.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}}
		})}}}, "clientAuth.crlFiles[0]: the list of CN=CA is of a kind that is not understood (extension 2.5.29.27)"},
		"foreign list": {Options{ClientAuth: ClientAuth{CAFiles: []string{a.pem()}, CRLFiles: []string{other.revokes()}}}, "clientAuth.crlFiles[0]: the list of CN=other is signed by none of caFiles"},
	} {
		if _, err := tt.options.New("test"); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}

// clients are those that come to a host: what they show.
func clients(ours, theirs *authority) map[string]*Certificate {
	return map[string]*Certificate{
		"nothing": nil, "ours": ours.issue(nil, "client"), "theirs": theirs.issue(nil, "client"),
		"run out":          ours.issue(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, "client"),
		"for servers only": ours.issue(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, "client"),
		"revoked":          ours.issue(nil, "client"),
	}
}

func showing(t *testing.T, cert *Certificate) *tls.Config {
	v := visitor("one.test")
	if cert != nil {
		pair := loadPair(t, cert)
		// Whatever authorities the server says that it knows.
		v.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
	}
	return v
}

func TestClientAuth_EachWay(t *testing.T) {
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	all := clients(ours, theirs)
	store, _ := newStore(t)
	auth := func(kind string) ClientAuth {
		return ClientAuth{ClientAuthType: kind, CAFiles: []string{ours.pem()}, CRLFiles: []string{ours.revokes(all["revoked"])}}
	}
	everybody := []string{"nothing", "ours", "theirs", "run out", "for servers only", "revoked"}
	for kind, in := range map[string][]string{
		"NoClientCert": everybody, "RequestClientCert": everybody, "RequireAnyClientCert": everybody[1:],
		"VerifyClientCertIfGiven": {"nothing", "ours"}, "RequireAndVerifyClientCert": {"ours"}, "": {"ours"},
	} {
		policy := policyOf(t, Options{ClientAuth: auth(kind)})
		shared := together(t, policy, DefaultPolicy())
		for who, cert := range all {
			want := slices.Contains(in, who)
			m := handshake(t, store.Config(only(policy)), showing(t, cert))
			if (m.err == nil) != want {
				t.Errorf("%s: %s is let in %v, want %v: %v", kind, who, m.err == nil, want, m.err)
			}
			// The same decision by a route, on a connection that lets everybody in.
			m = handshake(t, store.Config(only(shared)), showing(t, cert))
			if m.err != nil {
				t.Errorf("%s, shared: %s: %v", kind, who, m.err)
				continue
			}
			for range 2 { // it is remembered
				if err := policy.Admit(&m.server); (err == nil) != want {
					t.Errorf("%s: the route lets %s in %v, want %v: %v", kind, who, err == nil, want, err)
				}
			}
		}
	}
}

func TestClientAuth_ChangedFilesCountForOpenConnectionsToo(t *testing.T) {
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	all := clients(ours, theirs)
	authorities, list := file(t, "ca.pem", ours.pem()), file(t, "crl.pem", ours.revokes())
	policy := policyOf(t, Options{ClientAuth: ClientAuth{CAFiles: []string{authorities}, CRLFiles: []string{list}}})
	store, said := newStore(t)
	store.Policies(map[*Policy]bool{policy: true})
	in := func(who string) bool {
		return handshake(t, store.Config(only(policy)), showing(t, all[who])).err == nil
	}
	m := handshake(t, store.Config(only(policy)), showing(t, all["revoked"]))
	if m.err != nil || policy.Admit(&m.server) != nil || in("theirs") {
		t.Fatalf("before: %v", m.err)
	}
	rewrite(t, list, ours.revokes(all["revoked"]))
	store.refresh()
	if in("revoked") || policy.Admit(&m.server) == nil || !in("ours") {
		t.Error("the list of revoked certificates is not in force")
	}
	rewrite(t, authorities, ours.pem()+theirs.pem())
	store.refresh()
	if !in("theirs") {
		t.Error("the new authority is not in force")
	}
	rewrite(t, authorities, "cut off")
	store.refresh()
	store.refresh()
	if !in("theirs") || in("revoked") {
		t.Error("the last good content is not in force")
	}
	if n := strings.Count(said.String(), "is not usable"); n < 1 {
		t.Errorf("the log has %q", said)
	}
}

func TestClientAuth_SeveralListsOfOneAuthority(t *testing.T) {
	ours := newAuthority(t, "ours")
	all := clients(ours, newAuthority(t, "theirs"))
	old := ours.revokesWith(func(l *x509.RevocationList) {
		l.NextUpdate = time.Now().Add(-time.Hour)
		l.ThisUpdate = l.NextUpdate.Add(-time.Hour)
	})
	for name, lists := range map[string][]string{
		"files":    {ours.revokes(all["revoked"]), ours.revokes(all["nothing"]), old},
		"one file": {ours.revokes(all["revoked"]) + ours.revokes() + old},
	} {
		policy := policyOf(t, Options{ClientAuth: ClientAuth{CAFiles: []string{ours.pem()}, CRLFiles: lists}})
		store, _ := newStore(t)
		if handshake(t, store.Config(only(policy)), showing(t, all["revoked"])).err == nil {
			t.Errorf("%s: who is revoked is let in", name)
		}
		if notes := policy.Notes(); len(notes) != 1 || !strings.Contains(notes[0], "of CN=ours is out of date since") {
			t.Errorf("%s: got notes %q", name, notes)
		}
	}
}

func TestTickets_AreOfOnePolicyAndSurviveNewKeys(t *testing.T) {
	store, _ := newStore(t)
	policy, other := policyOf(t, Options{}), policyOf(t, Options{})
	cache := tls.NewLRUClientSessionCache(8)
	visit := func(p *Policy) bool {
		v := visitor("one.test")
		v.ClientSessionCache = cache
		m := handshake(t, store.Config(only(p)), v)
		if m.err != nil {
			t.Fatal(m.err)
		}
		return m.state.DidResume
	}
	if visit(policy) {
		t.Error("the first visit is resumed")
	}
	if !visit(policy) {
		t.Error("the second visit is not resumed")
	}
	policy.tickets.next.Store(0) // a day has passed
	if !visit(policy) {
		t.Error("not resumed after the keys have changed")
	}
	if visit(other) {
		t.Error("resumed by other options")
	}
	off := policyOf(t, Options{DisableSessionTickets: true})
	if visit(off); visit(off) {
		t.Error("resumed although tickets are turned off")
	}
	for range 2 * ticketsFor {
		policy.tickets.next.Store(0)
		policy.configFor(store)
	}
	if n := len(policy.tickets.list); n != ticketsFor {
		t.Errorf("%d keys are kept", n)
	}
}

func TestTickets_DoNotOutliveARevocation(t *testing.T) {
	ours := newAuthority(t, "ours")
	cert := ours.issue(nil, "client")
	list := file(t, "crl.pem", ours.revokes())
	policy := policyOf(t, Options{ClientAuth: ClientAuth{CAFiles: []string{ours.pem()}, CRLFiles: []string{list}}})
	store, _ := newStore(t)
	store.Policies(map[*Policy]bool{policy: true})
	v := showing(t, cert)
	v.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	if m := handshake(t, store.Config(only(policy)), v); m.err != nil {
		t.Fatal(m.err)
	}
	if m := handshake(t, store.Config(only(policy)), v); m.err != nil || !m.state.DidResume {
		t.Fatalf("not resumed: %v", m.err)
	}
	rewrite(t, list, ours.revokes(cert))
	store.refresh()
	if m := handshake(t, store.Config(only(policy)), v); m.err == nil {
		t.Error("a revoked certificate is let in by a session of before")
	}
}

func together(t *testing.T, list ...*Policy) *Policy {
	t.Helper()
	p, err := Together(list, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTogether_WithRoutersForAllHosts(t *testing.T) {
	one := policyOf(t, Options{MinVersion: "VersionTLS12"})
	odd := policyOf(t, Options{MinVersion: "VersionTLS13", CurvePreferences: []string{"P521"}, SniStrict: true})
	if p, err := Together([]*Policy{one}, []*Policy{odd}); p != one || err != nil {
		t.Errorf("options for all hosts change those of one: %v", err)
	}
	asking := policyOf(t, Options{MinVersion: "VersionTLS13", ClientAuth: ClientAuth{ClientAuthType: "RequireAnyClientCert"}})
	p, err := Together([]*Policy{one}, []*Policy{odd, asking})
	if err != nil || p.demand != tls.RequestClientCert || p.template.MinVersion != tls.VersionTLS12 || p.strict || p.template.CurvePreferences != nil {
		t.Errorf("got %+v, demand %v, %v", p.template, p.demand, err)
	}
	if _, err := Together([]*Policy{odd, policyOf(t, Options{MaxVersion: "VersionTLS12"})}, nil); err == nil || err.Error() != "no version of TLS is left: TLS 1.3 at least, and TLS 1.2 at most" {
		t.Errorf("got %v", err)
	}
}

func TestTogether(t *testing.T) {
	one := policyOf(t, Options{MinVersion: "VersionTLS12"})
	if together(t, one) != one {
		t.Error("one policy is not itself")
	}
	p := together(t, one, policyOf(t, Options{MinVersion: "VersionTLS13", SniStrict: true, DisableSessionTickets: true}), policyOf(t, Options{MaxVersion: "VersionTLS13"}))
	if p.template.MinVersion != tls.VersionTLS13 || p.template.MaxVersion != tls.VersionTLS13 || !p.strict || !p.template.SessionTicketsDisabled || p.demand != tls.NoClientCert {
		t.Errorf("got %+v, strict %v, demand %v", p.template, p.strict, p.demand)
	}
	if (*Policy)(nil).Demands() || one.Admit(&tls.ConnectionState{}) != nil {
		t.Error("somebody is refused")
	}
	if err := errors.Join(one.trust.Load().verify([]*x509.Certificate{{}})); err == nil {
		t.Error("an empty certificate is verified")
	}
}
