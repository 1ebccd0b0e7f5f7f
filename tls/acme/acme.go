// Package acme gets certificates from an authority by the ACME protocol (RFC 8555): as
// soon as a router names a host, not when its first visitor comes, and anew in time. It
// never asks an authority more often than it may: orders are bounded, failures back off,
// and both outlast a restart.
//
// A Resolver is told what is Wanted. One goroutine, Run, decides what is due, and gives it
// to a few workers (run.go, work.go); each orders one certificate (order.go), proves that
// the names are ours (solve.go, dns.go), and writes what it got, or why not, to the
// storage (storage.go), which other instances may share. Handshakes read a snapshot.
package acme

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-acme/lego/v4/certcrypto"
	"github.com/go-acme/lego/v4/challenge"
	"github.com/sirupsen/logrus"
)

// Env is what a Resolver gets from its surroundings.
type Env struct {
	Name string // of the resolver
	Log  logrus.FieldLogger
	// Covered tells whether there is a certificate of the operator's own for a name: none
	// is ordered then. May be nil.
	Covered func(name string) bool
	// Changed is called (from a goroutine of the Resolver, without locks held) when a
	// certificate or a problem has changed. May be nil.
	Changed func()
}

// Wanted is one certificate that routers ask for: one name, or the main name and its
// alternatives.
type Wanted struct {
	Names []string
	By    string // the router, for messages
}

// Status is what is known of a certificate that is wanted or stored.
type Status struct {
	Names  []string `json:"names"`
	By     []string `json:"by,omitempty"`
	Wanted bool     `json:"wanted"`
	// NotBefore and NotAfter are zero while there is no certificate.
	NotBefore time.Time `json:"notBefore,omitzero"`
	NotAfter  time.Time `json:"notAfter,omitzero"`
	Issuer    string    `json:"issuer,omitempty"`
	Serial    string    `json:"serial,omitempty"`
	RenewAt   time.Time `json:"renewAt,omitzero"`
	NextTry   time.Time `json:"nextTry,omitzero"`
	Failures  int       `json:"failures,omitempty"`
	// Error has the authority's own words, and Since when it is so.
	Error    string    `json:"error,omitempty"`
	Since    time.Time `json:"since,omitzero"`
	Ordering bool      `json:"ordering,omitempty"`

	Leaf *x509.Certificate `json:"-"` // nil: there is none yet
}

// pace is how often things are done. Tests are in a hurry; everybody else has normalPace.
type pace struct {
	look        time.Duration // at the storage, for what others have changed
	wait        time.Duration // for another instance that orders the same
	first       time.Duration // back-off after the first failure
	most        time.Duration // back-off after many
	unreachable time.Duration // back-off at most while no order could be placed at all
	register    time.Duration // until a registration that failed is tried again
	window      time.Duration // in which all renewal windows are asked for after a start
	poll        time.Duration // how soon to ask the authority again at first
	validation  time.Duration // for all validations of an order
	stop        time.Duration // Run waits for workers that cannot be interrupted
	perHour     int           // failed orders for a name
}

func normalPace() pace {
	return pace{
		look: time.Minute, wait: 5 * time.Second,
		first: time.Minute, most: 6 * time.Hour, unreachable: 15 * time.Minute,
		register: 10 * time.Second, window: 10 * time.Minute, poll: 500 * time.Millisecond, validation: 3 * time.Minute, stop: 10 * time.Second,
		perHour: 4,
	}
}

// workers is how many orders are under way at the same time.
const workers = 4

// Resolver gets and keeps the certificates of one certificatesResolvers.<name>.acme.
type Resolver struct {
	cfg     Config
	env     Env
	log     logrus.FieldLogger
	keyType certcrypto.KeyType
	base    http.RoundTripper
	store   *storage
	tokens  *tokens
	dns     *dnsSolver
	ask     *asker
	account *accounts
	pace    pace

	out      error // why the resolver is out of use; nil: it is not
	outSince time.Time
	warning  string // about the storage

	snapshot atomic.Pointer[snapshot]
	kick     chan struct{} // the loop looks again
	slots    chan struct{} // one for each order that is under way

	mu       sync.Mutex
	list     []Wanted
	dirty    bool // list is not planned yet
	entries  map[string]*entry
	until    map[string]time.Time // when certificates that have a name are to be renewed
	busy     map[string]bool      // names that an order is under way for
	flights  map[string]*flight
	run      *running
	imported *imported         // of Traefik's file, not in the storage yet; New and Run only
	unread   map[string]string // files that could not be read, and why
}

// entry is one certificate: wanted, stored, or both.
type entry struct {
	key      string // its names in order
	file     string // in the storage
	names    []string
	by       []string
	wanted   bool
	refused  string    // why it is never ordered
	since    time.Time // when that was found
	rec      record    // as it is stored
	cert     *tls.Certificate
	version  version   // of the file that rec was read from
	unsaved  bool      // rec could not be stored
	onDemand bool      // a visitor asked for it
	active   bool      // a worker is at it
	ordering bool      // and orders
	trouble  string    // of this machine's own, nothing of it is stored
	retry    time.Time // not before, for the same reason
	ariAt    time.Time // when to ask for the renewal window again
}

// Want says all that is wanted now. It replaces what was wanted before, and returns at
// once.
func (r *Resolver) Want(list []Wanted) {
	r.mu.Lock()
	r.list, r.dirty = slices.Clone(list), true
	r.mu.Unlock()
	r.wake()
}

// wake makes the loop look again. A wake-up that is due already is enough.
func (r *Resolver) wake() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// changed tells the surroundings. No lock may be held.
func (r *Resolver) changed() {
	if r.env.Changed != nil {
		r.env.Changed()
	}
}

// snapshot is what handshakes read. It never changes.
type snapshot struct {
	byName map[string]*tls.Certificate // also "*.example.com"
}

// Certificate returns the certificate for a server name in lower case, exact or by
// wildcard (RFC 6125, section 6.4.3), or nil. An expired one is returned if there is
// nothing better.
func (r *Resolver) Certificate(name string) *tls.Certificate {
	s := r.snapshot.Load()
	exact := s.byName[name]
	if exact != nil && time.Now().Before(exact.Leaf.NotAfter) {
		return exact
	}
	var wildcard *tls.Certificate
	if _, parent, ok := strings.Cut(name, "."); ok {
		wildcard = s.byName["*."+parent]
	}
	if wildcard != nil && (exact == nil || time.Now().Before(wildcard.Leaf.NotAfter)) {
		return wildcard
	}
	return exact
}

// publish makes the next snapshot. r.mu is held.
func (r *Resolver) publish() {
	next := &snapshot{byName: map[string]*tls.Certificate{}}
	r.until = map[string]time.Time{}
	add := func(name string, e *entry) {
		cert := e.cert
		if e.rec.CAServer == r.cfg.CAServer {
			r.until[name] = latest(r.until[name], e.rec.RenewAt)
		}
		if have := next.byName[name]; have == nil || cert.Leaf.NotAfter.After(have.Leaf.NotAfter) {
			next.byName[name] = cert
		}
	}
	for _, e := range r.entries {
		if e.cert == nil {
			continue
		}
		for _, name := range e.cert.Leaf.DNSNames {
			add(strings.ToLower(name), e)
		}
		for _, ip := range e.cert.Leaf.IPAddresses {
			add(ip.String(), e)
		}
	}
	r.snapshot.Store(next)
}

// Status tells of every certificate that is wanted or stored, sorted by name.
func (r *Resolver) Status() []Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Status, 0, len(r.entries))
	held := r.holds()
	for _, e := range r.entries {
		all = append(all, r.status(e, held))
	}
	slices.SortFunc(all, func(a, b Status) int { return slices.Compare(a.Names, b.Names) })
	return all
}

// status is one line of Status. r.mu is held.
func (r *Resolver) status(e *entry, held holds) Status {
	s := Status{
		Names: slices.Clone(e.names), By: slices.Clone(e.by), Wanted: e.wanted,
		RenewAt: e.rec.RenewAt, NextTry: e.rec.NextTry, Failures: e.rec.Failures,
		Error: e.rec.Error, Since: e.rec.Since, Ordering: e.ordering,
	}
	cert := e.cert
	if until := r.coveredUntil(e.names); cert == nil && e.refused == "" && !until.IsZero() {
		cert, s.RenewAt = r.Certificate(e.names[0]), until
	}
	if cert != nil {
		leaf := cert.Leaf
		s.Leaf = leaf
		s.NotBefore, s.NotAfter = leaf.NotBefore, leaf.NotAfter
		s.Issuer, s.Serial = leaf.Issuer.String(), leaf.SerialNumber.Text(16)
	}
	if e.onDemand && !e.wanted && r.ask != nil {
		s.Wanted, s.By = true, []string{"onDemand"}
	}
	switch {
	case r.out != nil && e.wanted:
		s.Error, s.Since, s.NextTry = r.whyOut(), r.outSince, time.Time{}
	case e.refused != "":
		s.Error, s.Since = e.refused, e.since
	case e.trouble != "":
		s.Error, s.Since, s.NextTry = e.trouble, e.since, e.retry
	case s.Error == "" && e.cert == nil && r.unread[e.file] != "":
		s.Error = r.unread[e.file]
	default:
		r.explain(&s, e, held)
	}
	return s
}

// whyOut is the error of New, for those who want a certificate.
func (r *Resolver) whyOut() string {
	return "its resolver is out of use: option certificatesResolvers." + r.env.Name + ".acme." + r.out.Error()
}

// explain says what an order waits for that could be placed by itself. r.mu is held.
func (r *Resolver) explain(s *Status, e *entry, held holds) {
	if at, ok := r.wish(e); !ok || at.After(held.now) {
		return
	}
	if p := held.pause(e.names); p != nil {
		s.NextTry = latest(s.NextTry, p.Until)
		if s.Error == "" {
			s.Error, s.Since = p.Text, p.Since
		}
	}
	if at := r.hourly(e.names, held); at.After(held.now) {
		s.NextTry = latest(s.NextTry, at)
		if s.Error == "" {
			s.Error = "the last orders for this name came to nothing, and there may be no more of them in an hour"
		}
	}
}

// Warning says what the operator should change about the storage, "" if nothing.
func (r *Resolver) Warning() string { return r.warning }

// jitter is up to a tenth more or less, so that not all come back at once.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + upTo(d/5)
}

var _ challenge.Provider = (*httpSolver)(nil)
