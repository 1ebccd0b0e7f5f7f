package server

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/internal/answer"
	"fairway/internal/record"
	"fairway/internal/responsehead"
	"fairway/telemetry"
)

// observers are told of every exchange of an entry point when it is over.
type observers struct {
	list    []telemetry.Observer
	headers bool                                // some want the fields of responses
	origin  bool                                // and those that servers have answered
	follow  func(*http.Request, *record.Record) // begins a trace; nil: there are none
	log     logrus.FieldLogger
	pool    sync.Pool
}

// observed is what is gathered for observers while a request is served.
type observed struct {
	telemetry.Exchange
	body     countedBody
	response responsehead.Writer
	fields   keptFields
}

// watch begins an exchange: the writer and the request that it returns are those to go
// on with.
func (o *observers) watch(sw statusWriter, r *http.Request, rec *record.Record) (*observed, http.ResponseWriter) {
	x, _ := o.pool.Get().(*observed)
	if x == nil {
		x = &observed{}
	}
	x.Record, x.Request, rec.Timed, rec.Headed = rec, r, true, o.origin
	if _, counts := sw.(bodyCounter); !counts && r.Body != nil && r.Body != http.NoBody {
		x.body.ReadCloser = r.Body
		r.Body = &x.body
	}
	switch {
	case o.follow == nil:
	case rec.Silent.Traces:
		rec.Follow = o.follow
	default:
		o.follow(r, rec)
	}
	if !o.headers {
		return x, sw
	}
	x.response.Init(sw, &x.fields)
	return x, &x.response
}

// tell tells of an exchange that is over. It is deferred, and so comes when the response
// is broken off, too.
func (o *observers) tell(x *observed, sw statusWriter) {
	rec := x.Record
	x.Duration = time.Since(rec.Start)
	x.Status, x.Written = rec.Status, sw.Written()
	if x.Status == 0 {
		x.Status = sw.Status()
	}
	if x.Status == 0 {
		x.Status = answer.StatusClientClosedRequest // nothing was said: the connection broke off
	}
	x.Received = x.body.n.Load()
	if counter, counts := sw.(bodyCounter); counts {
		x.Received = counter.Received()
	}
	x.Received, x.Written = x.Received+rec.Carried.Received, x.Written+rec.Carried.Sent
	if o.headers {
		x.response.Finish() // of a response that was left to the server to send
	}
	x.Response = &x.fields
	for told := 0; told < len(o.list); {
		told = o.tellFrom(told, &x.Exchange)
	}
	if x.body.ReadCloser != nil {
		return // a transport may still hold the body
	}
	clear(x.fields.list)
	*x = observed{fields: keptFields{list: x.fields.list[:0]}}
	o.pool.Put(x)
}

// tellFrom tells the observers from one on, and returns which is next. It sees that a mistake
// of an observer costs no response: that is the last one then.
func (o *observers) tellFrom(first int, e *telemetry.Exchange) (next int) {
	defer func() {
		if reason := recover(); reason != nil {
			o.log.Errorf("panic while a request was written to the log, counted, or traced: %v", reason)
		}
	}()
	next = first
	for _, observer := range o.list[first:] {
		next++ // before: it is not told again
		observer.Observe(e)
	}
	return next
}

// bodyCounter is a writer that knows how much of the request has been read, as that of the
// engine.
type bodyCounter interface{ Received() int64 }

// countedBody is a body that knows how much of it has been read.
type countedBody struct {
	io.ReadCloser
	n atomic.Int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	return n, err
}

// keptFields are those of a response, kept when it begins.
type keptFields struct{ list []headerField }

type headerField struct{ name, value string }

// EditHead implements responsehead.Editor.
func (f *keptFields) EditHead(h responsehead.Head) {
	h.Each(func(name, value string) { f.list = append(f.list, headerField{name, value}) })
}

// Get implements telemetry.Fields.
func (f *keptFields) Get(name string) string {
	for _, field := range f.list {
		if field.name == name {
			return field.value
		}
	}
	return ""
}

// Each implements telemetry.Fields.
func (f *keptFields) Each(visit func(name, value string)) {
	for _, field := range f.list {
		visit(field.name, field.value)
	}
}
