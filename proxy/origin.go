package proxy

import (
	"net/http"
	"time"

	"fairway/internal/record"
)

// timing notes in the record of a request what a server answers, and when. Its zero value
// is for a request that nobody watches.
type timing struct {
	rec   *record.Record
	began time.Time
}

// timed begins with the request that is given to a server. What another one has answered
// before counts no more.
func timed(r *http.Request) timing {
	rec := record.From(r.Context())
	if rec == nil || !rec.Timed {
		return timing{}
	}
	rec.Origin = record.Origin{}
	return timing{rec, time.Now()}
}

// answered notes the head of the answer.
func (t timing) answered(status int, length int64) {
	if t.rec != nil {
		t.rec.Origin = record.Origin{Status: status, Duration: time.Since(t.began), Length: length}
	}
}
