package jwt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/internal/jwks"
	"fairway/internal/secret"
	"fairway/internal/sharing"
)

// revocation is a list of tokens that are let in no more. Who asks for it has it read again,
// aside, when it is old.
type revocation struct {
	ctx      context.Context
	address  string
	client   *http.Client
	interval atomic.Int64
	log      logrus.FieldLogger
	list     atomic.Pointer[revokedAt]
	reading  sync.Mutex
	tried    atomic.Int64 // in nanoseconds since the epoch
}

type revokedAt struct {
	tokens map[revokedToken]bool
	at     time.Time
}

// revokedToken is one on the list; without an issuer it is that of all.
type revokedToken struct{ iss, jti string }

const (
	// retryRevocation is how soon a list that could not be read is asked for again.
	retryRevocation = 5 * time.Second
	mostListBytes   = 16 << 20
)

func (o *origin) revocation(c *Revocation) (*revocation, error) {
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("url: %q is no URL that begins with http:// or https://", secret.URL(c.URL))
	}
	if c.Interval <= 0 {
		return nil, fmt.Errorf("interval: %s is no time", time.Duration(c.Interval))
	}
	if c.MaxStale != 0 && c.MaxStale < c.Interval {
		return nil, fmt.Errorf("maxStale: %s is less than the interval", time.Duration(c.MaxStale))
	}
	l, _ := o.kept.revoked.Use(o.ctx, sharing.Options([]any{c.URL, o.trusts}), func(ctx context.Context) (*revocation, error) {
		return &revocation{ctx: ctx, address: c.URL, client: o.client(ctx), log: o.env.Log}, nil
	})
	l.interval.Store(int64(c.Interval))
	o.env.Start(l.read)
	return l, nil
}

// has tells whether a token is on the list; known is false if there is no list yet, or one
// that is too old.
func (l *revocation) has(iss, jti string, maxStale time.Duration) (revoked, known bool) {
	list := l.list.Load()
	now := time.Now()
	if list == nil || now.Sub(list.at) >= time.Duration(l.interval.Load()) {
		if now.UnixNano()-l.tried.Load() >= int64(min(retryRevocation, time.Duration(l.interval.Load()))) {
			go l.read(l.ctx) // it ends with the time of the client, or with the last route
		}
	}
	if list == nil || maxStale > 0 && now.Sub(list.at) > maxStale {
		return false, false
	}
	return list.tokens[revokedToken{"", jti}] || list.tokens[revokedToken{iss, jti}], true
}

// read gets the list, if nobody else does.
func (l *revocation) read(ctx context.Context) {
	if !l.reading.TryLock() {
		return
	}
	defer l.reading.Unlock()
	l.tried.Store(time.Now().UnixNano())
	text, err := jwks.GetUpTo(ctx, l.client, l.address, mostListBytes)
	var tokens map[revokedToken]bool
	if err == nil {
		if tokens, err = revokedTokens(text); err != nil {
			err = fmt.Errorf("%s: %w", secret.URL(l.address), err)
		}
	}
	if err != nil {
		l.log.Warnf("jwt: the list of revoked tokens cannot be read, the last one stays: %v", err)
		return
	}
	l.list.Store(&revokedAt{tokens, time.Now()})
}

// revokedTokens reads a list. One with a mistake in it is none: who is missing would be let in.
func revokedTokens(text []byte) (map[revokedToken]bool, error) {
	var entries []json.RawMessage
	if err := json.Unmarshal(text, &entries); err != nil || entries == nil {
		return nil, errors.New("is no JSON array")
	}
	tokens := make(map[revokedToken]bool, len(entries))
	for i, entry := range entries {
		var named struct{ Iss, Jti string }
		var err error
		if entry[0] == '{' {
			err = json.Unmarshal(entry, &named)
		} else {
			err = json.Unmarshal(entry, &named.Jti)
		}
		if err != nil || named.Jti == "" {
			return nil, fmt.Errorf(`entry %d is neither a text nor an object with "jti"`, i+1)
		}
		tokens[revokedToken{named.Iss, named.Jti}] = true
	}
	return tokens, nil
}
