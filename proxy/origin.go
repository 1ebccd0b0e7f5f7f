package proxy

import (
	"net/http"
	"strconv"
	"time"

	"fairway/internal/record"
)

// timing tells, of a request that somebody watches, what a server answers, and when. Its
// zero value is for all others.
type timing struct {
	rec   *record.Record
	began time.Duration // since the start of the request: that takes one clock to be read, not two
	done  record.Done   // nil: the request is not followed
}

// timed begins with a request before it is given to a server; its headers may be edited
// to tell the server that it is followed. What another one has answered before counts
// no more.
func timed(r *http.Request, target *Target) timing {
	rec := record.From(r.Context())
	if rec == nil || !rec.Timed {
		return timing{}
	}
	rec.Origin = record.Origin{}
	t := timing{rec: rec, began: time.Since(rec.Start)}
	if rec.Trace != nil {
		server := target.URL.Scheme + "://" + target.URL.Host
		if target.PreservePath {
			server += target.URL.EscapedPath()
		}
		t.done = rec.Trace.Attempt(r, server)
	}
	return t
}

// answered notes the head of the answer. addHeader adds its fields to others; it is called
// when somebody wants them.
func (t timing) answered(status int, length int64, addHeader func(http.Header)) {
	if t.rec != nil {
		t.rec.Origin = record.Origin{Status: status, Duration: time.Since(t.rec.Start) - t.began, Length: length}
		if t.rec.Headed {
			t.rec.Origin.Header = http.Header{}
			addHeader(t.rec.Origin.Header)
		}
	}
	if t.done != nil {
		t.done(status, "", nil)
	}
}

// failed notes that there was none.
func (t timing) failed(e *Error) {
	if t.done == nil {
		return
	}
	class := e.Class
	if class == "" {
		class = strconv.Itoa(e.Status)
	}
	t.done(0, class, e)
}
