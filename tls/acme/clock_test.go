package acme

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
)

func quiet() *logrus.Entry {
	log := logrus.New()
	log.Out = &syncBuffer{}
	return log.WithField("resolver", "le")
}

// ahead is what a clock leaves behind that was years ahead.
func ahead(name string) record {
	then := time.Now().AddDate(9, 0, 0)
	return record{
		Names: []string{name}, Failures: 3, Error: "no", Since: then, Started: then, NextTry: then.Add(time.Hour),
		FailedAt: []time.Time{time.Now().Add(-time.Minute), then, then, then, then},
		Pause:    &pause{CAServer: defaultCA, Until: then},
	}
}

func saved(t *testing.T, r *Resolver, rec record) {
	t.Helper()
	if _, err := r.save(fileOf(rec.Names), &rec); err != nil {
		t.Fatal(err)
	}
}

func TestClockAhead_BlocksNobodyForYears(t *testing.T) {
	t.Parallel()
	var c Config
	c.SetDefaults()
	c.Storage, c.HTTPChallenge = filepath.Join(t.TempDir(), "acme.json"), &HTTPChallenge{EntryPoint: "web"}
	first, err := c.New(Env{Name: "le", Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	saved(t, first, ahead("a.test"))
	start := time.Now()
	r, err := c.New(Env{Name: "le", Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	e := r.entries["a.test"]
	if week := start.Add(7 * 24 * time.Hour); e.rec.NextTry.Before(week) || e.rec.NextTry.After(time.Now().Add(7*24*time.Hour)) {
		t.Errorf("next try %s", e.rec.NextTry)
	}
	if len(e.rec.FailedAt) != 1 || !e.rec.Started.IsZero() || e.rec.Pause != nil {
		t.Errorf("the future counts: %+v", e.rec)
	}
	if _, _, due, err := r.reread(e); due || err != nil {
		t.Errorf("due %v, %v", due, err)
	}
	e.rec.NextTry = time.Now().Add(-time.Second) // a week later
	if _, _, due, err := r.reread(e); !due || err != nil {
		t.Errorf("a week later it is not due: %v", err)
	}
	running, err := standalone(t, &c)
	if err != nil {
		t.Fatal(err)
	}
	running.begin()
	running.await("it is written down, so that the next start does not begin anew", func() bool {
		data, err := running.store.load(certificateFiles, "a.test")
		if err != nil {
			t.Fatal(err)
		}
		rec, _, err := parseRecord(data)
		return err == nil && rec.NextTry.Before(time.Now().Add(7*24*time.Hour))
	})
	if rec := running.record("a.test"); rec.ahead || rec.Failures != 3 {
		t.Errorf("known of it: %+v", rec)
	}
}

func TestClockAhead_InMemory(t *testing.T) {
	t.Parallel()
	r := &Resolver{pace: normalPace(), entries: map[string]*entry{}}
	e := &entry{names: []string{"a.test"}, wanted: true, rec: record{FailedAt: ahead("a.test").FailedAt}}
	r.entries["a.test"] = e
	if at, ok := r.dueAt(e, r.holds()); !ok || at.After(time.Now()) {
		t.Errorf("due at %s", at)
	}
}

func TestClockAhead_RenewClearsIt(t *testing.T) {
	t.Parallel()
	var c Config
	c.SetDefaults()
	c.Storage = filepath.Join(t.TempDir(), "acme.json")
	r, err := c.open(Env{Name: "le", Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	saved(t, r, ahead("a.test"))
	if err := offline(t, &c).Renew("a.test"); err != nil {
		t.Fatal(err)
	}
	data, err := r.store.load(certificateFiles, "a.test")
	if err != nil {
		t.Fatal(err)
	}
	rec, _, err := parseRecord(data)
	if err != nil || len(rec.FailedAt) != 1 || !rec.Started.IsZero() || !rec.NextTry.IsZero() || rec.Pause != nil || rec.RenewAt.After(time.Now()) {
		t.Errorf("%+v, %v", rec, err)
	}
}
