package proxy

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"sync"

	"fairway/http1"
	"fairway/internal/answer"
	"fairway/internal/record"
	"fairway/internal/responsehead"
)

// pass answers with the response of a transport, the body as it comes, with the
// trailers behind it.
func pass(w http.ResponseWriter, r *http.Request, res *http.Response, target *Target, body *sharedBody) {
	announced := maps.Clone(res.Trailer)
	takeFields(w.Header(), res)
	setLength(w.Header(), r, res)
	if !body.complete() {
		keepReading(w, r)
	}
	w.WriteHeader(res.StatusCode)
	left := res.ContentLength
	waits := func(n int) bool {
		left -= int64(n)
		return left != 0
	}
	switch err := passBody(w, res.Body, left < 0, waits); {
	case errors.Is(err, responsehead.ErrDropped):
		return // a middleware has something better
	case err != nil:
		noteBroken(r, err, body.failure(), target)
		// The client must not take the part for the whole.
		panic(http.ErrAbortHandler)
	}
	passTrailers(w, announced, res.Trailer)
}

// takeFields adds the fields of a response that may be passed on to h. What h has
// already, cookies excepted, takes their place: its alternative services (Alt-Svc), for
// one, for those of a server would lead around the gateway.
func takeFields(h http.Header, res *http.Response) {
	for _, list := range res.Header["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			res.Header.Del(strings.TrimSpace(name))
		}
	}
	for name, values := range res.Header {
		_, ours := h[name]
		switch name {
		case "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		case "Set-Cookie":
			h[name] = append(h[name], values...)
		default:
			if !ours {
				h[name] = values
			}
		}
	}
	if _, named := h["Content-Type"]; !named {
		h["Content-Type"] = nil // a server that names no type has its reasons
	}
	for name := range res.Trailer {
		h["Trailer"] = append(h["Trailer"], name)
	}
}

// setLength writes the length of a response anew from what was understood: by HTTP/2
// a server may say several, or none that is a number. Trailers by HTTP/1.1 come behind
// chunks only, not behind a body of a known length.
func setLength(h http.Header, r *http.Request, res *http.Response) {
	_, said := h["Content-Length"]
	delete(h, "Content-Length")
	if said && res.ContentLength >= 0 && (len(res.Trailer) == 0 || r.ProtoMajor != 1 || r.ProtoMinor == 0) {
		h["Content-Length"] = []string{strconv.FormatInt(res.ContentLength, 10)}
	}
}

// keepReading lets the rest of the request's body go to the server while the
// response goes to the client. Should it be left over, nobody knows where another
// request begins.
func keepReading(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).EnableFullDuplex()
	if r.ProtoMajor == 1 {
		w.Header()["Connection"] = []string{"close"}
	}
}

// writeError is an error of the client's side of a response.
type writeError struct{ error }

// passBody copies what comes, and sends it on before it waits for more, unless nobody
// wants it (ErrDropped). first
// tells whether it will wait for the first part, waits whether for another one
// behind n more bytes.
func passBody(w http.ResponseWriter, from io.Reader, first bool, waits func(n int) bool) error {
	flush := http.NewResponseController(w)
	buf := http1.TakeBuffer()
	defer http1.GiveBuffer(buf)
	if first && errors.Is(flush.Flush(), responsehead.ErrDropped) {
		return responsehead.ErrDropped
	}
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, werr := w.Write(buf[:n]); errors.Is(werr, responsehead.ErrDropped) {
				return werr
			} else if werr != nil {
				return writeError{werr}
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case waits(n) && errors.Is(flush.Flush(), responsehead.ErrDropped):
			return responsehead.ErrDropped
		}
	}
}

// passTrailers sends what came behind the body, announced or not.
func passTrailers(w http.ResponseWriter, announced, trailer http.Header) {
	if len(trailer) == 0 {
		return
	}
	_ = http.NewResponseController(w).Flush() // so that there is a place for them
	h := w.Header()
	for name, values := range trailer {
		if _, known := announced[name]; known {
			h[name] = values
		} else {
			h[http.TrailerPrefix+name] = values
		}
	}
}

// noteBroken puts the reason for a response that could not be passed on to its end
// into the record.
func noteBroken(r *http.Request, err, reading error, target *Target) {
	rec := record.From(r.Context())
	_, writing := errors.AsType[writeError](err)
	switch {
	case writing, errors.Is(err, http1.ErrClientGone), r.Context().Err() != nil:
		rec.Fail("the client went away during the response")
		if rec != nil {
			rec.Status = answer.StatusClientClosedRequest
		}
	case reading != nil:
		rec.Fail(fmt.Sprintf("read the request's body: %v", reading))
	case isEnd(err):
		rec.Fail(fmt.Sprintf("response of %s broke off: the server closed the connection in the middle", target.URL.Redacted()))
	default:
		rec.Fail(fmt.Sprintf("response of %s broke off: %v", target.URL.Redacted(), err))
	}
}

// mostInformational is how many informational responses may come before the real
// one. A server that sends them for ever would never be done.
const mostInformational = 1000

var errInformational = errors.New("too many informational responses")

// informer passes informational responses on (RFC 9110, section 15.2), while the
// goroutine that serves the request waits for the real one.
type informer struct {
	mu     sync.Mutex
	client http.ResponseWriter
	mute   bool // the client speaks HTTP/1.0, which has no such responses (RFC 9110, section 15.2)
	count  int
	over   bool
}

func (i *informer) pass(status int, fields textproto.MIMEHeader) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.count++; i.count > mostInformational {
		return errInformational
	}
	if i.over || i.mute || status == http.StatusContinue {
		return nil
	}
	h := i.client.Header()
	before := maps.Clone(h)
	for name, values := range fields {
		if !endsHere(name) {
			h[name] = values
		}
	}
	i.client.WriteHeader(status)
	clear(h)
	maps.Copy(h, before)
	return nil
}

func (i *informer) end() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.over = true
}
