package authorizer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"fairway/internal/claims"
	"fairway/internal/lambda"
	"fairway/internal/pathpattern"
	"fairway/internal/record"
	"fairway/internal/remember"
)

// asker asks the authorizer, for all routes that use the middleware, and keeps what it says. Requests that
// wait for the same decision are asked about once.
type asker struct {
	ctx      context.Context //nolint:containedctx // ends with the last route
	function *lambda.Caller  // nil: server
	server   *server
	api      lambda.API
	ask      string // request or token
	old      bool   // version 1.0
	sources  []source
	valid    *regexp.Regexp // of a token; nil: all are
	pattern  pathpattern.Pattern
	headers  *claims.Headers
	ttl      time.Duration
	byRoute  bool
	timeout  time.Duration

	decisions *remember.Cache[*decision]
	asking    singleflight.Group
	under     atomic.Int64 // questions that are asked for all who wait
}

// mostAsked bounds them: they go on when those have gone who sent made-up credentials.
const mostAsked = 512

// server is an authorizer that is spoken to by HTTP.
type server struct {
	url       *url.URL
	transport *http.Transport
	retired   context.Context //nolint:containedctx // ends with the last route
}

// errUnauthorized is the answer that credentials are none.
var errUnauthorized = errors.New("the authorizer does not know who it is")

// errForbidden is a refusal by status.
var errForbidden = errors.New("the authorizer refuses it")

var errBusy = fmt.Errorf("%d questions are under way already", mostAsked)

// about is the decision about a request, whose identity sources have these values.
func (a *asker) about(r *http.Request, identity []string) (*decision, error) {
	if len(identity) == 0 || a.ttl == 0 {
		call, err := a.question(r, identity)
		if err != nil {
			return nil, err
		}
		return a.put(r.Context(), call)
	}
	parts := identity
	if a.byRoute {
		parts = append([]string{r.Host, r.Method, r.URL.EscapedPath()}, identity...)
	}
	key := a.decisions.Key(parts...)
	if d, ok := a.decisions.Get(key); ok {
		return d, nil
	}
	call, err := a.question(r, identity)
	if err != nil {
		return nil, err
	}
	// Whoever asks first may go away while others wait: the question has a time of its own.
	answer := a.asking.DoChan(string(key[:]), func() (any, error) {
		if d, ok := a.decisions.Get(key); ok { // it came since
			return d, nil
		}
		defer a.under.Add(-1)
		if a.under.Add(1) > mostAsked {
			return nil, errBusy
		}
		d, err := a.put(a.ctx, call)
		if err == nil {
			a.decisions.Put(key, d, a.ttl)
		}
		return d, err
	})
	select {
	case got := <-answer:
		d, _ := got.Val.(*decision)
		return d, got.Err
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// question makes the event that the authorizer is asked with.
func (a *asker) question(r *http.Request, identity []string) (*lambda.Call, error) {
	q := &lambda.Request{Request: r, At: time.Now()}
	if path, ok := a.pattern.Match(r.URL.EscapedPath()); ok {
		q.Path, q.Resource = path, a.pattern.String()
	}
	c := &lambda.Call{Trace: lambda.Trace(r)}
	var err error
	switch {
	case a.ask == "token":
		c.Event, err = a.api.AskToken(q, identity[0])
	case a.old:
		c.Event, err = a.api.AskV1(q, identity)
	default:
		c.Event, err = a.api.AskV2(q, identity)
	}
	return c, err
}

// put puts a question, and reads the decision.
func (a *asker) put(ctx context.Context, call *lambda.Call) (*decision, error) {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	var text []byte
	var err error
	if a.function != nil {
		text, err = a.function.Invoke(ctx, call, longestAnswer)
		if e, ok := errors.AsType[*lambda.Error](err); ok && e.Thrown != nil && e.Thrown.Message == "Unauthorized" {
			return nil, errUnauthorized
		}
	} else {
		text, err = a.server.post(ctx, call)
	}
	if err != nil {
		return nil, err
	}
	d, err := readDecision(text, a.old)
	if err != nil {
		return nil, err
	}
	said := maps.Clone(d.who.Claims)
	if d.who.Subject != "" {
		said["principalId"] = d.who.Subject
	}
	d.values = a.headers.Values(said)
	return d, nil
}

// post asks by HTTP.
func (s *server) post(ctx context.Context, call *lambda.Call) ([]byte, error) {
	q := &http.Request{
		Method: http.MethodPost, URL: s.url, Host: s.url.Host, Body: io.NopCloser(bytes.NewReader(call.Event)), ContentLength: int64(len(call.Event)),
		Header: http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}, "User-Agent": {"fairway"}},
	}
	if call.Trace != "" {
		q.Header["X-Amzn-Trace-Id"] = []string{call.Trace}
	}
	q = q.WithContext(ctx)
	done := record.Done(func(int, string, error) {})
	if rec := record.From(ctx); rec != nil && rec.Trace != nil {
		done = rec.Trace.Ask(q)
	}
	res, err := s.transport.RoundTrip(q) // follows no redirection
	if err != nil {
		done(0, "", err)
		return nil, fmt.Errorf("ask %s: %w", s.url.Host, err)
	}
	done(res.StatusCode, "", nil)
	defer func() {
		_ = res.Body.Close()
		if s.retired.Err() != nil {
			s.transport.CloseIdleConnections()
		}
	}()
	text, err := io.ReadAll(io.LimitReader(res.Body, longestAnswer+1))
	switch {
	case res.StatusCode == http.StatusUnauthorized:
		return nil, errUnauthorized
	case res.StatusCode == http.StatusForbidden:
		return nil, errForbidden
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s answered %d", s.url.Host, res.StatusCode)
	case err != nil:
		return nil, fmt.Errorf("ask %s: %w", s.url.Host, err)
	case len(text) > longestAnswer:
		return nil, fmt.Errorf("%s answers with more than %d bytes", s.url.Host, longestAnswer)
	}
	return text, nil
}

// allows tells whether a decision lets a request pass: by its path as the client wrote it, which the
// authorizer was asked about, and as it is read.
func (a *asker) allows(d *decision, r *http.Request) bool {
	return d.allows(a.api.ARN(r.Method, r.URL.EscapedPath()), a.api.ARN(r.Method, r.URL.Path))
}
