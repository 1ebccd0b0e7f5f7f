package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"fairway/internal/answer"
	"fairway/internal/giveup"
	"fairway/internal/record"
)

// Call is one invocation.
type Call struct {
	Event []byte // JSON
	Trace string // of X-Amzn-Trace-Id; empty: none
}

// Error tells why an invocation has no result.
type Error struct {
	Status     int    // what to answer
	Cause      string // for the operator
	RetryAfter string // of the answer, where later another try may do
	Thrown     *Thrown
}

func (e *Error) Error() string { return e.Cause }

// Thrown is the error that a function ended with.
type Thrown struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

// bounds of what is read where nothing is wanted.
const (
	longestRefusal = 64 << 10
	longestShown   = 200 // characters of a foreign text in a cause
)

// Invoke calls the function and returns what it says, which may have so many bytes at most.
func (c *Caller) Invoke(ctx context.Context, call *Call, most int64) ([]byte, error) {
	res, end, err := c.ask(ctx, call, "invocations", "RequestResponse")
	if err != nil {
		return nil, err
	}
	defer end()
	if res.StatusCode != http.StatusOK {
		return nil, refusal(res)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, most+1))
	switch {
	case err != nil:
		return nil, unanswered(ctx, err)
	case res.Header.Get("X-Amz-Function-Error") != "":
		return nil, thrown(text)
	case int64(len(text)) > most:
		return nil, &Error{Status: http.StatusBadGateway, Cause: fmt.Sprintf("the function answers with more than %d bytes", most)}
	case c.Local():
		return text, ofEmulator(text)
	}
	return text, nil
}

// Send has the function called without waiting for it.
func (c *Caller) Send(ctx context.Context, call *Call) error {
	res, end, err := c.ask(ctx, call, "invocations", "Event")
	if err != nil {
		return err
	}
	defer end()
	if res.StatusCode/100 != 2 {
		return refusal(res)
	}
	return nil
}

// versions of the interface, by what is asked for.
var versions = map[string]string{"invocations": "/2015-03-31/functions/", "response-streaming-invocations": "/2021-11-15/functions/"}

// ask sends an invocation when it is its turn. end gives the connection back, and the turn.
func (c *Caller) ask(ctx context.Context, call *Call, what, kind string) (res *http.Response, end func(), err error) {
	if err := c.takeTurn(ctx); err != nil {
		return nil, nil, err
	}
	if res, err = c.send(ctx, call, what, kind); err != nil {
		c.endTurn()
		return nil, nil, unanswered(ctx, err)
	}
	return res, sync.OnceFunc(func() {
		_, _ = io.CopyN(io.Discard, res.Body, longestRefusal)
		_ = res.Body.Close()
		c.endTurn()
		if c.retired.Err() != nil {
			c.transport.CloseIdleConnections()
		}
	}), nil
}

// takeTurn waits until another invocation may be under way.
func (c *Caller) takeTurn(ctx context.Context) error {
	if c.turns == nil {
		return nil
	}
	select {
	case c.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
	}
	if giveup.Reason(ctx) == nil && errors.Is(ctx.Err(), context.Canceled) {
		return unanswered(ctx, ctx.Err())
	}
	return &Error{Status: http.StatusServiceUnavailable, Cause: fmt.Sprintf("%d invocations are under way, as many as concurrency allows", cap(c.turns)), RetryAfter: "1"}
}

func (c *Caller) endTurn() {
	if c.turns != nil {
		<-c.turns
	}
}

func (c *Caller) send(ctx context.Context, call *Call, what, kind string) (*http.Response, error) {
	q, err := c.request(ctx, call, what, kind)
	if err != nil {
		return nil, err
	}
	done := record.Done(func(int, string, error) {})
	if rec := record.From(ctx); rec != nil && rec.Trace != nil {
		done = rec.Trace.Ask(q)
	}
	if c.signer != nil {
		if err := c.signer.sign(ctx, q, call.Event); err != nil {
			done(0, "", err)
			return nil, err
		}
	}
	res, err := c.transport.RoundTrip(q) // follows no redirection
	if err != nil {
		done(0, "", err)
		return nil, err
	}
	done(res.StatusCode, "", nil)
	return res, nil
}

func (c *Caller) request(ctx context.Context, call *Call, what, kind string) (*http.Request, error) {
	at := c.endpoint
	if at == nil {
		var err error
		if at, err = c.signer.endpoint(ctx); err != nil {
			return nil, err
		}
	}
	to := *at
	to.Path, to.RawPath = strings.TrimSuffix(at.Path, "/")+versions[what]+c.name+"/"+what, ""
	if c.qualifier != "" {
		to.RawQuery = url.Values{"Qualifier": {c.qualifier}}.Encode()
	}
	q := &http.Request{
		Method: http.MethodPost, URL: &to, Host: to.Host, Body: io.NopCloser(bytes.NewReader(call.Event)), ContentLength: int64(len(call.Event)),
		Header: http.Header{"Content-Type": {"application/json"}, "X-Amz-Invocation-Type": {kind}, "User-Agent": {"fairway"}},
	}
	if call.Trace != "" {
		q.Header["X-Amzn-Trace-Id"] = []string{call.Trace}
	}
	return q.WithContext(ctx), nil
}

// unanswered is what to answer when there is no answer: 504 if it took too long, 499 if the client has
// gone, else 502.
func unanswered(ctx context.Context, err error) *Error {
	var late net.Error
	switch {
	case giveup.Reason(ctx) != nil:
		return &Error{Status: giveup.Status(giveup.Reason(ctx)), Cause: giveup.Reason(ctx).Error()}
	case errors.Is(ctx.Err(), context.Canceled):
		return &Error{Status: answer.StatusClientClosedRequest, Cause: "the client went away"}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &late) && late.Timeout():
		return &Error{Status: http.StatusGatewayTimeout, Cause: "invoke the function: " + err.Error()}
	}
	return &Error{Status: http.StatusBadGateway, Cause: "invoke the function: " + err.Error()}
}

// refusal is an answer of the interface that is not the function's.
func refusal(res *http.Response) *Error {
	text, _ := io.ReadAll(io.LimitReader(res.Body, longestRefusal))
	e := &Error{Status: http.StatusBadGateway, Cause: fmt.Sprintf("the invocation was answered %d", res.StatusCode)}
	if kind, _, _ := strings.Cut(res.Header.Get("X-Amzn-Errortype"), ":"); kind != "" {
		e.Cause += " " + shown(kind)
	}
	var told struct {
		Message string
		Thrown
	}
	switch err := json.Unmarshal(text, &told); {
	case err == nil && told.Message != "":
		e.Cause += ": " + shown(told.Message)
	case err == nil && told.Type != "": // the emulator, when a function has ended with it
		e.Cause += ": " + shown(told.Type+": "+told.Thrown.Message)
	case len(text) > 0:
		e.Cause += ": " + shown(string(text))
	}
	switch res.StatusCode {
	case http.StatusTooManyRequests:
		e.Status, e.RetryAfter = http.StatusServiceUnavailable, retryAfter(res.Header.Get("Retry-After"))
	case http.StatusRequestEntityTooLarge:
		e.Status = http.StatusRequestEntityTooLarge
	case http.StatusGatewayTimeout:
		e.Status = http.StatusGatewayTimeout
	}
	return e
}

// retryAfter is what the interface says, if that is a number of seconds (RFC 9110, section 10.2.3).
func retryAfter(text string) string {
	if text == "" || len(text) > 6 || strings.Trim(text, "0123456789") != "" {
		return "1"
	}
	return text
}

// thrown is the error of a function that has failed.
func thrown(text []byte) *Error {
	t := &Thrown{}
	if json.Unmarshal(text, t) != nil {
		t = &Thrown{Message: string(text)}
	}
	status := http.StatusBadGateway
	if t.Type == "Sandbox.Timedout" || timedOut(t.Message) {
		status = http.StatusGatewayTimeout
	}
	return &Error{Status: status, Cause: "the function has failed: " + shown(strings.Trim(t.Type+": "+t.Message, ": ")), Thrown: t}
}

// ofEmulator finds failures of functions that the local emulator tells in the place of a result, without
// the header that says so.
func ofEmulator(text []byte) error {
	if timedOut(string(text[:min(len(text), 256)])) {
		return &Error{Status: http.StatusGatewayTimeout, Cause: "the function has failed: " + shown(string(text)), Thrown: &Thrown{Message: string(text)}}
	}
	var said map[string]json.RawMessage
	if json.Unmarshal(text, &said) != nil || said["errorMessage"] == nil || said["errorType"] == nil || said["statusCode"] != nil {
		return nil
	}
	return thrown(text)
}

// timedOut knows how Lambda and the emulator say that a function was too slow.
func timedOut(text string) bool {
	return strings.HasPrefix(text, "Task timed out") || strings.Contains(text, " Task timed out after ")
}

// shown is a foreign text, as it may stand in a cause: one line, not too long.
func shown(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if runes := []rune(text); len(runes) > longestShown {
		text = string(runes[:longestShown]) + "…"
	}
	return text
}
