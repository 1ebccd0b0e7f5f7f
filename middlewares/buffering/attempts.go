package buffering

import (
	"errors"
	"net/http"

	"fairway/internal/record"
	"fairway/middlewares"
)

// attempts are those of one request.
type attempts struct {
	*handler
	client  http.ResponseWriter
	request *http.Request
	rec     *record.Record
	body    body
	made    int
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, status, cause := h.readBody(r)
	if status != 0 {
		middlewares.Refuse(w, r, status, cause)
		return
	}
	defer b.close()
	a := &attempts{handler: h, client: w, request: r, rec: record.From(r.Context()), body: b}
	if a.rec == nil {
		a.rec = &record.Record{}
	}
	before := a.rec.Outcome
	for a.try() {
		a.rec.Outcome = before // it has not failed yet
	}
}

// try makes an attempt, and tells whether there is to be another one.
func (a *attempts) try() (again bool) {
	a.made++
	res := newResponse(a)
	defer res.spool.close()
	brokeOff := a.serve(res)
	switch {
	case res.passes:
		if brokeOff || res.err != nil { // the client must not take the part for the whole
			panic(http.ErrAbortHandler)
		}
		return false
	case res.dropped:
		return true
	case a.body.tooLong():
		a.refuse(http.StatusRequestEntityTooLarge, tooLongRequest)
		return false
	case errors.Is(res.err, errTooLong):
		a.refuse(http.StatusInternalServerError, "buffering: the response is longer than maxResponseBodyBytes")
		return false
	case res.err != nil:
		a.refuse(http.StatusInternalServerError, "buffering: keep the response: "+res.err.Error())
		return false
	case brokeOff && a.request.Context().Err() != nil:
		panic(http.ErrAbortHandler) // nobody waits for an answer
	case brokeOff && a.again(http.StatusBadGateway):
		return true
	case brokeOff:
		a.refuse(http.StatusBadGateway, "buffering: the response broke off")
		return false
	}
	res.WriteHeader(http.StatusOK) // for a handler that has said nothing
	switch {
	case res.passes: // there is no more to it
	case res.dropped || a.again(res.status):
		return true
	default:
		res.send()
	}
	return false
}

// serve lets the service answer, and tells whether it broke off.
func (a *attempts) serve(res *response) (brokeOff bool) {
	defer func() {
		switch reason := recover(); reason {
		case nil:
		case http.ErrAbortHandler:
			brokeOff = true
		default:
			panic(reason)
		}
	}()
	a.next.ServeHTTP(res, a.body.request(a.request))
	return false
}

// refuse answers in place of a response that is thrown away. A cause that is in the
// record already stays.
func (a *attempts) refuse(status int, cause string) {
	middlewares.Refuse(a.client, a.request, status, cause)
}

// again tells whether a response with a status calls for another attempt.
func (a *attempts) again(status int) bool {
	if a.retry == nil || a.made >= mostAttempts || a.body.live != nil || a.request.Context().Err() != nil {
		return false
	}
	// Calls by gRPC are answered by the gateway with 200; the record has the status.
	if status == http.StatusOK && a.rec.Status != 0 {
		status = a.rec.Status
	}
	return a.retry(attempt{made: a.made, method: a.request.Method, status: status, network: isNetworkError(status)})
}
