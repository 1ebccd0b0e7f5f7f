package retry

import (
	"math/rand/v2"
	"net/http"
	"time"

	"fairway/internal/answer"
	"fairway/internal/attempt"
	"fairway/internal/record"
	"fairway/middlewares"
)

// attempts are those of one request.
type attempts struct {
	*handler
	request *http.Request
	rec     *record.Record
	body    *body     // nil: there is none
	began   time.Time // zero when it does not matter
	made    int
	first   response // of the first attempt, most often the only one
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := record.From(r.Context())
	if rec == nil { // nothing would tell an answer of the gateway's from a server's
		rec = &record.Record{}
		r = r.WithContext(record.With(r.Context(), rec))
	}
	h.budget.earn(h.percent)
	a := &attempts{handler: h, request: r, rec: rec, body: newBody(r, h.maxBody)}
	if h.timeout > 0 {
		a.began = time.Now()
	}
	defer a.body.end(w)
	before := rec.Outcome
	for a.try(w) {
		rec.Outcome = before // it has not failed yet
		if !a.wait() {
			middlewares.Refuse(w, r, answer.StatusClientClosedRequest, "retry: the client went away between two attempts")
			return
		}
	}
}

// try makes an attempt, and tells whether there is to be another one.
func (a *attempts) try(w http.ResponseWriter) (again bool) {
	a.made++
	a.rec.Attempts = a.made
	held := &a.first
	if a.made > 1 {
		held = new(response) // somebody may still have the other one
	}
	held.Init(w, a)
	defer func() {
		reason := recover()
		_, again = held.Refused()
		if again && reason == http.ErrAbortHandler { //nolint:errorlint // a panic value, compared as net/http does
			reason = nil // what was cut off is an answer that nobody sees
		}
		if reason != nil {
			panic(reason)
		}
	}()
	a.next.ServeHTTP(held, a.body.request(a.request))
	held.Finish()
	return false // see above
}

// response is that of one attempt.
type response struct{ attempt.Writer }

// SetReadDeadline is how a service stops reading a body when it is done. It may not do
// so when another attempt reads on.
func (w *response) SetReadDeadline(t time.Time) error {
	if _, refused := w.Refused(); refused {
		return http.ErrNotSupported
	}
	return http.NewResponseController(w.Unwrap()).SetReadDeadline(t)
}

// Refuses tells whether an answer is not good enough, and another attempt may be made.
func (a *attempts) Refuses(status int) bool {
	return a.made < a.attempts && a.failed(status) &&
		(a.nonIdempotent || idempotent(a.request.Method) || a.rec.Cause != "" && a.rec.Unsent) &&
		a.body.whole() &&
		a.request.Context().Err() == nil &&
		(a.timeout == 0 || time.Since(a.began) < a.timeout) &&
		a.budget.spend(a.percent) &&
		a.body.rewind()
}

// failed tells an answer that calls for another attempt. One that the gateway made has
// a cause by the time its status is written; the calls by gRPC among them have status
// 200, and the true one is in the record.
func (a *attempts) failed(status int) bool {
	if a.rec.Cause == "" {
		return a.status.Has(status)
	}
	if a.rec.Status != 0 && status == http.StatusOK {
		status = a.rec.Status
	}
	if status == http.StatusBadGateway || status == http.StatusGatewayTimeout {
		return a.network
	}
	return a.status.Has(status)
}

// wait is what passes between two attempts. It tells whether the client is still there.
func (a *attempts) wait() bool {
	interval := a.interval
	if a.made > 1 {
		interval *= 2
	}
	if interval <= 0 {
		return a.request.Context().Err() == nil
	}
	interval -= rand.N(interval/2 + 1) //nolint:gosec // a delay, not a secret
	timer := time.NewTimer(interval)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-a.request.Context().Done():
		return false
	}
}

// idempotent tells whether a request sent twice does no more than one sent once
// (RFC 9110, section 9.2.2).
func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return false
}
