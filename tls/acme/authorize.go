package acme

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/challenge"
	"github.com/go-acme/lego/v4/challenge/dns01"
)

// proof is one name of an order on its way through RFC 8555, section 7.5.
type proof struct {
	o       *order
	url     string // of the authorization
	domain  string // without "*."
	shown   string // with it
	chosen  acme.Challenge
	keyAuth string
	solver  challenge.Provider // nil: by records
	record  dns01.ChallengeInfo
	done    bool // the authority has been told to look
}

// authorize proves all names of the order. Answers to all of them are put up before the
// authority is told to look at any, so that waiting is done once.
func (o *order) authorize() error {
	proofs, err := o.open()
	if err != nil {
		return err
	}
	defer func() {
		for _, p := range proofs {
			p.letGo()
		}
	}()
	if o.r.dns != nil && o.r.dns.sequential && len(proofs) > 1 {
		return o.oneByOne(proofs)
	}
	return o.prove(proofs)
}

// oneByOne is for services that can have one record at a time.
func (o *order) oneByOne(proofs []*proof) error {
	for i, p := range proofs {
		if i > 0 {
			if err := sleep(o.ctx, o.r.dns.pause); err != nil {
				return err
			}
		}
		if err := o.prove([]*proof{p}); err != nil {
			return err
		}
		p.retract()
	}
	return nil
}

// open reads the authorizations, leaves out those that hold still, and chooses challenges.
func (o *order) open() ([]*proof, error) {
	var proofs []*proof
	for _, url := range o.Authorizations {
		authz, err := o.core.Authorizations.Get(url)
		if err != nil {
			return proofs, inWords(err)
		}
		if authz.Status == acme.StatusValid {
			continue
		}
		p := &proof{o: o, url: url, domain: authz.Identifier.Value, shown: challenge.GetTargetedDomain(authz)}
		proofs = append(proofs, p)
		if err := p.choose(authz); err != nil {
			return proofs, fmt.Errorf("%s: %w", p.shown, err)
		}
	}
	return proofs, nil
}

// choose takes the first challenge that both sides can do.
func (p *proof) choose(authz acme.Authorization) error {
	cfg := &p.o.r.cfg
	var offered []string
	for _, c := range authz.Challenges {
		offered = append(offered, c.Type)
	}
	for _, kind := range []challenge.Type{challenge.TLSALPN01, challenge.HTTP01, challenge.DNS01} {
		at := slices.Index(offered, kind.String())
		switch {
		case at < 0:
			continue
		case kind == challenge.TLSALPN01 && cfg.TLSChallenge != nil:
			p.solver = &tlsSolver{p.o.r.tokens, p.o.account.signer}
		case kind == challenge.HTTP01 && cfg.HTTPChallenge != nil:
			p.solver = &httpSolver{p.o.r.tokens}
		case kind == challenge.DNS01 && p.o.r.dns != nil:
		default:
			continue
		}
		p.chosen = authz.Challenges[at]
		var err error
		p.keyAuth, err = p.o.core.GetKeyAuthorization(p.chosen.Token)
		return err
	}
	return fmt.Errorf("the authority offers only %s for this name, which is not configured", strings.Join(offered, ", "))
}

// prove puts answers up, waits until they can be seen, and lets the authority look.
func (o *order) prove(proofs []*proof) error {
	var errs []error
	for _, p := range proofs {
		if err := p.present(); err != nil {
			return fmt.Errorf("%s: %w", p.shown, err)
		}
	}
	if err := o.settle(proofs); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(o.ctx, o.r.pace.validation)
	defer cancel()
	for _, p := range proofs {
		p.done = true
		if _, err := o.core.Challenges.New(p.chosen.URL); err != nil {
			return fmt.Errorf("%s: %w", p.shown, inWords(err))
		}
	}
	for _, p := range proofs {
		if err := p.await(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.shown, err))
		}
	}
	if o.ctx.Err() != nil {
		return o.ctx.Err()
	}
	return errors.Join(errs...)
}

func (p *proof) present() (err error) {
	if p.solver != nil {
		return p.solver.Present(p.domain, p.chosen.Token, p.keyAuth)
	}
	p.record, err = p.o.r.dns.present(p.o.ctx, p.domain, p.chosen.Token, p.keyAuth)
	return err
}

// settle waits for records, and as long as is configured.
func (o *order) settle(proofs []*proof) error {
	var delay time.Duration
	for _, p := range proofs {
		switch p.solver.(type) {
		case *httpSolver:
			delay = max(delay, time.Duration(o.r.cfg.HTTPChallenge.Delay))
		case *tlsSolver:
			delay = max(delay, time.Duration(o.r.cfg.TLSChallenge.Delay))
		default:
			if err := o.r.dns.await(o.ctx, p.record); err != nil {
				return fmt.Errorf("%s: %w", p.shown, err)
			}
		}
	}
	return sleep(o.ctx, delay)
}

// await polls until the authority has made up its mind (RFC 8555, section 7.5.1).
func (p *proof) await(ctx context.Context) error {
	for interval := p.o.r.pace.poll; ; interval = min(interval*3/2, 10*p.o.r.pace.poll) {
		authz, err := p.o.core.Authorizations.Get(p.url)
		switch {
		case err != nil:
			return inWords(err)
		case authz.Status == acme.StatusValid:
			return nil
		case authz.Status != acme.StatusPending && authz.Status != acme.StatusProcessing:
			return whyInvalid(authz)
		}
		if err := sleep(ctx, max(interval, p.o.transport.askAgain())); err != nil {
			return fmt.Errorf("the authority has not looked within %s", p.o.r.pace.validation)
		}
	}
}

func whyInvalid(authz acme.Authorization) error {
	for _, c := range authz.Challenges {
		if c.Error != nil {
			return said(c.Error)
		}
	}
	return fmt.Errorf("the authority calls the authorization %s", authz.Status)
}

// retract takes the answer back.
func (p *proof) retract() {
	if p.keyAuth == "" {
		return
	}
	var err error
	switch {
	case p.solver != nil:
		err = p.solver.CleanUp(p.domain, p.chosen.Token, p.keyAuth)
	case p.record.FQDN != "":
		err = p.o.r.dns.cleanUp(p.domain, p.chosen.Token, p.keyAuth)
	}
	if err != nil {
		p.o.r.log.Debugf("%s: take the answer to the challenge back: %v", p.shown, err)
	}
	p.keyAuth = ""
}

// letGo takes the answer back, and gives back an authorization that was not used: an
// authority counts those that are pending.
func (p *proof) letGo() {
	p.retract()
	if !p.done && p.o.ctx.Err() == nil {
		_ = p.o.core.Authorizations.Deactivate(p.url)
	}
}
