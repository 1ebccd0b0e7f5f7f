package oidc

import (
	"crypto/rand"
	"crypto/tls"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/singleflight"

	"fairway/internal/redisclient"
	"fairway/internal/remember"
	"fairway/internal/sharing"
	"fairway/internal/tokencache"
)

// shared is what all instances of a middleware have in common, over routes and reloads.
type shared struct {
	secret     []byte // of the gateway's own
	refreshing singleflight.Group
	latest     *tokencache.Cache[*session] // refreshed sessions by their ids, for requests with a cookie from before
	used       *remember.Cache[struct{}]   // what is of use once
	ended      *endings                    // sessions that the provider, or the user, has ended
	framed     *endings                    // those that a frame has ended: anybody can send one
	mu         sync.Mutex
	providers  map[[2]string]*provider // by issuer
	clients    sharing.ByOptions[*redisclient.Client]
}

const (
	latestBytes = 8 << 20
	mostUsed    = 1 << 16
	mostEnded   = 1 << 16
)

func newShared() *shared {
	s := &shared{
		secret: make([]byte, 32), latest: tokencache.New[*session](latestBytes), used: remember.New[struct{}](mostUsed),
		ended: newEndings(mostEnded), framed: newEndings(mostEnded / 4), providers: map[[2]string]*provider{},
	}
	_, _ = rand.Read(s.secret) // never fails
	return s
}

// providerOf is what is known of an issuer, as those know it who trust the same authorities;
// nil: those of the system.
func (s *shared) providerOf(issuer, trusts string, trusted *tls.Config, log logrus.FieldLogger) *provider {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := [2]string{issuer, trusts}
	if s.providers[key] == nil {
		s.providers[key] = newProvider(issuer, clientOf(trusted), log)
	}
	return s.providers[key]
}

// once tells whether something is used for the first time within a while.
func (s *shared) once(what, id string, within time.Duration) bool {
	return s.used.Claim(s.used.Key(what, id), struct{}{}, within)
}
