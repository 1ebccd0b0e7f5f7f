package cache

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"fairway/internal/answer"
	"fairway/internal/httpcache"
	"fairway/internal/responsehead"
)

// cacheName is that of this cache in Cache-Status.
const cacheName = "fairway"

// served is an entry as it is sent: with its age, and with what the cache has done. It goes
// out in one piece where the writer can do that.
type served struct {
	*httpcache.Entry
	age    time.Duration
	left   time.Duration // to be fresh
	status string        // the beginning of Cache-Status; empty: it is not told
	ttl    bool
}

// StatusCode implements responsehead.Received.
func (s *served) StatusCode() int { return s.Status }

// Length implements responsehead.Received.
func (s *served) Length() int64 { return int64(len(s.Body)) }

// Content implements responsehead.Stored.
func (s *served) Content() []byte { return s.Body }

// Get implements responsehead.Received.
func (s *served) Get(name string) string {
	if name == "Age" {
		return string(httpcache.AppendSeconds(nil, s.age))
	}
	if values := s.Entry.Get(name); values != "" || name != cacheStatus || s.status == "" {
		return values
	}
	return string(s.appendStatus(nil))
}

// Values implements responsehead.Received.
func (s *served) Values(name string) []string {
	values := s.Entry.Values(name)
	switch {
	case name == "Age":
		return []string{s.Get(name)}
	case name == cacheStatus && s.status != "":
		return append(values, string(s.appendStatus(nil)))
	}
	return values
}

// Each implements responsehead.Received.
func (s *served) Each(visit func(name, value string)) {
	for _, f := range s.Fields {
		visit(f.Name, f.Value)
	}
	visit("Age", s.Get("Age"))
	if s.status != "" {
		visit(cacheStatus, string(s.appendStatus(nil)))
	}
}

const cacheStatus = "Cache-Status"

// AppendFields implements responsehead.Stored.
func (s *served) AppendFields(dst []byte, skip func(name string) bool) []byte {
	if skip == nil {
		dst = append(dst, s.Lines()...)
	} else {
		for _, f := range s.Fields {
			if !skip(f.Name) {
				dst = append(append(append(append(dst, f.Name...), ": "...), f.Value...), "\r\n"...)
			}
		}
	}
	if skip == nil || !skip("Age") {
		dst = append(httpcache.AppendSeconds(append(dst, "Age: "...), s.age), "\r\n"...)
	}
	if s.status != "" && (skip == nil || !skip(cacheStatus)) {
		dst = append(s.appendStatus(append(dst, cacheStatus+": "...)), "\r\n"...)
	}
	return dst
}

func (s *served) appendStatus(dst []byte) []byte {
	dst = append(dst, s.status...)
	if s.ttl {
		dst = strconv.AppendInt(append(dst, "; ttl="...), int64(s.left/time.Second), 10)
	}
	return dst
}

// What Cache-Status says of responses from the store, and of those to other requests.
const (
	toldHit       = cacheName + "; hit"
	toldCollapsed = cacheName + "; fwd=uri-miss; collapsed"
	toldValidated = cacheName + "; fwd=stale; fwd-status=304"
	toldError     = cacheName + "; fwd=stale; detail=stale-if-error"
)

// answer sends an entry that is all there.
func (x *exchange) answer(e *httpcache.Entry, how int, told string) {
	x.note(how)
	x.send(e, told)
}

// send sends the whole of an entry, a part, or that the client has it.
func (x *exchange) send(e *httpcache.Entry, told string) {
	s := &x.served
	*s = served{Entry: e, age: e.AgeAt(x.now), left: e.FreshFor(x.now), ttl: true}
	if x.h.tell {
		s.status = told
	}
	if e.Status == http.StatusOK {
		h := x.r.Header
		if (len(h["If-None-Match"]) > 0 || len(h["If-Modified-Since"]) > 0) && httpcache.Evaluate(h, e) == httpcache.NotModified {
			x.notModified()
			return
		}
		if len(h["Range"]) > 0 && x.part() {
			return
		}
	}
	err := responsehead.Forward(x.w, s)
	if errors.Is(err, responsehead.ErrInParts) {
		err = x.sendInParts(e)
	}
	x.noteGone(err)
}

func (x *exchange) sendInParts(e *httpcache.Entry) error {
	x.head(nil, int64(len(e.Body)))
	x.w.WriteHeader(e.Status)
	if len(e.Body) == 0 || x.r.Method == http.MethodHead {
		return nil
	}
	_, err := x.w.Write(e.Body)
	return err
}

func (x *exchange) noteGone(err error) {
	if err == nil || errors.Is(err, responsehead.ErrDropped) || x.rec == nil {
		return
	}
	x.rec.Fail("the client went away during the response")
	x.rec.Status = answer.StatusClientClosedRequest
}

// head puts the fields of what is served into the header map. Those that are there already
// take their place, as elsewhere.
func (x *exchange) head(leave func(name string) bool, length int64) {
	h := x.w.Header()
	ours := make(map[string]bool, len(h))
	for name := range h {
		ours[name] = name != "Set-Cookie"
	}
	x.served.Each(func(name, value string) {
		if !ours[name] && (leave == nil || !leave(name)) {
			h[name] = append(h[name], value)
		}
	})
	if _, named := h["Content-Type"]; !named {
		h["Content-Type"] = nil // a service that names no type has its reasons
	}
	delete(h, "Content-Length")
	if length >= 0 {
		h["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	}
}

// notModified tells the client that it has the response (RFC 9110, section 15.4.5).
func (x *exchange) notModified() {
	x.head(func(name string) bool {
		return strings.HasPrefix(name, "Content-") && name != "Content-Location" && name != "Content-Security-Policy"
	}, -1)
	x.w.WriteHeader(http.StatusNotModified)
}

// part sends the part that the client asks for (RFC 9110, section 14.2). It returns false if
// the whole is to be sent.
func (x *exchange) part() bool {
	e := x.served.Entry
	if x.r.Method != http.MethodGet {
		return false
	}
	size := int64(len(e.Body))
	span, asked, there := httpcache.ParseRange(httpcache.WantsPart(x.r.Header, e), size)
	if !asked {
		return false
	}
	if !there {
		x.head(func(name string) bool { return strings.HasPrefix(name, "Content-") }, 0)
		x.w.Header()["Content-Range"] = []string{fmt.Sprintf("bytes */%d", size)}
		x.w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		return true
	}
	x.head(nil, span.Length)
	x.w.Header()["Content-Range"] = []string{fmt.Sprintf("bytes %d-%d/%d", span.From, span.From+span.Length-1, size)}
	x.w.WriteHeader(http.StatusPartialContent)
	_, err := x.w.Write(e.Body[span.From : span.From+span.Length])
	x.noteGone(err)
	return true
}
