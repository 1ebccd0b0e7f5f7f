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
	known  *remember.Cache[bool]
}

const (
	askTimeout = 10 * time.Second
	askKeeps   = 30 * time.Second
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
	return &asker{url: u, client: client, known: remember.New[bool](10000)}, nil
}

// allows asks, or remembers the answer.
func (a *asker) allows(ctx context.Context, name string) (bool, error) {
	key := a.known.Key(name)
	if allowed, ok := a.known.Get(key); ok {
		return allowed, nil
	}
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
	allowed := resp.StatusCode == http.StatusOK
	a.known.Put(key, allowed, askKeeps)
	return allowed, nil
}
