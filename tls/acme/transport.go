package acme

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// transport makes what all requests to the authority go through.
func (c *Config) transport() (http.RoundTripper, error) {
	files, withSystem, serverName := c.CACertificates, c.CASystemCertPool, c.CAServerName
	if named := os.Getenv("LEGO_CA_CERTIFICATES"); len(files) == 0 && named != "" {
		files = filepath.SplitList(named)
		withSystem, _ = strconv.ParseBool(os.Getenv("LEGO_CA_SYSTEM_CERT_POOL"))
		if serverName == "" {
			serverName = os.Getenv("LEGO_CA_SERVER_NAME")
		}
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: serverName}
	if len(files) > 0 {
		config.RootCAs = x509.NewCertPool()
		if system, err := x509.SystemCertPool(); withSystem && err == nil {
			config.RootCAs = system
		}
	}
	for _, file := range files {
		text := []byte(file)
		if !strings.Contains(file, "-----BEGIN") {
			var err error
			if text, err = os.ReadFile(file); err != nil {
				return nil, fmt.Errorf("caCertificates: %w", err)
			}
		}
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, errors.New("caCertificates: no certificate in one of them")
		}
	}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   30 * time.Second,
		ResponseHeaderTimeout: time.Duration(c.ClientResponseHeaderTimeout),
		IdleConnTimeout:       30 * time.Second,
		MaxIdleConnsPerHost:   workers,
		ForceAttemptHTTP2:     true,
		TLSClientConfig:       config,
	}, nil
}

// bound is the transport of one order. The libraries know no context: this one ends all
// their requests when the order has to end. It also keeps what they forget, Retry-After.
type bound struct {
	ctx  context.Context
	base http.RoundTripper
	see  func(body []byte) // may be nil

	mu    sync.Mutex
	after time.Duration // of the last refusal
	busy  bool          // that was for too many requests, whatever they were about
	again time.Duration // of the last answer
}

// mostAnswer is the longest answer that is read.
const mostAnswer = 4 << 20

// RoundTrip reads the answer to its end, so that its context can end here.
func (b *bound) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	defer cancel()
	defer context.AfterFunc(b.ctx, cancel)()
	if err := b.ctx.Err(); err != nil {
		return nil, err
	}
	resp, err := b.base.RoundTrip(req.WithContext(ctx))
	if err != nil {
		if stopped := b.ctx.Err(); stopped != nil {
			return nil, stopped
		}
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	b.note(resp)
	if b.see != nil {
		b.see(body)
	}
	return resp, nil
}

func (b *bound) note(resp *http.Response) {
	after := retryAfter(resp.Header.Get("Retry-After"), time.Now())
	b.mu.Lock()
	defer b.mu.Unlock()
	b.again = 0
	b.busy = after > 0 && (resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable)
	if resp.StatusCode >= http.StatusBadRequest {
		b.after = after
	} else {
		b.again = after
	}
}

// refusedFor is how long the authority does not want to be asked, by its last refusal.
func (b *bound) refusedFor() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.after
}

// overloaded tells whether the last answer was that there are too many requests, and until
// when (RFC 6585, section 4; RFC 9110, section 15.6.4).
func (b *bound) overloaded() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.busy
}

func (b *bound) askAgain() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.again
}

// retryAfter reads the header (RFC 9110, section 10.2.3), up to a week.
func retryAfter(value string, now time.Time) time.Duration {
	var d time.Duration
	if seconds, err := strconv.Atoi(value); err == nil {
		d = time.Duration(min(seconds, 7*24*3600)) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		d = at.Sub(now)
	}
	return max(0, min(d, 7*24*time.Hour))
}
