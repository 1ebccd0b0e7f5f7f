package acme

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"fairway/internal/remember"
)

// asker asks the operator's program whether a name is allowed. A nil one is not configured.
type asker struct {
	url    *url.URL
	client *http.Client
	known  *remember.Cache[reply]
}

// reply is what is remembered: yes, no, or that there was no answer.
type reply struct {
	allowed bool
	err     error
}

const (
	askTimeout    = 10 * time.Second
	askKeeps      = 30 * time.Second
	askKeepsError = 5 * time.Second // so that a visitor may try again, but not each handshake asks
)

func newAsker(c *OnDemand) (*asker, error) {
	if c == nil {
		return nil, nil
	}
	u, err := url.Parse(c.Ask)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("is required, an http or https URL")
	}
	client := &http.Client{Timeout: askTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &asker{url: u, client: client, known: remember.New[reply](10000)}, nil
}

// allows asks, or remembers the answer. An error is the same value as long as it is
// remembered.
func (a *asker) allows(ctx context.Context, name string) (bool, error) {
	key := a.known.Key(name)
	if known, ok := a.known.Get(key); ok {
		return known.allowed, known.err
	}
	allowed, err := a.question(ctx, name)
	switch {
	case ctx.Err() != nil: // nobody waits for the answer any more
	case err != nil:
		a.known.Put(key, reply{err: err}, askKeepsError)
	default:
		a.known.Put(key, reply{allowed: allowed}, askKeeps)
	}
	return allowed, err
}

func (a *asker) question(ctx context.Context, name string) (bool, error) {
	u := *a.url
	query := u.Query()
	query.Set("domain", name)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return false, fmt.Errorf("onDemand.ask: %w", err)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		if of, ok := errors.AsType[*url.Error](err); ok {
			err = of.Err // without the URL, which may have a password
		}
		return false, fmt.Errorf("onDemand.ask: %w", err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	_ = resp.Body.Close()
	if resp.StatusCode >= http.StatusInternalServerError {
		return false, fmt.Errorf("onDemand.ask answers %s", resp.Status)
	}
	return resp.StatusCode == http.StatusOK, nil
}
