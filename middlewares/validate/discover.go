package validate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/internal/openapi"
	"fairway/internal/record"
	"fairway/internal/secret"
	"fairway/middlewares"
)

const (
	longestFetch = 10 * time.Second
	retryAfter   = 5 * time.Second // when there was no good answer
)

// discovery asks for a document again and again, and has the last good one. All routes that want the same document
// of the same service have one of it, also over reloads; whichever is first asks.
type discovery struct {
	read  func(text []byte) (*openapi.Document, error)
	place string // for messages
	now   atomic.Pointer[openapi.Document]

	mu      sync.Mutex // held while asking
	due     time.Time
	etag    string
	text    []byte
	trouble atomic.Pointer[string]
}

// discover has the document of a URL come.
func (c *OpenAPI) discover(ctx context.Context, env middlewares.Env, h *handler, at *url.URL) error {
	options := fmt.Sprintf("%q %q %q %q", env.Serves, c.URL, c.Host, c.BasePath)
	d, err := h.counts.discoveries.Use(ctx, options, func(own context.Context) (*discovery, error) {
		location := at.Path
		d := &discovery{place: secret.URL(c.URL), read: func(text []byte) (*openapi.Document, error) { return c.read(text, location) }}
		if at.Host == "" {
			d.place += " of " + env.Serves
		}
		d.say("has not been asked for yet")
		h.counts.watched.Store(d, true)
		context.AfterFunc(own, func() { h.counts.watched.Delete(d) })
		return d, nil
	})
	if err != nil {
		return err
	}
	h.contract.current = d.now.Load
	ask := asker(c.URL, at, c.Host, h.next)
	env.Start(func(ctx context.Context) { d.follow(ctx, time.Duration(c.Refresh), ask, env.Log) })
	return nil
}

// say notes what is wrong; empty: nothing is.
func (d *discovery) say(trouble string) { d.trouble.Store(&trouble) }

// follow asks until ctx ends.
func (d *discovery) follow(ctx context.Context, refresh time.Duration, ask http.RoundTripper, log logrus.FieldLogger) {
	for ctx.Err() == nil {
		wait := d.ask(ctx, refresh, ask, log)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// ask asks once, unless somebody else has, and tells when to ask again.
func (d *discovery) ask(ctx context.Context, refresh time.Duration, ask http.RoundTripper, log logrus.FieldLogger) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if wait := time.Until(d.due); wait > 0 {
		return wait
	}
	err := d.fetch(ctx, ask)
	wait := refresh
	switch before := *d.trouble.Load(); {
	case ctx.Err() != nil:
		return 0
	case err != nil:
		wait = min(refresh, retryAfter)
		if text := err.Error(); text != before {
			log.WithError(err).Warnf("the OpenAPI document %s cannot be had", d.place)
			d.say(text)
		}
	case before != "":
		log.WithField("operations", d.now.Load().Operations()).Infof("got the OpenAPI document %s", d.place)
		d.say("")
	}
	d.due = time.Now().Add(wait)
	return wait
}

func (d *discovery) fetch(ctx context.Context, ask http.RoundTripper) error {
	ctx, cancel := context.WithTimeout(ctx, longestFetch)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	if err != nil {
		return err
	}
	r.Header = http.Header{"Accept": {"application/json, application/yaml;q=0.9, */*;q=0.5"}, "User-Agent": {"fairway"}, "Accept-Encoding": {"identity"}}
	if d.etag != "" {
		r.Header.Set("If-None-Match", d.etag)
	}
	res, err := ask.RoundTrip(r)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode == http.StatusNotModified && d.now.Load() != nil {
		return nil
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the answer is %d", res.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, openapi.MostBytes+1))
	if err != nil {
		return err
	}
	if d.now.Load() == nil || !bytes.Equal(text, d.text) {
		doc, err := d.read(text)
		if err != nil {
			return err
		}
		d.now.Store(doc)
		d.text = text
	}
	d.etag = res.Header.Get("ETag")
	return nil
}

// asker fills in where to ask: the service behind, or an address.
func asker(text string, at *url.URL, host string, next http.Handler) http.RoundTripper {
	if at.Host != "" {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			r.URL, r.Host = at, at.Host
			return http.DefaultTransport.RoundTrip(r) // which follows no redirects
		})
	}
	return roundTrip(func(r *http.Request) (res *http.Response, err error) {
		r.URL, r.Host, r.RequestURI, r.Body = at, host, text, http.NoBody
		rec := &record.Record{Start: time.Now(), Host: host}
		r = r.WithContext(record.With(r.Context(), rec))
		w := &answered{header: http.Header{}}
		defer func() {
			if reason := recover(); reason != nil {
				res, err = nil, errors.New("the service breaks off")
			}
		}()
		next.ServeHTTP(w, r)
		switch {
		case rec.Cause != "":
			return nil, errors.New(rec.Cause)
		case w.tooLong:
			return nil, fmt.Errorf("the answer is longer than %d bytes", openapi.MostBytes)
		}
		w.WriteHeader(http.StatusOK)
		return &http.Response{StatusCode: w.status, Header: w.header, Body: io.NopCloser(&w.body)}, nil
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answered keeps the answer of a handler.
type answered struct {
	header  http.Header
	status  int
	body    bytes.Buffer
	tooLong bool
}

// Header implements http.ResponseWriter.
func (w *answered) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *answered) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
}

func (w *answered) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.tooLong = w.tooLong || w.body.Len()+len(p) > openapi.MostBytes; w.tooLong {
		return 0, errors.New("the answer is too long")
	}
	return w.body.Write(p)
}
