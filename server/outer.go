package server

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/config"
	"fairway/internal/answer"
	"fairway/internal/clientip"
	"fairway/internal/headername"
	"fairway/internal/record"
	"fairway/internal/trailers"
	"fairway/router/rule"
)

// outer is what every request passes, in one fixed order: the record is made, a
// panic is caught, the headers of the client are set straight, the path is
// cleaned; then the router takes over, and in the end the record is read.
type outer struct {
	entryPoint string
	log        logrus.FieldLogger
	forwarded  *forwarded
	intake     *intake
	keepAlive  keepAlive
	pace       *pace
	passes     *passes
	https      *https
	next       http.Handler
	classes    bool     // clients are told the classes of failures
	altSvc     []string // tells of HTTP/3, to clients that speak TLS
	lines      lines
	observers  *observers // nil: there are none
	silent     record.Silent
	detailed   bool
	active     atomic.Int64 // requests under way
}

func newOuter(entryPoint string, c *config.EntryPoint, passes *passes, https *https, next http.Handler, log logrus.FieldLogger) (*outer, error) {
	f, err := newForwarded(c.ForwardedHeaders)
	if err != nil {
		return nil, fmt.Errorf("forwardedHeaders: %w", err)
	}
	made := &outer{
		entryPoint: entryPoint, log: log, forwarded: f, intake: newIntake(c.HTTP), keepAlive: newKeepAlive(c.Transport),
		pace: newPace(c.Transport.RespondingTimeouts.MinBodyRate, paceGrace), passes: passes, https: https, next: next, classes: c.HTTP.ProxyStatus,
	}
	c.Observability.Silence(&made.silent)
	made.detailed = c.Observability.Detail(false)
	return made, nil
}

func (o *outer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.active.Add(1)
	defer o.active.Add(-1)
	r, rec := o.begin(r)
	sw, byEngine := w.(statusWriter)
	if !byEngine {
		sw = &noteStatus{ResponseWriter: w}
	}
	w = sw
	if o.observers != nil {
		x, watched := o.observers.watch(sw, r, rec)
		w = watched
		defer o.observers.tell(x, sw) // after finish, which may answer
	}
	defer o.finish(sw, r, rec)
	if o.altSvc != nil && r.TLS != nil {
		sw.Header()["Alt-Svc"] = o.altSvc
	}
	o.forwarded.apply(r, rec) // before anything that answers: the log goes by it
	if !byEngine {            // what the engine has done itself
		o.keepAlive.count(sw, r)
		defer o.pace.watch(sw, r)()
		if status, cause := refuseForeign(r); status != 0 {
			answer.Refuse(w, r, status, cause)
			return
		}
	}
	if o.https.serveChallenge(w, r) {
		return
	}
	taken, status, err := o.take(r)
	if err != nil {
		answer.Refuse(w, r, status, err.Error())
		return
	}
	if taken.Trailer != nil { // nobody tells of the client behind the body
		taken = trailers.Without(taken, func(name string) bool { return isManaged(headername.Plain(name)) })
	}
	o.next.ServeHTTP(w, taken)
}

var errCircle = errors.New("the request goes round in circles: a route leads back to the gateway")

// take sets a request straight, or says with which status, and why, it is refused.
func (o *outer) take(r *http.Request) (taken *http.Request, status int, err error) {
	if err := o.intake.fields(r.Header); err != nil {
		return nil, http.StatusBadRequest, err
	}
	if !o.passes.count(r.Header) {
		return nil, http.StatusLoopDetected, errCircle
	}
	taken, err = o.intake.target(r)
	return taken, http.StatusBadRequest, err
}

// begin makes the record of a request. The engine's context has one in itself.
func (o *outer) begin(r *http.Request) (*http.Request, *record.Record) {
	var rec *record.Record
	if c, ok := r.Context().(record.Carrier); ok {
		rec = c.Record()
	} else {
		rec = &record.Record{}
		r = r.WithContext(record.With(r.Context(), rec))
	}
	rec.Start, rec.EntryPoint, rec.Host, rec.Classes = time.Now(), o.entryPoint, rule.CleanHost(r.Host), o.classes
	rec.Silent, rec.Detailed = o.silent, o.detailed
	if rec.Peer == "" {
		rec.ClientIP = clientip.Peer(r)
		rec.Peer = rec.ClientIP.String()
	}
	return r, rec
}

// finish answers for a handler that panicked, and writes the line of a request
// that did not go well.
func (o *outer) finish(sw statusWriter, r *http.Request, rec *record.Record) {
	reason := recover()
	if reason != nil && reason != http.ErrAbortHandler { //nolint:errorlint // a panic value, compared as net/http does
		rec.Fail(fmt.Sprintf("panic: %v", reason))
		o.log.WithField("stack", string(debug.Stack())).Error("panic while serving a request")
		if sw.Status() == 0 {
			answer.Refuse(sw, r, http.StatusInternalServerError, "")
			reason = nil
		} else {
			reason = http.ErrAbortHandler // the client must see that it is cut off
		}
	}
	if rec.Cause != "" {
		if rec.Status == 0 {
			rec.Status = sw.Status()
		}
		if worthALine(rec) {
			o.line(r, rec)
		}
	}
	if reason != nil {
		panic(reason)
	}
}

// worthALine tells whether the gateway could not get a server's answer. Answers
// that middlewares mean to give are no trouble.
func worthALine(rec *record.Record) bool {
	return rec.Cause != "" && (rec.Status >= 499 || rec.Status < 400 && rec.Server != "")
}

func (o *outer) line(r *http.Request, rec *record.Record) {
	log, write := o.log, logrus.FieldLogger.Warn
	if rec.Status == answer.StatusClientClosedRequest { // the client's own doing, as at the end of every event stream
		write = logrus.FieldLogger.Debug
	} else if left, ok := o.lines.take(time.Now()); !ok {
		return
	} else if left > 0 {
		log = log.WithField("leftOut", left)
	}
	if rec.RequestID != "" {
		log = log.WithField("requestID", rec.RequestID)
	}
	if rec.Attempts > 1 {
		log = log.WithField("attempts", rec.Attempts)
	}
	write(log.WithFields(logrus.Fields{
		"method": r.Method, "host": r.Host, "path": r.URL.Path, "client": rec.ClientIP.String(),
		"status": rec.Status, "router": rec.Router, "service": rec.Service, "server": rec.Server,
		"duration": time.Since(rec.Start).Round(time.Microsecond).String(), "cause": rec.Cause,
	}), "request failed")
}

// statusWriter is a writer that knows its status, as that of the engine.
type statusWriter interface {
	http.ResponseWriter
	Status() int
	Written() int64 // bytes of the body
}

// noteStatus remembers the status for a writer that does not. Everything else of
// the inner writer is reached through Unwrap.
type noteStatus struct {
	http.ResponseWriter
	status  atomic.Int32 // also read by the goroutine of pace
	written int64
}

// Written implements statusWriter.
func (w *noteStatus) Written() int64 { return w.written }

// Status implements statusWriter.
func (w *noteStatus) Status() int { return int(w.status.Load()) }

func (w *noteStatus) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.status.CompareAndSwap(0, int32(status))
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *noteStatus) Write(p []byte) (int, error) {
	w.status.CompareAndSwap(0, http.StatusOK)
	n, err := w.ResponseWriter.Write(p)
	w.written += int64(n)
	return n, err
}

// Unwrap implements the contract of http.ResponseController.
func (w *noteStatus) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush implements http.Flusher, for handlers that ask for it directly.
func (w *noteStatus) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }
