package loadbalancer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/traefik/paerser/types"
)

// HealthCheck asks each server for itself, and again and again, whether it is well. A
// server that is new gets requests after its first good answer.
type HealthCheck struct {
	// Path that is asked for, with a query if need be. It is relative to the URL of the
	// server. Default: the path of that.
	Path string `json:"path,omitempty"`
	// Mode is http, or grpc for the health checking protocol of gRPC. Default: http.
	Mode string `json:"mode,omitempty"`
	// Scheme in place of that of the server's URL.
	Scheme string `json:"scheme,omitempty"`
	// Port in place of that of the server's URL.
	Port int `json:"port,omitempty"`
	// Method of the request. Default: GET.
	Method string `json:"method,omitempty"`
	// Status of a good answer. Default: 0, any from 200 to 399.
	Status int `json:"status,omitempty"`
	// Interval between two checks of a server that is well, give or take a tenth. Default: 30s.
	Interval types.Duration `json:"interval,omitempty"`
	// UnhealthyInterval between two checks of a server that is not. Default: 0s, that of
	// interval.
	UnhealthyInterval types.Duration `json:"unhealthyInterval,omitempty"`
	// Timeout is the longest time for an answer. Default: 5s.
	Timeout types.Duration `json:"timeout,omitempty"`
	// Rise is how many good answers in a row make a server well that was not. Default: 1.
	Rise int `json:"rise,omitempty"`
	// Fall is how many bad answers in a row make a server ill that was well. Default: 1.
	Fall int `json:"fall,omitempty"`
	// Hostname is the Host of the request.
	Hostname string `json:"hostname,omitempty"`
	// FollowRedirects goes where an answer leads. Default: true.
	FollowRedirects *bool `json:"followRedirects,omitempty"`
	// Headers of the request. A Host among them is the Host of the request.
	Headers map[string]string `json:"headers,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (c *HealthCheck) SetDefaults() {
	c.Mode, c.Method, c.Rise, c.Fall = "http", http.MethodGet, 1, 1
	c.Interval, c.Timeout = types.Duration(30*time.Second), types.Duration(5*time.Second)
	follow := true
	c.FollowRedirects = &follow
}

func (c *HealthCheck) validate() error {
	path, err := url.Parse(c.Path)
	switch {
	case c.Mode != "" && c.Mode != "http" && c.Mode != "grpc":
		return oneOf("healthCheck.mode", c.Mode, "http", "grpc")
	case c.Scheme != "" && c.Scheme != "http" && c.Scheme != "https" && c.Scheme != "h2c":
		return oneOf("healthCheck.scheme", c.Scheme, "http", "https", "h2c")
	case err != nil:
		return fmt.Errorf("healthCheck.path: %w", err)
	case path.IsAbs() || path.Host != "":
		return fmt.Errorf("healthCheck.path: %q leads to another server; only a path is allowed", c.Path)
	case c.Port < 0 || c.Port > 65535:
		return fmt.Errorf("healthCheck.port: %d is not a port", c.Port)
	case c.Interval <= 0:
		return fmt.Errorf("healthCheck.interval: %s is not above 0", time.Duration(c.Interval))
	case c.UnhealthyInterval < 0:
		return fmt.Errorf("healthCheck.unhealthyInterval: %s is below 0", time.Duration(c.UnhealthyInterval))
	case c.Timeout <= 0:
		return fmt.Errorf("healthCheck.timeout: %s is not above 0", time.Duration(c.Timeout))
	case c.Rise < 1 || c.Fall < 1:
		return errors.New("healthCheck: rise and fall are at least 1")
	}
	return nil
}

// check begins to check every server, each in a goroutine of its own that ends with
// the instance.
func (b *balancer) check() {
	for _, s := range b.servers {
		p := &probe{balancer: b, server: s, client: b.client()}
		go p.run()
	}
}

// client sends the requests of checks, by the transport that others go by.
func (b *balancer) client() *http.Client {
	c := &http.Client{Timeout: time.Duration(b.active.Timeout)}
	if f := b.active.FollowRedirects; f != nil && !*f {
		c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return c
}

// probe checks one server.
type probe struct {
	balancer *balancer
	server   *server
	client   *http.Client
}

func (p *probe) run() {
	c := p.balancer.active
	// The first answer is waited for by everybody: only later ones are spread.
	for wait := time.Duration(0); ; {
		timer := time.NewTimer(wait)
		select {
		case <-p.balancer.ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		err := p.ask()
		if p.balancer.ctx.Err() != nil {
			return
		}
		p.balancer.learn(p.server, err)
		wait = time.Duration(c.Interval)
		if c.UnhealthyInterval > 0 && !p.server.state.isWell() {
			wait = time.Duration(c.UnhealthyInterval)
		}
		wait += time.Duration((rand.Float64() - 0.5) / 5 * float64(wait)) //nolint:gosec // a choice, not a secret
	}
}

// learn takes in the result of a check.
func (b *balancer) learn(s *server, err error) {
	before, after := s.state.result(err, b.active)
	if before == after {
		return
	}
	entry := b.log.WithFields(logrus.Fields{"server": s.name})
	switch {
	case after == ill:
		entry.WithError(err).Warn("server is out of use: it fails the health check")
	case before == ill:
		entry.Info("server is in use again: it passes the health check")
	}
	b.choose()
}

// result counts one result, and returns the health before and after.
func (s *state) result(err error, c *HealthCheck) (before, after health) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before = s.health
	if err == nil {
		s.good, s.bad = s.good+1, 0
		if s.good >= c.Rise || before == unknown {
			if s.health = well; before == ill {
				s.since = time.Now()
			}
			s.reason = ""
		}
		return before, s.health
	}
	s.good, s.bad = 0, s.bad+1
	if s.bad >= c.Fall || before == unknown {
		s.health = ill
		s.reason = err.Error()
	}
	return before, s.health
}

func (s *state) isWell() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.health == well
}

// why is the reason for which a server is out of use, or "".
func (s *state) why() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason
}

// ask checks once. A nil error is a good answer.
func (p *probe) ask() error {
	ctx, cancel := context.WithTimeout(p.balancer.ctx, time.Duration(p.balancer.active.Timeout))
	defer cancel()
	u := p.url()
	if p.balancer.active.Mode == "grpc" {
		return p.askGRPC(ctx, u)
	}
	c := p.balancer.active
	method := c.Method
	if method == "" {
		method = http.MethodGet
	}
	res, err := p.send(ctx, method, u, nil)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // so that the connection can be used again
	switch {
	case c.Status != 0 && res.StatusCode != c.Status:
		return fmt.Errorf("status %d instead of %d", res.StatusCode, c.Status)
	case c.Status == 0 && (res.StatusCode < 200 || res.StatusCode >= 400):
		return fmt.Errorf("status %d", res.StatusCode)
	}
	return nil
}

// url is the address that is asked.
func (p *probe) url() *url.URL {
	c := p.balancer.active
	u := *p.server.target.URL
	u.User = nil
	if c.Path != "" {
		if rel, err := url.Parse(c.Path); err == nil {
			u.Path, u.RawPath, u.RawQuery = rel.Path, rel.RawPath, rel.RawQuery
			if !strings.HasPrefix(u.Path, "/") {
				u.Path, u.RawPath = "/"+u.Path, ""
			}
		}
	}
	if c.Scheme != "" {
		u.Scheme = c.Scheme
	}
	if c.Port != 0 {
		u.Host = net.JoinHostPort(u.Hostname(), strconv.Itoa(c.Port))
	}
	return &u
}

func (p *probe) send(ctx context.Context, method string, u *url.URL, body io.Reader) (*http.Response, error) {
	client := *p.client
	scheme := u.Scheme
	if p.balancer.active.Mode == "grpc" && scheme == "http" {
		scheme = "h2c"
	}
	if by, ok := p.balancer.forwarder.(interface {
		RoundTripper(scheme string) http.RoundTripper
	}); ok {
		client.Transport = by.RoundTripper(scheme)
	}
	if scheme == "h2c" {
		u.Scheme = "http"
	}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "fairway-health-check")
	if p.balancer.active.Mode == "grpc" {
		r.Header.Set("Content-Type", "application/grpc")
		r.Header.Set("Te", "trailers")
	}
	for name, value := range p.balancer.active.Headers {
		if strings.EqualFold(name, "Host") {
			r.Host = value
			continue
		}
		r.Header.Set(name, value)
	}
	if p.balancer.active.Hostname != "" {
		r.Host = p.balancer.active.Hostname
	}
	res, err := client.Do(r)
	if wrong, ok := errors.AsType[*url.Error](err); ok {
		return nil, wrong.Err // the rest repeats the address
	}
	return res, err
}

// askGRPC asks by the health checking protocol of gRPC for the server as a whole. Both
// messages are short enough to be written and read without a library: the request is
// empty, and the answer is field 1, the status, of which 1 is SERVING.
func (p *probe) askGRPC(ctx context.Context, u *url.URL) error {
	u.Path, u.RawPath, u.RawQuery = "/grpc.health.v1.Health/Check", "", ""
	res, err := p.send(ctx, http.MethodPost, u, bytes.NewReader(make([]byte, 5)))
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	message, err := io.ReadAll(io.LimitReader(res.Body, 1<<10))
	if err != nil {
		return err
	}
	code := res.Trailer.Get("Grpc-Status")
	if code == "" {
		code = res.Header.Get("Grpc-Status")
	}
	switch {
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("status %d", res.StatusCode)
	case code != "0":
		return fmt.Errorf("grpc-status %q", code)
	case !bytes.Equal(message, []byte{0, 0, 0, 0, 2, 8, 1}):
		return errors.New("the service is not serving")
	}
	return nil
}
