package acme

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
)

// The certificate is tried by a second process, and the running one answers.
func TestTrial_TheRunningOneAnswers(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{blocked: []string{"evil.test"}})
	c := a.config()
	s := a.run(c, nil)
	s.want([]string{"have.test"})
	s.awaitCertificate("have.test")
	s.await("the order is over", func() bool { return !s.about("have.test").Ordering })
	before := string(readFile(t, s.store.path(accountFiles, accountName)))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	try := func(c *Config, name string) error {
		trial, err := offline(t, c).Trial(name)
		if err != nil {
			return err
		}
		if trial.CAServer != a.dir || !trial.Real {
			t.Errorf("it is tried at %s, %v", trial.CAServer, trial.Real)
		}
		trial.try.pace = hurried()
		return trial.Run(ctx)
	}
	alpn := *c
	alpn.HTTPChallenge, alpn.TLSChallenge = nil, &TLSChallenge{}
	for _, c := range []*Config{c, &alpn} {
		for _, name := range []string{"Try.test.", "have.test"} {
			if err := try(c, name); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if err := try(c, "evil.test"); err == nil || !strings.Contains(err.Error(), "policy") {
		t.Errorf("the authority's words are missing: %v", err)
	}
	if err := try(c, "*.try.test"); err == nil || !strings.Contains(err.Error(), "dnsChallenge") {
		t.Errorf("a wildcard: %v", err)
	}
	unlock, _, err := s.store.lock("try.test")
	if err != nil {
		t.Fatal(err)
	}
	if err := try(c, "try.test"); err == nil || !strings.Contains(err.Error(), "is being ordered") {
		t.Errorf("while it is ordered: %v", err)
	}
	unlock()
	a.web.lead() // the way to the running one is blocked
	if err := try(c, "try.test"); err == nil || !strings.Contains(err.Error(), "try.test: ") {
		t.Errorf("blocked: %v", err)
	}
	if files, err := s.store.list(certificateFiles); err != nil || len(files) != 1 {
		t.Errorf("something is stored: %v, %v", files, err)
	}
	if files, err := s.store.list(challengeFiles); err != nil || len(files) != 0 {
		t.Errorf("answers are left behind: %v, %v", files, err)
	}
	if string(readFile(t, s.store.path(accountFiles, accountName))) != before {
		t.Error("the account has changed")
	}
}

func TestTrial_WithABoundAccount(t *testing.T) {
	t.Parallel()
	const hmac = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
	a := newAuthority(t, pebbleOptions{eab: map[string]string{"kid-1": hmac}})
	c := a.config()
	c.EAB = &EAB{Kid: "kid-1", HmacEncoded: hmac}
	s := a.run(c, nil)
	trial, err := offline(t, c).Trial("bound.test")
	if err != nil {
		t.Fatal(err)
	}
	trial.try.pace = hurried()
	if err := trial.Run(t.Context()); err != nil {
		t.Error(err)
	}
	s.want([]string{"bound.test"})
	s.awaitCertificate("bound.test")
	if file, err := s.account.file(); err != nil || len(file.Accounts) != 1 {
		t.Errorf("%d accounts, %v", len(file.Accounts), err)
	}
}

func TestTrial_GoesToTheStagingServer(t *testing.T) {
	t.Parallel()
	for _, ca := range []string{"", defaultCA, stagingCA} {
		c := Config{CAServer: ca, Storage: t.TempDir(), HTTPChallenge: &HTTPChallenge{EntryPoint: "web"}, EAB: &EAB{Kid: "k", HmacEncoded: "YQ"}}
		trial, err := offline(t, &c).Trial("a.test")
		if err != nil || trial.CAServer != stagingCA || trial.Real {
			t.Errorf("%q: %+v, %v", ca, trial, err)
		}
	}
}

func TestTrial_DoesNotPreventThatTraefiksFileIsTakenOver(t *testing.T) {
	t.Parallel()
	var c Config
	c.SetDefaults()
	c.CAServer, c.Storage, c.TLSChallenge = "https://127.0.0.1:1/dir", filepath.Join(t.TempDir(), "acme.json"), &TLSChallenge{}
	writeFile(t, c.Storage, traefikSample(t))
	trial, err := offline(t, &c).Trial("new.test")
	if err != nil {
		t.Fatal(err)
	}
	if err := trial.Run(t.Context()); err == nil {
		t.Error("an authority that is not there has signed")
	}
	if r, err := c.New(Env{Name: "le", Log: quiet()}); err != nil || r.Certificate("main.test") == nil {
		t.Errorf("what Traefik had is lost: %v", err)
	}
}
