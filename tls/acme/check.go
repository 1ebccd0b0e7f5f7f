package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
)

// Whether a name can be proved shows only when an authority looks, and looking costs: five
// failures in an hour, and it does not look any more. So the way is tried where nothing is
// counted, and in the same manner as the real order goes: by the fairway that runs.

// stagingCA is where things are tried out that are meant for Let's Encrypt.
const stagingCA = "https://acme-staging-v02.api.letsencrypt.org/directory"

// Trial is an order that is placed to learn whether the next one would succeed.
type Trial struct {
	CAServer string // where it is placed
	Real     bool   // the authority has no staging server that is known, so its limits count it
	of, try  *Resolver
	name     string
}

// Trial prepares one for a name.
func (o *Offline) Trial(name string) (*Trial, error) {
	clean, err := normal(name)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", name, err)
	}
	if reason := o.r.cfg.refuse(clean); reason != "" {
		return nil, errors.New(reason)
	}
	cfg := o.r.cfg
	if cfg.CAServer == defaultCA {
		cfg.CAServer, cfg.EAB = stagingCA, nil
	}
	cfg.OnDemand = nil
	try, err := cfg.open(o.r.env)
	if err == nil {
		err = try.prepare()
	}
	if err == nil {
		err = try.prepareProofs()
	}
	if err != nil {
		return nil, fmt.Errorf("option certificatesResolvers.%s.acme.%w", o.r.env.Name, err)
	}
	return &Trial{CAServer: cfg.CAServer, Real: cfg.CAServer != stagingCA, of: o.r, try: try, name: clean}, nil
}

// Run proves the name and has a certificate signed, which nobody keeps. The answers to
// challenges are in the storage as always: so a fairway that runs with it answers. The
// account is one for this order, except where accounts are bound to one that you have. The
// error has the authority's own words.
func (t *Trial) Run(ctx context.Context) error {
	r := t.try
	t.of.keepImported() // before there is a folder, which would be the end of that
	unlock, ok, err := r.store.lock(fileOf([]string{t.name}))
	switch {
	case err != nil:
		return fmt.Errorf("the storage cannot be used: %w", err)
	case !ok:
		return errors.New("a certificate for it is being ordered at the moment: try again soon")
	}
	defer unlock()
	if r.cfg.EAB == nil {
		if err := r.throwAway(ctx); err != nil {
			return err
		}
	}
	o := &order{r: r, ctx: ctx, names: []string{t.name}}
	result := o.run(nil)
	if r.cfg.EAB == nil && o.core != nil {
		_ = o.core.Accounts.Deactivate(o.account.URI) // RFC 8555, section 7.3.6
	}
	return result.err
}

// throwAway registers an account that is not stored.
func (r *Resolver) throwAway(ctx context.Context) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	mine := &account{Email: r.cfg.Email, signer: key}
	if _, err := r.account.register(ctx, mine); err != nil {
		return err
	}
	r.account.known = mine
	return nil
}
