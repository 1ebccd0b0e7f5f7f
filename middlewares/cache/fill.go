package cache

import (
	"bufio"
	"context"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"fairway/internal/answer"
	"fairway/internal/cachestore"
	"fairway/internal/httpcache"
	"fairway/internal/record"
	"fairway/internal/responsehead"
)

// filler is the writer of a request that is answered by the service. When the head comes it
// decides what becomes of the response: it is passed on, and nobody else gets it; it is
// stored, and the client gets it from the stream, as others do; or it is dropped, since it
// says that the stored one is good, or is worse than that.
//
// The service must not be kept waiting by the client that happened to come first. So a body
// that is long, or slow, is sent by a goroutine of its own, which ends before the request.
type filler struct {
	x      *exchange
	f      *flight
	old    *httpcache.Entry // stale; nil: there is none
	asked  time.Time
	before record.Outcome
	why    string      // the service is asked, for Cache-Status
	header http.Header // of what is behind the cache

	status int
	mode   mode
	forged bool             // the request says nothing of what others get
	entry  *httpcache.Entry // what is stored, without its body
	stream *stream
	length int64 // of the body as announced, or below 0

	reader  *follower  // for the client
	begun   bool       // the client has got a head
	sending chan error // has the result of the goroutine that sends
}

type mode int

const (
	undecided mode = iota
	passes
	stores
	drops
)

// ahead is how much of a body is kept for the client before a goroutine sends it.
const ahead = 64 << 10

// Status implements the contract of writers that know their status.
func (fl *filler) Status() int { return fl.status }

// Header implements http.ResponseWriter.
func (fl *filler) Header() http.Header {
	if fl.mode == passes {
		return fl.x.w.Header()
	}
	return fl.header
}

// Unwrap is for the rest of http.ResponseController.
func (fl *filler) Unwrap() http.ResponseWriter { return fl.x.w }

// Forward implements responsehead.Forwarder: responses that are not stored are sent on as
// they came.
func (fl *filler) Forward(r responsehead.Received) error {
	if fl.mode != undecided {
		return responsehead.ErrInParts
	}
	head := responsehead.HeadOf(fl.header, r)
	v := fl.judge(r.StatusCode(), head)
	if fl.becomes(r.StatusCode(), v, r.Length()) != passes {
		return responsehead.ErrInParts
	}
	fl.status = r.StatusCode()
	fl.share(v)
	h := fl.x.w.Header()
	addMissing(h, fl.header)
	fl.mode = passes
	if fl.x.h.tell {
		responsehead.HeadOf(h, r).Add(cacheStatus, fl.told(false))
	}
	return responsehead.Forward(fl.x.w, r)
}

// addMissing adds fields to those that are there, which take the place of those of the same
// name, cookies excepted.
func addMissing(h, more http.Header) {
	for name, values := range more {
		if _, ours := h[name]; !ours {
			h[name] = values
		} else if name == "Set-Cookie" {
			h[name] = append(slices.Clip(h[name]), values...)
		}
	}
}

// WriteHeader implements http.ResponseWriter.
func (fl *filler) WriteHeader(status int) {
	switch {
	case status < 200 && status != http.StatusSwitchingProtocols:
		fl.inform(status)
		return
	case fl.status != 0 && fl.mode != passes:
		return
	case fl.mode == passes:
		fl.x.w.WriteHeader(status)
		return
	}
	fl.status = status
	head := responsehead.HeadOf(fl.header, nil)
	length := int64(-1)
	if n, err := strconv.ParseInt(fl.header.Get("Content-Length"), 10, 64); err == nil {
		length = n
	}
	v := fl.judge(status, head)
	switch fl.mode = fl.becomes(status, v, length); fl.mode {
	case passes:
		fl.share(v)
		h := fl.x.w.Header()
		addMissing(h, fl.header)
		if fl.x.h.tell {
			responsehead.HeadOf(h, nil).Add(cacheStatus, fl.told(false))
		}
		fl.x.w.WriteHeader(status)
	case drops:
		fl.keepOld(status)
	case stores:
		fl.store(status, v, head, length)
	}
}

// inform passes an informational response on.
func (fl *filler) inform(status int) {
	if fl.mode != undecided {
		return
	}
	h := fl.x.w.Header()
	before := maps.Clone(h)
	maps.Copy(h, fl.header)
	fl.x.w.WriteHeader(status)
	clear(h)
	maps.Copy(h, before)
}

func (fl *filler) response(status int, head responsehead.Head) *httpcache.Response {
	x := fl.x
	return &httpcache.Response{
		Status: status, Lines: head.Values, Asked: fl.asked, Came: time.Now(),
		Authorized: x.authorized(),
	}
}

// judge tells whether the response may be stored. It is not if the client has sent a field of Vary
// under another name that careless services take for the same.
func (fl *filler) judge(status int, head responsehead.Head) httpcache.Verdict {
	v := fl.x.h.policy.Judge(fl.response(status, head))
	vary, _ := httpcache.VaryNames(head.Values("Vary"))
	fl.forged = isForged(fl.x.r.Header, vary)
	v.Store = v.Store && !fl.forged
	return v
}

// becomes tells what is done with a response.
func (fl *filler) becomes(status int, v httpcache.Verdict, length int64) mode {
	switch {
	case fl.old != nil && (status == http.StatusNotModified || fl.covers(status)):
		return drops
	case !v.Store, length > fl.x.h.longest:
		return passes
	}
	return stores
}

// covers tells whether the stale response is sent in the place of an error (RFC 5861,
// section 4).
func (fl *filler) covers(status int) bool {
	switch status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
	default:
		return false
	}
	old := fl.old
	return !old.NeverStale && old.FreshFor(time.Now()) > -old.StaleIfError
}

// share tells those who wait that this response is not for them.
func (fl *filler) share(v httpcache.Verdict) {
	x := fl.x
	x.note(miss)
	o := outcome{}
	if x.rec != nil && x.rec.Cause != "" && fl.status >= 500 {
		o.failed = fl.status // by the gateway: the service is not asked again by each of them
	} else if !x.authorized() && !fl.forged && fl.status != answer.StatusClientClosedRequest { // these say nothing of what others get
		fl.remember(v)
	}
	fl.f.decide(o)
	x.h.detach(fl.f)
}

// remember notes for those who come that the response is not stored. One that is in the place
// of what is stored ends that.
func (fl *filler) remember(v httpcache.Verdict) {
	x, now := fl.x, time.Now()
	switch gone := fl.status == http.StatusNotFound || fl.status == http.StatusGone; {
	case fl.status >= 400 && !gone:
		x.h.passing.note(x.key, now.Add(passErrorFor))
		return
	case gone:
		x.h.passing.note(x.key, now.Add(passErrorFor))
	default:
		x.h.passing.note(x.key, now.Add(passFor))
	}
	if fl.old != nil && !v.Store {
		fl.end(fl.old)
	}
}

// told is what Cache-Status says.
func (fl *filler) told(stored bool) string {
	text := cacheName + "; " + fl.why
	if fl.old != nil {
		text += "; fwd-status=" + strconv.Itoa(fl.status)
	}
	if stored {
		text += "; stored"
	}
	return text
}

// keepOld answers by the stored response, which is good still, or better than an error.
func (fl *filler) keepOld(status int) {
	x := fl.x
	x.now = time.Now()
	if status != http.StatusNotModified {
		if x.rec != nil {
			x.rec.Outcome = fl.before
		}
		fl.f.decide(outcome{entry: fl.old, stale: true})
		x.answer(fl.old, stale, toldError)
		return
	}
	head := responsehead.HeadOf(fl.header, nil)
	fresh, v := x.h.policy.Freshen(fl.old, fl.response(status, head), func(visit func(name, value string)) {
		head.Each(func(name, value string) {
			if !slices.Contains(x.h.tags, name) {
				visit(name, value)
			}
		})
	})
	if tags := httpcache.Tags(head.Values, x.h.tags); len(tags) > 0 {
		fresh.Tags = tags
	}
	if v.Store {
		x.h.store.Save(x.r.Context(), fresh, fl.f.purged)
		fl.f.decide(outcome{entry: fresh})
	} else {
		if !x.authorized() {
			fl.end(fl.old)
		}
		fl.f.decide(outcome{})
		x.h.detach(fl.f)
	}
	fl.forOne(v.Directives.Withheld)
	x.answer(fresh, revalidated, toldValidated)
}

// end removes what is stored, and is not any more.
func (fl *filler) end(e *httpcache.Entry) {
	_, _ = fl.x.h.store.Purge(context.WithoutCancel(fl.x.r.Context()), cachestore.Match{Key: e.Key}, func() {})
}

// forOne sends what a 304 says that is not stored to the client that it is for.
func (fl *filler) forOne(withheld []string) {
	h := fl.x.w.Header()
	for _, name := range slices.Concat(withheld, []string{"Set-Cookie"}) {
		name = http.CanonicalHeaderKey(name)
		if values := fl.header[name]; len(values) > 0 && (name != "Set-Cookie" || !fl.x.h.policy.Cookies) {
			addMissing(h, http.Header{name: values})
		}
	}
}

// store begins to store the response, and to send it.
func (fl *filler) store(status int, v httpcache.Verdict, head responsehead.Head, length int64) {
	x := fl.x
	x.note(miss)
	now := time.Now()
	key := string(x.key)
	vary, _ := httpcache.VaryNames(head.Values("Vary"))
	if names := x.h.key.names(vary); len(names) > 0 {
		key = fl.mark(names, now)
	}
	e := httpcache.NewEntry(key, x.target.url(), status, v, now, head.Each)
	e.Tags = httpcache.Tags(head.Values, x.h.tags)
	e.Fields = slices.DeleteFunc(e.Fields, func(f httpcache.Field) bool { return slices.Contains(x.h.tags, f.Name) })
	e.Init()
	fl.entry, fl.length = e, length
	fl.stream = newStream(x.h.longest, x.h.spare)
	fl.reader, _ = fl.stream.follow()
	fl.f.decide(outcome{entry: e, stream: fl.stream, length: length})
	if length < 0 || !wantsLess(x.r.Header) {
		fl.sendHead()
	}
}

// wantsLess tells of a client that may want less than the whole response.
func wantsLess(h http.Header) bool {
	return len(h["If-None-Match"])+len(h["If-Modified-Since"])+len(h["Range"]) > 0
}

// mark makes the entry that says by what the variants of the URL are told apart, if there is
// none that says it already, and returns the key of this one.
func (fl *filler) mark(names []string, now time.Time) string {
	x := fl.x
	marker := x.h.store.Load(x.r.Context(), x.key)
	if marker == nil || !slices.Equal(marker.Names, names) {
		marker = &httpcache.Entry{Key: string(x.key), URL: x.target.url(), Names: names, Salt: rand.Uint64(), Came: now} //nolint:gosec // it need not be a secret
		x.h.store.Save(x.r.Context(), marker, nil)
	}
	x.marker = marker
	x.varied = variant(append(x.varied[:0], x.key...), marker, x.r)
	return string(x.varied)
}

// sendHead sends the head of a response that is stored, with what is not stored of it.
func (fl *filler) sendHead() {
	x := fl.x
	h := x.w.Header()
	addMissing(h, fl.header)
	for _, name := range x.h.tags {
		delete(h, name)
	}
	if x.h.tell {
		responsehead.HeadOf(h, nil).Add(cacheStatus, fl.told(true))
	}
	if _, dated := h["Date"]; !dated {
		h["Date"] = []string{fl.entry.Get("Date")}
	}
	fl.begun = true
	x.w.WriteHeader(fl.status)
}

func (fl *filler) Write(p []byte) (int, error) {
	if fl.status == 0 {
		fl.WriteHeader(http.StatusOK)
	}
	switch fl.mode {
	case passes:
		return fl.x.w.Write(p)
	case drops:
		return 0, responsehead.ErrDropped
	}
	if !fl.stream.fits(len(p)) && !fl.begun {
		fl.sendHead() // the client gets the whole
	}
	if fl.begun && fl.stream.size()+int64(len(p)) > ahead {
		fl.send()
	}
	fl.stream.add(p)
	return len(p), nil
}

// ReadFrom lets the inner writer use splice, if nothing is stored.
func (fl *filler) ReadFrom(src io.Reader) (int64, error) {
	if fl.status == 0 {
		fl.WriteHeader(http.StatusOK)
	}
	if fl.mode == passes {
		return io.Copy(fl.x.w, src)
	}
	return io.Copy(struct{ io.Writer }{fl}, src)
}

// send has the body sent by a goroutine, as it comes.
func (fl *filler) send() {
	if fl.sending != nil {
		return
	}
	fl.sending = make(chan error, 1)
	w, ctx := fl.x.w, context.WithoutCancel(fl.x.r.Context())
	go func() { // ends with the stream, which ends before the request
		defer fl.reader.leave()
		fl.sending <- fl.reader.copy(ctx, w)
	}()
}

// FlushError is the form of Flush that http.ResponseController looks for.
func (fl *filler) FlushError() error {
	if fl.status == 0 {
		fl.WriteHeader(http.StatusOK)
	}
	switch {
	case fl.mode == passes:
		return http.NewResponseController(fl.x.w).Flush()
	case fl.mode == drops:
		return responsehead.ErrDropped
	case fl.begun:
		if fl.stream.size() == 0 {
			return http.NewResponseController(fl.x.w).Flush()
		}
		fl.send()
	}
	return nil
}

// Flush implements http.Flusher, for handlers that ask for it directly.
func (fl *filler) Flush() { _ = fl.FlushError() }

// Hijack implements http.Hijacker.
func (fl *filler) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buf, err := http.NewResponseController(fl.x.w).Hijack()
	if err == nil {
		fl.mode = passes
		fl.x.note(miss)
		fl.f.decide(outcome{})
	}
	return conn, buf, err
}

// finish ends the response when the handler has returned.
func (fl *filler) finish() {
	if fl.status == 0 && fl.mode == undecided {
		fl.WriteHeader(http.StatusOK)
	}
	if fl.mode != stores {
		return
	}
	x := fl.x
	fl.stream.close(nil)
	body, complete := fl.stream.content()
	if complete && (fl.length < 0 || fl.length == int64(len(body))) {
		e := *fl.entry
		e.Body = body
		x.h.store.Save(context.WithoutCancel(x.r.Context()), &e, fl.f.purged)
		fl.entry = &e
	}
	fl.sendRest()
}

// sendRest ends what the client gets.
func (fl *filler) sendRest() {
	x := fl.x
	var err error
	switch {
	case fl.sending != nil:
		err = <-fl.sending
		fl.sending = nil
	case fl.begun:
		err = fl.reader.copy(context.WithoutCancel(x.r.Context()), x.w)
	case fl.entry.Body == nil && fl.length > 0: // it was shorter than announced
		err = errBroken
	default:
		x.now = time.Now()
		x.send(fl.entry, fl.told(true))
	}
	if err != nil {
		x.breakOff(err)
	}
}

// broken ends what others wait for when the handler has panicked.
func (fl *filler) broken() {
	if fl.mode == stores && fl.stream != nil {
		fl.stream.close(errBroken)
		if fl.sending != nil {
			<-fl.sending
		}
		fl.reader.leave()
	}
}

var errBroken = errors.New("the service did not send it to the end")
