package function

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"

	"fairway/internal/answer"
	"fairway/internal/giveup"
	"fairway/internal/lambda"
	"fairway/internal/pathpattern"
	"fairway/internal/record"
	"fairway/proxy"
)

// service is a function service at work.
type service struct {
	name         string
	caller       *lambda.Caller
	api          lambda.API
	mode         string
	old          bool // version 1.0
	pattern      pathpattern.Pattern
	binary       []string
	timeout      time.Duration
	mostPayload  int64
	mostResponse int64
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rec := record.From(r.Context()); rec != nil {
		rec.Leaf = s.name
	}
	path, ok := s.pattern.Match(r.URL.EscapedPath())
	if !ok {
		answer.Refuse(w, r, http.StatusNotFound, "function: the path is another than that of the service")
		return
	}
	call, err := s.call(r, path)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	ctx, cancel := giveup.WithCancel(r.Context())
	defer cancel(nil)
	late := time.AfterFunc(s.timeout, func() { cancel(giveup.TooLong("it has taken longer than timeout")) })
	defer late.Stop()
	switch s.mode {
	case "stream":
		err = s.stream(ctx, w, r, call, late)
	case "event":
		if err = s.caller.Send(ctx, call); err == nil {
			w.Header()["Content-Length"] = []string{"0"}
			w.WriteHeader(http.StatusAccepted)
		}
	default:
		err = s.wait(ctx, w, r, call)
	}
	if err != nil {
		s.refuse(w, r, err)
	}
}

// call makes the event of a request.
func (s *service) call(r *http.Request, path map[string]string) (*lambda.Call, error) {
	body, err := s.body(r)
	if err != nil {
		return nil, err
	}
	q := &lambda.Request{Request: r, Resource: s.pattern.String(), Path: path, Body: body, Binary: s.binary, At: time.Now()}
	c := &lambda.Call{Trace: lambda.Trace(r)}
	if s.old {
		c.Event, err = s.api.V1(q).JSON()
	} else {
		c.Event, err = s.api.V2(q).JSON()
	}
	if err != nil {
		return nil, &lambda.Error{Status: http.StatusInternalServerError, Cause: "make the event: " + err.Error()}
	}
	if int64(len(c.Event)) > s.mostPayload {
		return nil, &lambda.Error{Status: http.StatusRequestEntityTooLarge, Cause: "the event is longer than maxPayloadBytes"}
	}
	return c, nil
}

func (s *service) body(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, s.mostPayload))
	switch _, long := errors.AsType[*http.MaxBytesError](err); {
	case long:
		return nil, &lambda.Error{Status: http.StatusRequestEntityTooLarge, Cause: "the body is longer than maxPayloadBytes"}
	case err == nil:
		return body, nil
	}
	if reason := giveup.Reason(r.Context()); reason != nil {
		return nil, &lambda.Error{Status: giveup.Status(reason), Cause: reason.Error()}
	}
	if r.Context().Err() != nil {
		return nil, &lambda.Error{Status: answer.StatusClientClosedRequest, Cause: "the client went away"}
	}
	return nil, &lambda.Error{Status: http.StatusBadRequest, Cause: "the body cannot be read"}
}

// wait gives the client the answer of the function when all of it is there.
func (s *service) wait(ctx context.Context, w http.ResponseWriter, r *http.Request, call *lambda.Call) error {
	text, err := s.caller.Invoke(ctx, call, s.mostResponse)
	if err != nil {
		return err
	}
	read := lambda.ReadV2
	if s.old {
		read = lambda.ReadV1
	}
	a, err := read(text)
	if err != nil {
		return err
	}
	h := w.Header()
	maps.Copy(h, a.Header)
	if bodyAllowed(a.Status) && r.Method != http.MethodHead {
		h["Content-Length"] = []string{strconv.Itoa(len(a.Body))}
	}
	w.WriteHeader(a.Status)
	if bodyAllowed(a.Status) && r.Method != http.MethodHead {
		_, _ = w.Write(a.Body)
	}
	return nil
}

// stream gives the client the answer as it comes.
func (s *service) stream(ctx context.Context, w http.ResponseWriter, r *http.Request, call *lambda.Call, late *time.Timer) error {
	from, err := s.caller.Stream(ctx, call)
	if err != nil {
		return err
	}
	defer from.Close()
	maps.Copy(w.Header(), from.Head.Header)
	w.WriteHeader(from.Head.Status)
	if !bodyAllowed(from.Head.Status) || r.Method == http.MethodHead {
		return nil
	}
	out := http.NewResponseController(w)
	_ = out.Flush()
	part := make([]byte, 32<<10)
	for {
		late.Reset(s.timeout)
		n, err := from.Read(part)
		if n > 0 {
			late.Stop() // a client that reads slowly is not the function's fault
			if _, err := w.Write(part[:n]); err != nil {
				return nil // the client has gone; the invocation ends with the request
			}
			_ = out.Flush()
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			record.From(r.Context()).Fail(s.cause(err))
			panic(http.ErrAbortHandler) // the client must not take the part for the whole
		}
	}
}

func (s *service) cause(err error) string {
	return "function: " + s.caller.Shown() + ": " + err.Error()
}

// refuse answers in place of the function.
func (s *service) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusBadGateway
	if e, ok := errors.AsType[*lambda.Error](err); ok {
		if status = e.Status; e.RetryAfter != "" {
			w.Header()["Retry-After"] = []string{e.RetryAfter}
		}
	}
	answer.Refuse(w, r, status, s.cause(err))
}

// bodyAllowed tells whether a response of a status has a body (RFC 9110, section 6.4.1).
func bodyAllowed(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified && status != http.StatusResetContent
}

// Servers implements proxy.Service: there are none.
func (s *service) Servers() []proxy.ServerStatus { return nil }

// Up implements proxy.Child.
func (s *service) Up() bool { return true }
