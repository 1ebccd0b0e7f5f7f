package acme

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"sync"
	"time"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"
	"github.com/go-acme/lego/v4/certcrypto"
)

// account is one at an authority (RFC 8555, section 7.3).
type account struct {
	Email string `json:"email,omitempty"`
	URI   string `json:"uri,omitempty"` // empty: not registered yet
	Key   string `json:"key"`           // PEM

	signer crypto.Signer
}

// accountFile is account.json: accounts by the directory of their authority, so that a
// change of caServer never shows one authority the account of another.
type accountFile struct {
	Accounts map[string]account `json:"accounts"`
}

const accountName = "account"

// accounts has the account of the resolver. It is registered when it is needed first.
type accounts struct {
	r  *Resolver
	mu sync.Mutex // also held while registering: everybody needs the result

	known  *account
	failed outcome // the last registration, which is not repeated at once
	until  time.Time
}

// get returns the registered account, registering it if there is none, or the outcome for
// the order that needs it.
func (a *accounts) get(ctx context.Context) (*account, outcome) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known != nil {
		return a.known, outcome{}
	}
	if left := time.Until(a.until); left > 0 {
		failed := a.failed
		if failed.after > 0 {
			failed.after = left
		}
		return nil, failed
	}
	unlock, err := a.lock(ctx)
	if err != nil {
		return nil, outcome{err: err}
	}
	defer unlock()
	mine, err := a.load()
	if err != nil {
		return nil, outcome{err: err}
	}
	if mine.URI == "" {
		transport, err := a.register(ctx, mine)
		if err != nil {
			failed := outcome{err: err, after: transport.refusedFor(), pause: a.r.pauseFor(err, nil, transport)}
			if ctx.Err() == nil {
				a.failed, a.until = failed, time.Now().Add(max(a.r.pace.register, failed.after))
			}
			return nil, failed
		}
		if err := a.save(mine); err != nil {
			return nil, outcome{err: err}
		}
	}
	a.known = mine
	return mine, outcome{}
}

// lock waits for another instance that registers at the moment.
func (a *accounts) lock(ctx context.Context) (func(), error) {
	for {
		unlock, ok, err := a.r.store.lock(accountName)
		if err != nil {
			return nil, fmt.Errorf("lock the account: %w", err)
		}
		if ok {
			return unlock, nil
		}
		if err := sleep(ctx, a.r.pace.wait/5); err != nil {
			return nil, err
		}
	}
}

// load reads the account, or makes a key for one. The key is stored before anything is
// registered with it, so that no account is ever lost.
func (a *accounts) load() (*account, error) {
	file, err := a.file()
	if err != nil {
		return nil, err
	}
	if mine, ok := file.Accounts[a.r.cfg.CAServer]; ok {
		key, err := certcrypto.ParsePEMPrivateKey([]byte(mine.Key))
		signer, isSigner := key.(crypto.Signer)
		if err == nil && isSigner {
			mine.signer = signer
			return &mine, nil
		}
		a.r.log.Warnf("The key of the account at %s cannot be read: another account is registered.", a.r.cfg.CAServer)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	text, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	mine := &account{Email: a.r.cfg.Email, Key: string(text), signer: key}
	return mine, a.save(mine)
}

func (a *accounts) file() (accountFile, error) {
	var file accountFile
	data, err := a.r.store.load(accountFiles, accountName)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return file, fmt.Errorf("read the account: %w", err)
	default:
		if err := json.Unmarshal(data, &file); err != nil {
			bad, renamed := a.r.store.setAside(accountFiles, accountName)
			if renamed != nil {
				return file, fmt.Errorf("set the account aside, which cannot be read: %w", renamed)
			}
			a.r.log.Warnf("The account cannot be read (%v): it is kept as %s, and another one is registered.", err, bad)
			file = accountFile{}
		}
	}
	if file.Accounts == nil {
		file.Accounts = map[string]account{}
	}
	return file, nil
}

func (a *accounts) save(mine *account) error {
	file, err := a.file()
	if err != nil {
		return err
	}
	file.Accounts[a.r.cfg.CAServer] = *mine
	data, err := json.MarshalIndent(file, "", "  ")
	if err == nil {
		err = a.r.store.store(accountFiles, accountName, data)
	}
	if err != nil {
		return fmt.Errorf("store the account: %w", err)
	}
	return nil
}

// register makes the account known to the authority (RFC 8555, section 7.3). It stores
// nothing.
func (a *accounts) register(ctx context.Context, mine *account) (*bound, error) {
	core, transport, err := a.r.core(ctx, mine)
	if err != nil {
		return transport, fmt.Errorf("register an account: %w", inWords(err))
	}
	request := acme.Account{TermsOfServiceAgreed: true, Contact: []string{}}
	if a.r.cfg.Email != "" {
		request.Contact = []string{"mailto:" + a.r.cfg.Email}
	}
	var got acme.ExtendedAccount
	if eab := a.r.cfg.EAB; eab != nil {
		got, err = core.Accounts.NewEAB(request, eab.Kid, eab.HmacEncoded.Reveal())
	} else {
		got, err = core.Accounts.New(request)
	}
	if err != nil {
		return transport, fmt.Errorf("register an account: %w", inWords(err))
	}
	mine.URI = got.Location
	a.r.log.Infof("An account is registered at %s.", a.r.cfg.CAServer)
	return transport, nil
}

// forget makes the next order register again: the authority does not know the account.
func (a *accounts) forget(gone *account) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known != gone {
		return // somebody else has done it
	}
	a.known = nil
	fresh := *gone
	fresh.URI = ""
	if err := a.save(&fresh); err != nil {
		a.r.log.Warnf("The account is not known to %s any more: %v", a.r.cfg.CAServer, err)
	}
}

// core is a client of the authority for one order. It reads the directory.
func (r *Resolver) core(ctx context.Context, as *account) (*api.Core, *bound, error) {
	transport := &bound{ctx: ctx, base: r.base}
	client := &http.Client{Transport: transport, Timeout: time.Duration(r.cfg.ClientTimeout)}
	core, err := api.New(client, "fairway", r.cfg.CAServer, as.URI, as.signer)
	return core, transport, err
}
