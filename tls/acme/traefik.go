package acme

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// traefikFile is Traefik's acme.json: what it has, by resolver. Certificates and keys are
// PEM text, the key of the account is DER, all of them in Base64.
type traefikFile map[string]*struct {
	Account *struct {
		Email        string
		Registration *struct {
			URI string `json:"uri"`
		}
		PrivateKey []byte
	}
	Certificates []struct {
		Domain struct {
			Main string   `json:"main"`
			SANs []string `json:"sans"`
		} `json:"domain"`
		Certificate []byte `json:"certificate"`
		Key         []byte `json:"key"`
	}
}

// imported is what one resolver had at Traefik.
type imported struct {
	account *account // nil: none
	records []record
	lost    []error // what could not be taken over
}

// parseTraefik reads what the resolver of that name had. nil if it had nothing, an error if
// others had.
func parseTraefik(data []byte, resolver, caServer string) (*imported, error) {
	var file traefikFile
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("it cannot be read as Traefik's: %w", err)
	}
	had, ok := file[resolver]
	if others := slices.Sorted(maps.Keys(file)); !ok && len(others) > 0 {
		return nil, fmt.Errorf("it has no resolver %q; it has: %s", resolver, strings.Join(others, ", "))
	}
	if had == nil {
		return nil, nil
	}
	got := &imported{}
	ca := caServer
	if a := had.Account; a != nil && a.Registration != nil && a.Registration.URI != "" {
		switch signer, err := parseKey(a.PrivateKey); {
		case !sameHost(a.Registration.URI, caServer):
			ca = hostOf(a.Registration.URI) // so all is ordered anew, and serves until then
		case err != nil:
			got.lost = append(got.lost, fmt.Errorf("the account: %w", err))
		default:
			key, err := encodeKey(signer)
			if err != nil {
				got.lost = append(got.lost, fmt.Errorf("the account: %w", err))
				break
			}
			got.account = &account{Email: a.Email, URI: a.Registration.URI, Key: string(key), signer: signer}
		}
	}
	for _, c := range had.Certificates {
		rec, err := importRecord(append([]string{c.Domain.Main}, c.Domain.SANs...), ca, c.Certificate, c.Key)
		if err != nil {
			got.lost = append(got.lost, fmt.Errorf("certificate %q: %w", c.Domain.Main, err))
			continue
		}
		got.records = append(got.records, rec)
	}
	return got, nil
}

func importRecord(names []string, ca string, chain, key []byte) (record, error) {
	cert, err := pair(chain, key)
	if err != nil {
		return record{}, err
	}
	rec := record{CAServer: ca, Chain: string(chain), Key: string(key), Issued: cert.Leaf.NotBefore, RenewAt: renewal(cert.Leaf)}
	for _, name := range names {
		clean, err := normal(name)
		if err != nil || slices.Contains(rec.Names, clean) {
			continue
		}
		rec.Names = append(rec.Names, clean)
	}
	if len(rec.Names) == 0 {
		return record{}, errors.New("it has no names")
	}
	return rec, nil
}

// parseKey reads a private key in any of the usual forms of DER.
func parseKey(der []byte) (crypto.Signer, error) {
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		if signer, ok := key.(crypto.Signer); ok {
			return signer, nil
		}
	}
	return nil, errors.New("the private key is of no known kind")
}

func sameHost(a, b string) bool { return hostOf(a) == hostOf(b) && hostOf(a) != "" }

func hostOf(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// readTraefik reads the file that storage points at, if it is one of Traefik's and there
// is nothing of ours yet. It is kept in memory until Run.
func (r *Resolver) readTraefik() {
	if _, err := os.Stat(r.store.dir); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	info, err := os.Stat(r.cfg.Storage)
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	data, err := os.ReadFile(r.cfg.Storage)
	if err == nil {
		r.imported, err = parseTraefik(data, r.env.Name, r.cfg.CAServer)
	}
	if err != nil {
		r.log.Warnf("Nothing is taken over from %s: %v", r.cfg.Storage, err)
		return
	}
	if r.imported == nil {
		return
	}
	for _, lost := range r.imported.lost {
		r.log.Warnf("Not taken over from %s: %v", r.cfg.Storage, lost)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range r.imported.records {
		cert, err := pair([]byte(rec.Chain), []byte(rec.Key))
		key := keyOf(rec.Names)
		if err != nil || r.entries[key] != nil {
			continue
		}
		r.entries[key] = &entry{key: key, file: fileOf(rec.Names), names: rec.Names, rec: rec, cert: cert, ariAt: time.Now().Add(upTo(r.pace.window))}
	}
}

// keepImported stores what was taken over from Traefik: all of it or nothing, in a folder
// beside that becomes the resolver's in one step.
func (r *Resolver) keepImported() {
	if r.imported == nil {
		return
	}
	err := r.storeImported()
	if _, exists := os.Stat(r.store.dir); err != nil && exists != nil {
		r.log.Errorf("What was taken over from %s cannot be stored: %v", r.cfg.Storage, err)
		return
	}
	if err == nil {
		what := ""
		if r.imported.account != nil {
			what = " and the account"
		}
		r.log.Infof("%d certificates%s are taken over from %s.", len(r.imported.records), what, r.cfg.Storage)
	}
	r.imported = nil
	r.look(true)
}

func (r *Resolver) storeImported() error {
	parent, name := filepath.Split(r.store.dir)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return err
	}
	beside, err := os.MkdirTemp(parent, name+".new-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(beside)
	to := &storage{dir: beside}
	for _, rec := range r.imported.records {
		data, err := rec.encode()
		if err != nil {
			return err
		}
		if err := to.store(certificateFiles, fileOf(rec.Names), data); err != nil {
			return err
		}
	}
	if a := r.imported.account; a != nil {
		data, err := json.MarshalIndent(accountFile{map[string]account{r.cfg.CAServer: *a}}, "", "  ")
		if err != nil {
			return err
		}
		if err := to.store(accountFiles, accountName, data); err != nil {
			return err
		}
	}
	return os.Rename(beside, r.store.dir)
}
