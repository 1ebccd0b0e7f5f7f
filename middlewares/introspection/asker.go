package introspection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"fairway/internal/bearer"
	"fairway/internal/claims"
	"fairway/internal/oauthclient"
	"fairway/internal/tokencache"
)

const (
	refusedCache = 5 * time.Second // so that made-up tokens are not asked about for ever
	cacheBytes   = 8 << 20
	longest      = 16 << 10 // of a token
	mostAsked    = 32       // questions at the same time
	mostFailures = 3        // in a row, then the server is left alone
	pause        = time.Second
)

// asker asks the server, for all routes that use the middleware, and keeps what it says. A
// question about a token is asked once for all requests that wait for the answer, and given
// up when the last of them has gone. While the server fails it is left alone between
// questions.
type asker struct {
	config  *Config
	client  *oauthclient.Client
	demands *claims.Demands
	headers *claims.Headers
	cache   *tokencache.Cache[*said]

	mu       sync.Mutex
	asking   map[string]*question // by token
	failures int                  // in a row
	again    time.Time            // before then the server is left alone
	err      error                // the last failure
}

// question is one under way.
type question struct {
	waiting int
	giveUp  context.CancelFunc
	over    chan struct{} // closed when there is an answer
	said    *said
	err     error
}

// said is what the server said of a token.
type said struct {
	until  time.Time
	by     string // the password that it was asked by
	active bool
	cause  string // why the token is no good though it is active
	denied string // why it does not reach
	cert   string // the thumbprint of the certificate that it is bound to; empty: none
	claims map[string]any
	values [][]string
}

var errBusy = fmt.Errorf("the server is asked about %d tokens already", mostAsked)

func newAsker(c *Config) *asker {
	return &asker{config: c, cache: tokencache.New[*said](cacheBytes), asking: map[string]*question{}}
}

// about returns what the server says of a token.
func (a *asker) about(ctx context.Context, token string) (*said, error) {
	by := a.client.Version()
	if s, ok := a.cache.Get(token); ok && time.Now().Before(s.until) && s.by == by {
		return s, nil
	}
	q, err := a.join(token, by)
	if err != nil {
		return nil, err
	}
	select {
	case <-q.over:
		return q.said, q.err
	case <-ctx.Done():
		a.leave(token, q)
		return nil, ctx.Err()
	}
}

// join waits for the question about a token, and asks it if nobody does.
func (a *asker) join(token, by string) (*question, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	q := a.asking[token]
	switch {
	case q != nil:
		q.waiting++
		return q, nil
	case time.Now().Before(a.again):
		return nil, fmt.Errorf("the server is left alone for a moment: %w", a.err)
	case len(a.asking) >= mostAsked:
		return nil, errBusy
	}
	ctx, giveUp := context.WithCancel(context.Background())
	q = &question{waiting: 1, giveUp: giveUp, over: make(chan struct{})}
	a.asking[token] = q
	go a.answer(ctx, token, by, q) // it ends with the last who waits, who may outlive the route, or by the client's time
	return q, nil
}

// leave is for who waits no more.
func (a *asker) leave(token string, q *question) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if q.waiting--; q.waiting == 0 {
		q.giveUp()
		if a.asking[token] == q { // whoever comes now asks anew
			delete(a.asking, token)
		}
	}
}

func (a *asker) answer(ctx context.Context, token, by string, q *question) {
	defer q.giveUp()
	q.said, q.err = a.ask(ctx, token, by)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asking[token] == q {
		delete(a.asking, token)
	}
	switch {
	case q.err == nil:
		a.failures = 0
	case ctx.Err() == nil && ofServer(q.err):
		if a.failures++; a.failures >= mostFailures {
			a.again, a.err = time.Now().Add(pause), q.err
		}
	}
	close(q.over)
}

// ofServer tells whether a question failed for a reason that others have, too. What a server
// finds bad about one request may be the token, which anybody can make up.
func ofServer(err error) bool {
	refused, ok := errors.AsType[*oauthclient.RefusedError](err)
	return !ok || refused.Status >= 500 || slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests}, refused.Status)
}

// ask asks the server (RFC 7662, section 2.1), and keeps what it says.
func (a *asker) ask(ctx context.Context, token, by string) (*said, error) {
	var c map[string]any
	if err := a.client.Post(ctx, a.config.Endpoint, url.Values{"token": {token}, "token_type_hint": {"access_token"}}, &c); err != nil {
		return nil, err
	}
	now := time.Now()
	s := &said{by: by, claims: c, until: now.Add(time.Duration(a.config.CacheFor))}
	if s.active, _ = c["active"].(bool); !s.active {
		s.until = now.Add(refusedCache)
		a.cache.Put(token, s)
		return s, nil
	}
	s.cause = a.wrong(c, now)
	var err error
	if s.cert, err = bearer.Binding(c); err != nil {
		s.cause = err.Error()
	}
	if exp, ok := seconds(c["exp"]); ok && exp.Before(s.until) {
		s.until = exp
	}
	s.denied, s.values = a.demands.Missing(c), a.headers.Values(c)
	a.cache.Put(token, s)
	return s, nil
}

// wrong tells why a token is no good here, whatever the server says.
func (a *asker) wrong(c map[string]any, now time.Time) string {
	if exp, ok := seconds(c["exp"]); ok && !now.Before(exp) {
		return "the token has expired"
	}
	if nbf, ok := seconds(c["nbf"]); ok && now.Add(30*time.Second).Before(nbf) {
		return "the token is not valid yet"
	}
	if iss, _ := c["iss"].(string); a.config.Issuer != "" && iss != a.config.Issuer {
		return fmt.Sprintf("the issuer of the token is %q", iss)
	}
	if len(a.config.Audiences) > 0 && !slices.ContainsFunc(a.config.Audiences, func(want string) bool { return claims.Has(c["aud"], want) }) {
		return "the token is for another audience"
	}
	return ""
}

func seconds(v any) (time.Time, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return time.Time{}, false
	}
	f, err := n.Float64()
	if err != nil || f < 0 || f > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(int64(f), 0), true
}
