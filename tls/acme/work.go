package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
)

// work orders one certificate. Who shares the storage orders once: the lock is taken first,
// then the file is read again, and only if nobody else has seen to it meanwhile, an order
// is placed. That it is under way is stored before: so a storage that cannot be written,
// or a crash, costs no more orders than any failure.
func (r *Resolver) work(ctx context.Context, e *entry, names []string, issue issuer) {
	unlock, ok, err := r.store.lock(e.file)
	switch {
	case err != nil:
		r.trouble(e, fmt.Errorf("the storage cannot be used, so nothing is ordered: %w", err))
		return
	case !ok: // another instance is at it
		r.mu.Lock()
		e.retry = time.Now().Add(jitter(r.pace.wait))
		r.mu.Unlock()
		return
	}
	defer unlock()
	rec, cert, due, err := r.reread(e)
	if err != nil {
		r.trouble(e, err)
		return
	}
	if !due {
		r.adopt(e, rec, cert, r.store.version(certificateFiles, e.file))
		return
	}
	var replaces *x509.Certificate
	if cert != nil && rec.CAServer == r.cfg.CAServer {
		replaces = cert.Leaf
	}
	rec.Names, rec.Started, rec.ahead = names, time.Now(), false
	rec.OnDemand = e.isOnDemand(r)
	if _, err := r.save(e.file, &rec); err != nil {
		r.trouble(e, fmt.Errorf("nothing is ordered: %w", err))
		return
	}
	r.mu.Lock()
	e.ordering = true
	r.mu.Unlock()
	r.changed()
	result := issue(ctx, names, replaces)
	r.finish(ctx, e, rec, cert, result)
}

func (e *entry) isOnDemand(r *Resolver) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return e.onDemand && !e.wanted
}

// reread loads what is stored now, and tells whether the certificate is due by that.
func (r *Resolver) reread(e *entry) (rec record, cert *tls.Certificate, due bool, err error) {
	r.mu.Lock()
	rec, cert, unsaved := e.rec, e.cert, e.unsaved
	r.mu.Unlock()
	known := rec
	if !unsaved {
		if rec, cert, err = r.read(e.file); err != nil && !errors.Is(err, errGarbage) {
			return rec, cert, false, err
		}
		if err != nil {
			bad, renamed := r.store.setAside(certificateFiles, e.file)
			if renamed != nil {
				return rec, cert, false, err
			}
			r.log.Warnf("The certificate %s is ordered anew: %v; it is kept as %s.", e.file, err, bad)
		}
	}
	if rec.ahead {
		rec.NextTry = known.NextTry // by the clock of the first look
	}
	now := time.Now()
	if !rec.Started.IsZero() { // whoever began this order was killed
		rec.failedOrder(rec.Started)
		rec.Started = time.Time{}
	}
	at := latest(rec.NextTry, r.limit(inLastHour(rec.FailedAt, now)))
	if cert != nil && rec.CAServer == r.cfg.CAServer {
		at = latest(at, rec.RenewAt)
	}
	return rec, cert, !at.After(now), nil
}

// adopt takes over what another instance has stored.
func (r *Resolver) adopt(e *entry, rec record, cert *tls.Certificate, v version) {
	r.mu.Lock()
	if len(rec.Names) == 0 {
		rec.Names = e.names
	}
	e.rec, e.cert, e.version, e.unsaved = rec, cert, v, false
	e.trouble, e.retry = "", time.Time{}
	r.publish()
	r.mu.Unlock()
}

// trouble notes what keeps this machine from ordering. The authority was not asked.
func (r *Resolver) trouble(e *entry, err error) {
	r.log.WithField("certificate", e.names[0]).Error(err)
	r.mu.Lock()
	if e.trouble != err.Error() {
		e.trouble, e.since = err.Error(), time.Now()
	}
	e.retry = time.Now().Add(jitter(r.pace.first))
	r.mu.Unlock()
	r.changed()
}

// finish stores what became of an order. The lock of the certificate is held.
func (r *Resolver) finish(ctx context.Context, e *entry, rec record, cert *tls.Certificate, result outcome) {
	now := time.Now()
	log := r.log.WithField("certificate", strings.Join(rec.Names, ", "))
	if result.err == nil {
		issued, err := rec.issue(rec.Names, r.cfg.CAServer, result.chain, result.key, now)
		if result.err = err; err == nil {
			cert = issued
			rec.plan(result.window, cert.Leaf)
			log.Infof("Certificate of %q, valid until %s.", cert.Leaf.Issuer.CommonName, cert.Leaf.NotAfter.Format(time.RFC3339))
		}
	}
	failed := false
	switch {
	case result.err == nil:
	case ctx.Err() != nil: // it was given up, so it is not tried later; but it was placed
		if result.reached {
			rec.failedOrder(rec.Started)
		}
		rec.Started = time.Time{}
	default:
		rec.fail(result, r.pace, now)
		failed = true
	}
	v, err := r.save(e.file, &rec)
	if err != nil {
		log.Errorf("It is used, but lost when fairway stops: %v", err)
	}
	r.mu.Lock()
	held := r.holds()
	e.rec, e.cert, e.version, e.unsaved = rec, cert, v, err != nil
	e.trouble, e.retry = "", time.Time{}
	if err != nil {
		e.trouble, e.since = err.Error(), now
	}
	delete(r.unread, e.file)
	if cert != nil {
		e.ariAt = now.Add(jitter(6 * time.Hour))
	}
	r.publish()
	r.mu.Unlock()
	if failed {
		r.logFailure(log, &rec, held)
	}
}

// logFailure has one line for a limit of the authority, however many run into it.
func (r *Resolver) logFailure(log logrus.FieldLogger, rec *record, before holds) {
	switch p := rec.Pause; {
	case p == nil:
		log.Warnf("No certificate: %s. The next try is at %s.", rec.Error, rec.NextTry.Format(time.RFC3339))
	case before.has(p):
		log.Debugf("No certificate: %s.", rec.Error)
	default:
		r.log.Warnf("A limit of the authority is reached, so nothing is ordered%s until %s: %s.", p.about(), p.Until.Format(time.RFC3339), rec.Error)
	}
}
