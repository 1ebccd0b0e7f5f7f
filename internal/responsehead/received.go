package responsehead

import (
	"errors"
	"net/http"
	"slices"
)

// Received is a response as it came from a server, its body still unread. Names are in
// canonical form.
type Received interface {
	StatusCode() int
	// Get returns the value of the first field of a name, or "".
	Get(name string) string
	// Values returns those of all fields of a name.
	Values(name string) []string
	// Each calls visit for every field.
	Each(visit func(name, value string))
	// Length is that of the body, or below 0 when it is not known.
	Length() int64
}

// Stored is a response that is all there, as one from a cache. Its length is that of its
// body, and among its fields is a Date.
type Stored interface {
	Received
	// AppendFields appends the lines of its head, without those that skip tells, if that is
	// not nil.
	AppendFields(dst []byte, skip func(name string) bool) []byte
	// Content is the body. Nobody changes it, nor keeps it.
	Content() []byte
}

// ErrInParts is returned by Forward when the response is to be written in the common
// way: fields, status, body.
var ErrInParts = errors.New("the response cannot be sent on as it came")

// ErrDropped is returned by the Write and Flush of a writer that drops the response: who
// writes need not wait for more of it.
var ErrDropped = errors.New("the response is dropped")

// Forwarder is a writer that can send a response on as it came, which costs much less
// than to take it apart. It sends the fields in Header, too, which take the place of
// the server's fields of the same name, Set-Cookie excepted; one without values
// removes them.
//
// With ErrInParts nothing is sent yet. What is in Header then counts in the same way
// for the fields of the server: who writes them leaves those out that are there.
type Forwarder interface {
	Forward(r Received) error
}

// Forward sends r on by w as it came, if w can.
func Forward(w http.ResponseWriter, r Received) error {
	if f, ok := w.(Forwarder); ok {
		return f.Forward(r)
	}
	return ErrInParts
}

// Head is the head of a response that is about to be sent: a header map, and behind it
// the fields of a server, when its response is sent on as it came.
type Head struct {
	http.Header
	received Received
}

// HeadOf puts the fields of r, which may be nil, behind h.
func HeadOf(h http.Header, r Received) Head { return Head{Header: h, received: r} }

// Get returns the first value of the fields that are sent, or "".
func (h Head) Get(name string) string {
	if _, ours := h.Header[name]; h.received != nil && !ours {
		return h.received.Get(name)
	}
	if values := h.Values(name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// Values returns those of the fields that are sent.
func (h Head) Values(name string) []string {
	values, ours := h.Header[name]
	switch {
	case h.received == nil || ours && name != setCookie:
		return values
	case ours:
		return slices.Concat(h.received.Values(name), values)
	}
	return h.received.Values(name)
}

const setCookie = "Set-Cookie"

// Each calls visit for every field that is sent.
func (h Head) Each(visit func(name, value string)) {
	for name, values := range h.Header {
		for _, value := range values {
			visit(name, value)
		}
	}
	if h.received == nil {
		return
	}
	h.received.Each(func(name, value string) {
		if _, ours := h.Header[name]; !ours || name == setCookie {
			visit(name, value)
		}
	})
}

// Add adds a field to those of its name.
func (h Head) Add(name, value string) {
	if name == setCookie {
		h.Header[name] = append(slices.Clip(h.Header[name]), value)
		return
	}
	h.Header[name] = append(slices.Clip(h.Values(name)), value)
}

// Put makes values, which nobody changes any more, all that is sent of a name. It
// cannot take a cookie away from a server.
func (h Head) Put(name string, values []string) { h.Header[name] = values }

// Set makes value all that is sent of a name.
func (h Head) Set(name, value string) { h.Put(name, []string{value}) }

// Del removes all fields of a name.
func (h Head) Del(name string) {
	if h.received == nil {
		delete(h.Header, name)
		return
	}
	h.Header[name] = nil
}
