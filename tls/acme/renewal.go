package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/go-acme/lego/v4/acme/api"
	"github.com/go-acme/lego/v4/certificate"
)

// A certificate is renewed when a third of its lifetime is left, or when its authority
// says so (RFC 9773): that may be earlier if the authority has to revoke it.

// renewal is when a certificate is renewed if the authority does not say: when a third of
// its lifetime is left, or a little earlier, so that those issued together are not
// renewed together.
func renewal(leaf *x509.Certificate) time.Time {
	third := leaf.NotAfter.Sub(leaf.NotBefore) / 3
	return leaf.NotAfter.Add(-third - upTo(third/10))
}

// window is when the authority wants a certificate to be renewed.
type window struct{ start, end time.Time }

func (w window) has(t time.Time) bool { return !t.Before(w.start) && t.Before(w.end) }

// pick is a time in the window (RFC 9773, section 4.2), but not so soon after the
// certificate was issued that a mistaken authority would be asked without end, and not so
// late that nothing may go wrong any more.
func (w window) pick(leaf *x509.Certificate, issued time.Time) time.Time {
	lifetime := leaf.NotAfter.Sub(leaf.NotBefore)
	at := w.start.Add(upTo(w.end.Sub(w.start)))
	if first := issued.Add(min(lifetime/4, time.Hour)); at.Before(first) {
		at = first
	}
	if last := leaf.NotAfter.Add(-lifetime / 8); at.After(last) {
		at = last
	}
	return at
}

// plan sets when the certificate is renewed, unless it is planned well already.
func (rec *record) plan(w window, leaf *x509.Certificate) (changed bool) {
	if w.start.IsZero() || w.has(rec.RenewAt) {
		return false
	}
	at := w.pick(leaf, rec.Issued)
	if d := at.Sub(rec.RenewAt); d > -time.Second && d < time.Second {
		return false
	}
	rec.RenewAt = at
	return true
}

func upTo(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d) //nolint:gosec // it spreads load, and hides nothing
}

// renewalWindow asks the authority, also when to ask again.
func renewalWindow(core *api.Core, leaf *x509.Certificate) (w window, again time.Duration, err error) {
	id, err := certificate.MakeARICertID(leaf)
	if err != nil {
		return w, 0, err
	}
	resp, err := core.Certificates.GetRenewalInfo(id)
	if err != nil {
		return w, 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return w, 0, errors.New(resp.Status)
	}
	var info certificate.RenewalInfoResponse
	if err := json.NewDecoder(resp.Body).Decode(&info); err != nil {
		return w, 0, err
	}
	w = window{info.SuggestedWindow.Start, info.SuggestedWindow.End}
	if !w.end.After(w.start) {
		return window{}, 0, errors.New("the window ends before it begins")
	}
	return w, retryAfter(resp.Header.Get("Retry-After"), time.Now()), nil
}

// checkWindow asks for the window of a certificate once more. Nothing depends on the
// answer: without one the lifetime decides.
func (r *Resolver) checkWindow(ctx context.Context, e *entry, leaf *x509.Certificate) {
	w, again, err := r.askWindow(ctx, leaf)
	if again = min(max(again, time.Minute), 24*time.Hour); err != nil {
		r.log.Debugf("%s: ask when to renew: %v", leaf.DNSNames, err)
		again = 6 * time.Hour
	}
	changed := false
	if unlock, ok, _ := r.store.lock(e.file); err == nil && ok {
		changed = r.replan(e, w)
		unlock()
	}
	r.mu.Lock()
	e.ariAt = time.Now().Add(jitter(again))
	r.mu.Unlock()
	if changed {
		r.changed()
	}
}

func (r *Resolver) askWindow(ctx context.Context, leaf *x509.Certificate) (window, time.Duration, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader) // nothing is signed
	if err != nil {
		return window{}, 0, err
	}
	core, _, err := r.core(ctx, &account{signer: key})
	if err != nil {
		return window{}, 0, err
	}
	return renewalWindow(core, leaf)
}

// replan stores a new time of renewal. The lock of the certificate is held.
func (r *Resolver) replan(e *entry, w window) bool {
	rec, cert, err := r.read(e.file)
	if err != nil || cert == nil || !rec.plan(w, cert.Leaf) {
		return false
	}
	v, err := r.save(e.file, &rec)
	if err != nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e.rec, e.cert, e.version = rec, cert, v
	r.publish()
	return true
}
