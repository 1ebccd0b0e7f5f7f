package consumers

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"fairway/internal/claims"
	"fairway/internal/htpasswd"
	"fairway/internal/identity"
)

// Registry finds consumers by their credentials. It never changes. A nil Registry has none.
type Registry struct {
	names        map[string]*identity.Consumer
	keys         map[Digest]*identity.Consumer
	users        map[string]*identity.Consumer
	certificates map[string]*identity.Consumer
	tokens       map[string]map[string][]token // by path and value of one claim

	credentials *htpasswd.Verifier
	owners      map[string]*identity.Consumer // of credentials
}

// token is what a consumer's tokens say.
type token struct {
	consumer *identity.Consumer
	claims   []claim
}

type claim struct{ path, value string }

// Live is the Registry in force.
type Live struct{ now atomic.Pointer[Registry] }

// Now returns it. It may be nil.
func (l *Live) Now() *Registry {
	if l == nil {
		return nil
	}
	return l.now.Load()
}

// Store puts another one in force.
func (l *Live) Store(r *Registry) { l.now.Store(r) }

// New makes the Registry of the consumers by their qualified names. tell is called for what
// is wrong with one: it is then not known at all, so that nobody is let in by a half of it.
func New(all map[string]*Config, tell func(name string, err error)) *Registry {
	r := &Registry{
		names: map[string]*identity.Consumer{},
		keys:  map[Digest]*identity.Consumer{}, users: map[string]*identity.Consumer{}, certificates: map[string]*identity.Consumer{},
		tokens: map[string]map[string][]token{}, owners: map[string]*identity.Consumer{},
	}
	passwords := htpasswd.Users{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c := all[name]
		err := c.Check()
		if err == nil {
			err = r.taken(c)
		}
		if err != nil {
			tell(name, err)
			continue
		}
		r.add(c, passwords, &identity.Consumer{Name: name, Groups: slices.Clone(c.Groups), Plan: c.Plan, Labels: maps.Clone(c.Labels)})
	}
	for _, byValue := range r.tokens {
		for _, list := range byValue { // who says more about its tokens goes first
			slices.SortStableFunc(list, func(a, b token) int { return cmp.Compare(len(b.claims), len(a.claims)) })
		}
	}
	if len(passwords) > 0 {
		r.credentials = htpasswd.NewVerifier(passwords)
	}
	return r
}

// taken tells of what a consumer is known by that is another's already.
func (r *Registry) taken(c *Config) error {
	for i, key := range c.APIKeys {
		d, _ := digestOf(key.Reveal())
		if other := r.keys[d]; other != nil {
			return fmt.Errorf("apiKeys[%d]: the key is that of %s already", i, other.Name)
		}
	}
	for i, line := range c.Credentials {
		user, _, _ := strings.Cut(line.Reveal(), ":")
		if other := r.owners[user]; other != nil {
			return fmt.Errorf("credentials[%d]: the name is that of %s already", i, other.Name)
		}
	}
	for i, user := range c.Users {
		if other := r.users[user]; other != nil {
			return fmt.Errorf("users[%d]: %q is %s already", i, user, other.Name)
		}
	}
	for i, text := range c.Certificates {
		name, _ := certificateName(text)
		if other := r.certificates[name]; other != nil {
			return fmt.Errorf("certificates[%d]: %q is that of %s already", i, text, other.Name)
		}
	}
	return nil
}

// add takes in a consumer that has been checked.
func (r *Registry) add(c *Config, passwords htpasswd.Users, consumer *identity.Consumer) {
	r.names[consumer.Name] = consumer
	for _, key := range c.APIKeys {
		d, _ := digestOf(key.Reveal())
		r.keys[d] = consumer
	}
	for _, line := range c.Credentials {
		user, _, _ := strings.Cut(line.Reveal(), ":")
		_ = passwords.Add(line.Reveal())
		r.owners[user] = consumer
	}
	for _, user := range c.Users {
		r.users[user] = consumer
	}
	for _, text := range c.Certificates {
		name, _ := certificateName(text)
		r.certificates[name] = consumer
	}
	if len(c.Claims) == 0 {
		return
	}
	t := token{consumer: consumer}
	for _, text := range c.Claims {
		path, value, _ := strings.Cut(text, "=")
		t.claims = append(t.claims, claim{path, value})
	}
	// One claim is looked up, and the others are compared: best is one that few share.
	first := slices.MinFunc(t.claims, func(a, b claim) int { return cmp.Compare(shared(a.path), shared(b.path)) })
	if r.tokens[first.path] == nil {
		r.tokens[first.path] = map[string][]token{}
	}
	r.tokens[first.path][first.value] = append(r.tokens[first.path][first.value], t)
}

// shared tells how many tokens have the same value of a claim: few, some, or all.
func shared(path string) int {
	switch path {
	case "sub", "client_id", "azp", "email", "preferred_username":
		return 0
	case "iss", "aud":
		return 2
	}
	return 1
}

// Qualified are names of consumers with their provider: where one has none, it is that of who
// names it.
func Qualified(names []string, provider string) (list []string) {
	for _, name := range names {
		if !strings.Contains(name, "@") {
			name += "@" + provider
		}
		list = append(list, name)
	}
	return list
}

// ByName returns the consumer of a qualified name, or nil.
func (r *Registry) ByName(name string) *identity.Consumer {
	if r == nil {
		return nil
	}
	return r.names[name]
}

// ByAPIKey returns whose key it is, or nil. Its time does not tell how much of a key is
// right, for a hash of it is looked up.
func (r *Registry) ByAPIKey(key string) *identity.Consumer {
	if r == nil {
		return nil
	}
	return r.keys[sha256.Sum256([]byte(key))]
}

// ByUser returns who is known by a name that somebody else has checked the password of, or
// nil.
func (r *Registry) ByUser(name string) *identity.Consumer {
	if r == nil {
		return nil
	}
	return r.users[name]
}

// User is who has shown by a method to be a user of that name: a consumer, if one is known by
// it.
func (r *Registry) User(method, name string) *identity.Identity {
	if c := r.ByUser(name); c != nil {
		return c.Of(method, name)
	}
	return &identity.Identity{Method: method, Subject: name}
}

// ByCertificate returns whose certificate it is, or nil.
func (r *Registry) ByCertificate(cert *x509.Certificate) *identity.Consumer {
	if r == nil || len(r.certificates) == 0 {
		return nil
	}
	for _, name := range namesOf(cert) {
		if c := r.certificates[name]; c != nil {
			return c
		}
	}
	return nil
}

// ByClaims returns whose token it is that says this, or nil. The token has been found good.
func (r *Registry) ByClaims(said map[string]any) (found *identity.Consumer) {
	if r == nil {
		return nil
	}
	most := 0
	for path, byValue := range r.tokens {
		for _, value := range claims.Texts(claims.Lookup(said, path)) {
			for _, t := range byValue[value] {
				better := len(t.claims) > most || len(t.claims) == most && t.consumer.Name < found.Name
				if better && t.matches(said) {
					found, most = t.consumer, len(t.claims)
				}
			}
		}
	}
	return found
}

func (t token) matches(said map[string]any) bool {
	for _, c := range t.claims {
		if !claims.Has(claims.Lookup(said, c.path), c.value) {
			return false
		}
	}
	return true
}

// Verify returns the consumer whose name and password these are, or nil. The error is that
// of ctx, which ended while others had their turn.
func (r *Registry) Verify(ctx context.Context, user, password string) (*identity.Consumer, error) {
	if r == nil || r.credentials == nil {
		return nil, nil
	}
	ok, err := r.credentials.Verify(ctx, user, password)
	if err != nil || !ok {
		return nil, err
	}
	return r.owners[user], nil
}
