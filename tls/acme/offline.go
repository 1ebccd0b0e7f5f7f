package acme

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-acme/lego/v4/acme"
	"github.com/sirupsen/logrus"
)

// Offline works on the storage of a resolver for a command, while fairway may be running
// with it: that looks at the storage regularly.
type Offline struct{ r *Resolver }

// Open opens the storage of the resolver of that name. What is wrong with other options, as
// DNS credentials that this command has not, is told only by what needs them.
func (c *Config) Open(name string, log logrus.FieldLogger) (*Offline, error) {
	r, err := c.open(Env{Name: name, Log: log})
	if err != nil {
		return nil, err
	}
	r.load()
	return &Offline{r}, nil
}

// Has tells whether there is a certificate for a name, or the way to one. The name may be as
// people write it.
func (o *Offline) Has(name string) (bool, error) {
	clean, err := normal(name)
	if err != nil {
		return false, fmt.Errorf("%q: %w", name, err)
	}
	list, err := o.List()
	return slices.ContainsFunc(list, func(s Status) bool { return slices.Contains(s.Names, clean) }), err
}

// List tells of all certificates in the storage.
func (o *Offline) List() ([]Status, error) {
	if _, err := o.r.store.list(certificateFiles); err != nil {
		return nil, fmt.Errorf("list certificates: %w", err)
	}
	o.r.look(false)
	return o.r.Status(), nil
}

// Export returns the chain and the private key of a certificate as PEM text.
func (o *Offline) Export(name string) (chainAndKeyPEM []byte, err error) {
	e, err := o.find(name)
	if err != nil {
		return nil, err
	}
	if e.cert == nil {
		return nil, fmt.Errorf("there is no certificate for %s yet", name)
	}
	return []byte(strings.TrimRight(e.rec.Chain, "\n") + "\n" + strings.TrimRight(e.rec.Key, "\n") + "\n"), nil
}

// Renew marks a certificate as due. Who runs with this storage renews it within a minute,
// or the next start does. The limit of failed orders for an hour holds, as far as it is not
// of times that are yet to come.
func (o *Offline) Renew(name string) error {
	return o.change(name, func(e *entry) error {
		rec, _, err := o.r.read(e.file)
		if err != nil {
			return err
		}
		rec.Names = e.names
		rec.RenewAt, rec.NextTry, rec.Pause = time.Now(), time.Time{}, nil
		_, err = o.r.save(e.file, &rec)
		return err
	})
}

// Revoke asks the authority to revoke a certificate (RFC 8555, section 7.6), and removes it
// from the storage. If a router still wants it, it is ordered anew.
func (o *Offline) Revoke(ctx context.Context, name string) error {
	return o.change(name, func(e *entry) error {
		if e.cert == nil {
			return fmt.Errorf("there is no certificate for %s yet", name)
		}
		if e.rec.CAServer != o.r.cfg.CAServer {
			return fmt.Errorf("the certificate for %s is of %s, not of %s", name, e.rec.CAServer, o.r.cfg.CAServer)
		}
		if err := o.r.prepare(); err != nil {
			return fmt.Errorf("option certificatesResolvers.%s.acme.%w", o.r.env.Name, err)
		}
		account, failed := o.r.account.get(ctx)
		if failed.err != nil {
			return failed.err
		}
		core, _, err := o.r.core(ctx, account)
		if err != nil {
			return inWords(err)
		}
		der := base64.RawURLEncoding.EncodeToString(e.cert.Leaf.Raw)
		if err := inWords(core.Certificates.Revoke(acme.RevokeCertMessage{Certificate: der})); err != nil && !isKind(err, "alreadyRevoked") {
			return fmt.Errorf("revoke the certificate for %s: %w", name, err)
		}
		return o.r.store.remove(certificateFiles, e.file)
	})
}

// change does something while the certificate is locked.
func (o *Offline) change(name string, do func(e *entry) error) error {
	o.r.keepImported()
	e, err := o.find(name)
	if err != nil {
		return err
	}
	unlock, ok, err := o.r.store.lock(e.file)
	for tries := 0; err == nil && !ok && tries < 20; tries++ { // most hold it for a moment only
		time.Sleep(100 * time.Millisecond)
		unlock, ok, err = o.r.store.lock(e.file)
	}
	switch {
	case err != nil:
		return fmt.Errorf("lock the certificate for %s: %w", name, err)
	case !ok:
		return fmt.Errorf("the certificate for %s is being ordered at the moment: try again soon", name)
	}
	defer unlock()
	return do(e)
}

// find returns the certificate with this main name, or else the only one that has the name
// at all.
func (o *Offline) find(name string) (*entry, error) {
	o.r.look(false)
	clean, err := normal(name)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", name, err)
	}
	o.r.mu.Lock()
	defer o.r.mu.Unlock()
	var main, among []*entry
	var all []string
	for _, e := range o.r.entries {
		all = append(all, e.names...)
		if e.names[0] == clean {
			main = append(main, e)
		}
		if slices.Contains(e.names, clean) {
			among = append(among, e)
		}
	}
	// The certificate for this name alone comes first.
	if e := o.r.entries[keyOf([]string{clean})]; e != nil {
		return e, nil
	}
	if len(main) == 0 {
		main = among
	}
	switch len(main) {
	case 1:
		return main[0], nil
	case 0:
		return nil, fmt.Errorf("there is no certificate for %s in the storage%s", clean, meant(clean, all))
	}
	return nil, errors.New("several certificates are for " + clean + ": name one by another of its names")
}
