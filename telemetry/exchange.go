// Package telemetry is what the log, the metrics and the traces have in common: one
// request with its response, told once, when it is over.
package telemetry

import (
	"net/http"
	"time"

	"fairway/internal/record"
)

// Exchange is a request and its response. It is valid only while an Observer is told of
// it: who needs more of it copies that.
type Exchange struct {
	Record   *record.Record
	Request  *http.Request // as the client has sent it, with the path cleaned
	Duration time.Duration // from the head of the request to the end of the response
	Status   int           // that the client got; 499: it went away
	Received int64         // bytes of the request's body that have been read
	Written  int64         // bytes of the response's body
	Response Fields        // of the response that the client got
}

// Fields are those of a head. Names are in canonical form.
type Fields interface {
	Get(name string) string
	// Each calls visit for every field, in no order.
	Each(visit func(name, value string))
}

// Observer is told of exchanges. It is called by the goroutines that serve them, at the
// same time, and must neither wait nor panic.
type Observer interface {
	Observe(e *Exchange)
}
