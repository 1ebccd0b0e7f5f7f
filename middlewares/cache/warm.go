package cache

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"fairway/internal/record"
)

// warm asks for URLs when the middleware comes into force, one after the other.
func (h *handler) warm(urls []string) error {
	var requests []*http.Request
	for _, text := range urls {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("warm: %q is no URL with http or https", text)
		}
		r := &http.Request{
			Method: http.MethodGet, URL: &url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}, Host: u.Host, RequestURI: u.RequestURI(),
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody,
			Header: http.Header{"X-Forwarded-Proto": {u.Scheme}, "X-Forwarded-Host": {u.Host}, "User-Agent": {"fairway"}},
		}
		if r.URL.Path == "" {
			r.URL.Path = "/"
		}
		requests = append(requests, r)
	}
	if len(requests) > 0 {
		h.env.Start(func(ctx context.Context) {
			for _, r := range requests {
				if ctx.Err() == nil {
					h.askAhead(ctx, r)
				}
			}
		})
	}
	return nil
}

// askAhead serves a request that nobody has sent.
func (h *handler) askAhead(ctx context.Context, r *http.Request) {
	ctx, cancel := context.WithTimeout(ctx, longestRefresh)
	defer cancel()
	defer func() {
		if reason := recover(); reason != nil && reason != http.ErrAbortHandler { //nolint:errorlint // a panic value, compared as net/http does
			h.env.Log.Errorf("panic while asking for %s ahead: %v", r.URL, reason)
		}
	}()
	x := h.behind(ctx, r.WithContext(record.With(ctx, &record.Record{Start: time.Now(), Host: r.Host})))
	x.serve()
	if x.rec.Cause != "" {
		h.env.Log.Warnf("cache: ask for %s ahead: %s", r.URL, x.rec.Cause)
	}
}
