package jwt

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/internal/jwks"
	"fairway/internal/secret"
	"fairway/middlewares"
)

// revocation is a list of tokens that are let in no more. Who asks for it has it read again,
// aside, when it is old.
type revocation struct {
	address  string
	interval atomic.Int64
	log      logrus.FieldLogger
	list     atomic.Pointer[revokedAt]
	reading  sync.Mutex
	tried    atomic.Int64 // in nanoseconds since the epoch
}

type revokedAt struct {
	tokens map[string]bool
	at     time.Time
}

// retryRevocation is how soon a list that could not be read is asked for again.
const retryRevocation = 5 * time.Second

func (s *sources) revocation(c *Revocation, env middlewares.Env) (*revocation, error) {
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("url: %q is no URL that begins with http:// or https://", secret.URL(c.URL))
	}
	if c.Interval <= 0 {
		return nil, fmt.Errorf("interval: %s is no time", time.Duration(c.Interval))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.revoked[c.URL]
	if l == nil {
		l = &revocation{address: c.URL, log: env.Log}
		s.revoked[c.URL] = l
	}
	l.interval.Store(int64(c.Interval))
	env.Start(l.read)
	return l, nil
}

// has tells whether a token is on the list; known is false if there is no list yet.
func (l *revocation) has(jti string) (revoked, known bool) {
	list := l.list.Load()
	now := time.Now()
	if list == nil || now.Sub(list.at) >= time.Duration(l.interval.Load()) {
		if now.UnixNano()-l.tried.Load() >= int64(min(retryRevocation, time.Duration(l.interval.Load()))) {
			go l.read(context.Background()) // it ends with the time of the client
		}
	}
	if list == nil {
		return false, false
	}
	return list.tokens[jti], true
}

// read gets the list, if nobody else does.
func (l *revocation) read(ctx context.Context) {
	if !l.reading.TryLock() {
		return
	}
	defer l.reading.Unlock()
	l.tried.Store(time.Now().UnixNano())
	text, err := jwks.Get(ctx, client, l.address)
	var names []string
	if err == nil {
		if err = json.Unmarshal(text, &names); err != nil {
			err = fmt.Errorf("%s: is no JSON array of texts", secret.URL(l.address))
		}
	}
	if err != nil {
		l.log.Warnf("jwt: the list of revoked tokens cannot be read, the last one stays: %v", err)
		return
	}
	tokens := make(map[string]bool, len(names))
	for _, name := range names {
		tokens[name] = true
	}
	l.list.Store(&revokedAt{tokens, time.Now()})
}
