package acme

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"
	"github.com/go-acme/lego/v4/certcrypto"
	"github.com/go-acme/lego/v4/certificate"
)

// order is one on its way through RFC 8555, section 7.4: placed, each of its names proved
// (authorize.go), signed, fetched. The messages are the library's; the order of them, and
// all waiting, is ours, so that it can be interrupted.
type order struct {
	r         *Resolver
	ctx       context.Context
	core      *api.Core
	transport *bound
	account   *account
	names     []string
	acme.ExtendedOrder
}

// obtain orders a certificate. The one that it replaces may be nil.
func (r *Resolver) obtain(ctx context.Context, names []string, replaces *x509.Certificate) outcome {
	for attempt := 0; ; attempt++ {
		o := &order{r: r, ctx: ctx, names: names}
		result := o.run(replaces)
		if attempt == 0 && o.account != nil && isKind(result.err, "accountDoesNotExist") {
			r.account.forget(o.account)
			continue
		}
		return result
	}
}

func (o *order) run(replaces *x509.Certificate) (result outcome) {
	defer func() {
		if result.err != nil && o.transport != nil {
			result.after = max(result.after, o.transport.refusedFor())
		}
	}()
	account, failed := o.r.account.get(o.ctx)
	if failed.err != nil {
		return failed
	}
	o.account = account
	var err error
	if o.core, o.transport, err = o.r.core(o.ctx, account); err != nil {
		return outcome{err: fmt.Errorf("reach the authority: %w", inWords(err)), pause: o.r.pauseFor(err, nil, o.transport)}
	}
	if err := o.place(replaces); err != nil {
		_, refused := errors.AsType[*problem](err)
		// Who was stopped in the middle of the request does not know.
		return outcome{err: err, reached: refused || o.ctx.Err() != nil, pause: o.r.pauseFor(err, o.names, o.transport)}
	}
	if err := o.authorize(); err != nil {
		return outcome{err: err, reached: true}
	}
	key, err := o.sign()
	if err != nil {
		return outcome{err: err, reached: true}
	}
	chain, err := o.fetch()
	if err != nil {
		return outcome{err: fmt.Errorf("fetch the certificate: %w", inWords(err)), reached: true}
	}
	result = outcome{chain: chain, reached: true}
	if result.key, err = encodeKey(key); err != nil {
		return outcome{err: err, reached: true}
	}
	if leaf, err := certcrypto.ParsePEMCertificate(chain); err == nil {
		result.window, _, _ = renewalWindow(o.core, leaf) // without one the lifetime decides
	}
	return result
}

// place asks for a new order (RFC 8555, section 7.4; RFC 9773, section 5).
func (o *order) place(replaces *x509.Certificate) error {
	cfg, offered := &o.r.cfg, o.core.GetDirectory().Meta.Profiles
	if _, ok := offered[cfg.Profile]; cfg.Profile != "" && !ok {
		names := slices.Sorted(maps.Keys(offered))
		return fmt.Errorf("the authority has no profile %q; it has: %s", cfg.Profile, strings.Join(names, ", "))
	}
	options := &api.OrderOptions{Profile: cfg.Profile}
	if replaces != nil {
		options.ReplacesCertID, _ = certificate.MakeARICertID(replaces)
	}
	got, err := o.core.Orders.NewWithOptions(o.names, options)
	if refused := inWords(err); err != nil && options.ReplacesCertID != "" && !isKind(refused, "rateLimited") && !o.transport.overloaded() && o.ctx.Err() == nil {
		// The authority may not take the old certificate for ours, which is no reason to
		// be without a new one.
		options.ReplacesCertID = ""
		got, err = o.core.Orders.NewWithOptions(o.names, options)
	}
	if err != nil {
		return inWords(err)
	}
	o.ExtendedOrder = got
	return nil
}

// sign makes a key and has it signed (RFC 8555, section 7.4).
func (o *order) sign() (crypto.PrivateKey, error) {
	if err := o.awaitStatus(o.r.pace.validation, acme.StatusReady, acme.StatusValid); err != nil {
		return nil, err
	}
	key, err := certcrypto.GeneratePrivateKey(o.r.keyType)
	if err != nil {
		return nil, err
	}
	options := certcrypto.CSROptions{SAN: o.names, EmailAddresses: o.r.cfg.EmailAddresses}
	if len(o.names[0]) <= 64 && !o.r.cfg.DisableCommonName {
		options.Domain = o.names[0]
	}
	csr, err := certcrypto.CreateCSR(key, options)
	if err != nil {
		return nil, err
	}
	got, err := o.core.Orders.UpdateForCSR(o.Finalize, csr)
	if err != nil {
		return nil, inWords(err)
	}
	o.Order = got.Order
	return key, o.awaitStatus(time.Duration(o.r.cfg.CertificateTimeout), acme.StatusValid)
}

// awaitStatus polls the order until it has one of the statuses.
func (o *order) awaitStatus(most time.Duration, statuses ...string) error {
	ctx, cancel := context.WithTimeout(o.ctx, most)
	defer cancel()
	for interval := o.r.pace.poll; ; interval = min(interval*3/2, 10*o.r.pace.poll) {
		switch {
		case slices.Contains(statuses, o.Status):
			return nil
		case o.Status == acme.StatusInvalid && o.Error != nil:
			return said(o.Error)
		case o.Status == acme.StatusInvalid:
			return errors.New("the authority calls the order invalid")
		}
		if err := sleep(ctx, max(interval, o.transport.askAgain())); err != nil {
			if o.ctx.Err() != nil {
				return o.ctx.Err()
			}
			return fmt.Errorf("the authority has not finished the order within %s: it is %s", most, o.Status)
		}
		got, err := o.core.Orders.Get(o.Location)
		if err != nil {
			return inWords(err)
		}
		o.Order = got.Order
	}
}

// fetch downloads the chain, the preferred one if there is (RFC 8555, section 7.4.2).
func (o *order) fetch() ([]byte, error) {
	offered, err := o.core.Certificates.GetAll(o.Certificate, true)
	if err != nil {
		return nil, err
	}
	preferred := o.r.cfg.PreferredChain
	for _, link := range slices.Sorted(maps.Keys(offered)) {
		chain, err := certcrypto.ParsePEMBundle(offered[link].Cert)
		if err == nil && preferred != "" && chain[len(chain)-1].Issuer.CommonName == preferred {
			return offered[link].Cert, nil
		}
	}
	if preferred != "" {
		o.r.log.Warnf("%s: the authority has no chain to %q, so this is its default.", o.names[0], preferred)
	}
	return offered[o.Certificate].Cert, nil
}
