package forwardauth

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"

	"fairway/internal/answer"
	"fairway/internal/headername"
	"fairway/internal/record"
)

// maxDrain is how much of a body that nobody reads is read off, so that the
// connection can be used again.
const maxDrain = 64 << 10

// ask sends the question. end gives the connection back; it may be called twice.
func (h *handler) ask(r *http.Request) (res *http.Response, end func(), err error) {
	ctx, cancel := r.Context(), context.CancelFunc(func() {})
	if h.timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, h.timeout)
	}
	q := h.question(r).WithContext(ctx)
	done := record.Done(func(int, string, error) {})
	if rec := record.From(ctx); rec != nil && rec.Trace != nil {
		done = rec.Trace.Ask(q)
	}
	res, err = h.transport.RoundTrip(q) // follows no redirection
	if err != nil {
		done(0, "", err)
		cancel()
		return nil, func() {}, err
	}
	done(res.StatusCode, "", nil)
	return res, sync.OnceFunc(func() {
		if res.StatusCode != http.StatusSwitchingProtocols {
			_, _ = io.CopyN(io.Discard, res.Body, maxDrain)
		}
		_ = res.Body.Close()
		cancel()
		if h.retired.Err() != nil {
			h.transport.CloseIdleConnections()
		}
	}), nil
}

// question is the request to the authentication server.
func (h *handler) question(r *http.Request) *http.Request {
	q := &http.Request{Method: http.MethodGet, URL: h.address, Header: h.questionHeader(r)}
	if h.preserveMethod {
		q.Method = r.Method
	}
	if body, ok := r.Body.(*keptBody); ok {
		q.Body, q.ContentLength = body.again(), body.Size()
		if q.ContentLength == 0 {
			q.Body = http.NoBody
		}
	}
	if user := h.address.User; user != nil && q.Header.Get("Authorization") == "" {
		password, _ := user.Password()
		q.SetBasicAuth(user.Username(), password)
	}
	return q
}

// ofTheResource are conditions on what the service has (RFC 9110, sections 13.1 and
// 14.2). They would make the authentication server answer 304, 412 or 416.
var ofTheResource = []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range"}

func (h *handler) questionHeader(r *http.Request) http.Header {
	header := make(http.Header, len(r.Header)+5)
	if h.requestHeaders == nil {
		maps.Copy(header, r.Header)
		for _, name := range ofTheResource {
			delete(header, name)
		}
	} else {
		for _, name := range h.requestHeaders {
			if values, ok := r.Header[name]; ok {
				header[name] = values
			}
		}
	}
	headername.RemoveHop(header)
	delete(header, "Expect")
	delete(header, "Content-Length")
	if _, named := header["User-Agent"]; !named {
		header["User-Agent"] = []string{""} // or the transport would name itself
	}
	for name := range forwardedFields {
		headername.Remove(header, name)
	}
	for name, value := range h.forwardedHeaders(r) {
		if value != "" {
			header[name] = []string{value}
		}
	}
	return header
}

const (
	forwardedFor    = "X-Forwarded-For"
	forwardedHost   = "X-Forwarded-Host"
	forwardedMethod = "X-Forwarded-Method"
	forwardedProto  = "X-Forwarded-Proto"
	forwardedURI    = "X-Forwarded-Uri"
)

// forwardedFields are the headers that tell of the request, with what they say of
// one that came in here.
var forwardedFields = map[string]func(r *http.Request) string{
	forwardedFor:    peer,
	forwardedHost:   func(r *http.Request) string { return r.Host },
	forwardedMethod: func(r *http.Request) string { return r.Method },
	forwardedProto:  proto,
	forwardedURI:    func(r *http.Request) string { return r.URL.RequestURI() },
}

func (h *handler) forwardedHeaders(r *http.Request) map[string]string {
	fields := make(map[string]string, len(forwardedFields))
	for name, of := range forwardedFields {
		fields[name] = of(r)
		if told := r.Header[name]; h.trustForwarded && len(told) > 0 {
			if name == forwardedFor {
				fields[name] = appended(told, fields[name], r)
				continue
			}
			fields[name] = told[0]
		}
	}
	return fields
}

// appended is the list of X-Forwarded-For as the service will get it.
func appended(told []string, peer string, r *http.Request) string {
	list := strings.Join(told, ", ")
	if rec := record.From(r.Context()); peer == "" || rec != nil && rec.Unlisted {
		return list
	}
	return list + ", " + peer
}

func proto(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// keptBody is a body in memory that can be sent twice.
type keptBody struct {
	*bytes.Reader
	bytes []byte
}

func (b *keptBody) Close() error         { return nil }
func (b *keptBody) again() io.ReadCloser { return io.NopCloser(bytes.NewReader(b.bytes)) }

var errBodyTooLong = errors.New("the body is longer than maxBodySize")

// withBody returns r with its body in memory, or says with which status it is
// refused.
func (h *handler) withBody(r *http.Request) (*http.Request, int, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return r, 0, nil
	}
	if h.maxBody >= 0 && r.ContentLength > h.maxBody {
		return r, http.StatusUnauthorized, errBodyTooLong
	}
	var from io.Reader = r.Body
	if h.maxBody >= 0 {
		from = io.LimitReader(r.Body, h.maxBody+1)
	}
	body, err := io.ReadAll(from)
	switch {
	case err != nil && r.Context().Err() != nil:
		return r, answer.StatusClientClosedRequest, err
	case err != nil:
		return r, http.StatusBadRequest, err
	case h.maxBody >= 0 && int64(len(body)) > h.maxBody:
		return r, http.StatusUnauthorized, errBodyTooLong
	}
	r2 := new(http.Request)
	*r2 = *r
	r2.Body = &keptBody{bytes.NewReader(body), body}
	r2.ContentLength, r2.TransferEncoding = int64(len(body)), nil
	return r2, 0, nil
}
