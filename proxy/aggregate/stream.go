package aggregate

import (
	"context"
	"encoding/json"
	"net/http"

	"fairway/internal/record"
)

// line is what is sent of a part as soon as it is there, and the last one of all.
type line struct {
	Part  string   `json:"part,omitempty"`
	Value any      `json:"value,omitempty"`
	Error *failure `json:"error,omitempty"`
	End   bool     `json:"end,omitempty"`
	// Complete is about all parts that are required; only in the last one.
	Complete *bool `json:"complete,omitempty"`
}

// serveStream sends the parts as they come. The status is said before it is known how they end: the
// last line tells whether all that is required is there.
func (s *service) serveStream(ctx context.Context, w http.ResponseWriter, f *run) {
	h := w.Header()
	h.Set("Content-Type", "application/x-ndjson")
	if s.stream == "sse" {
		h.Set("Content-Type", "text/event-stream")
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	flusher := http.NewResponseController(w)
	send := func(l line) {
		f.mu.Lock()
		text, err := json.Marshal(l)
		f.mu.Unlock()
		if err != nil {
			return
		}
		if s.stream == "sse" {
			text = append(append([]byte("data: "), text...), '\n')
		}
		if _, err := w.Write(append(text, '\n')); err == nil {
			_ = flusher.Flush()
		}
	}
	_ = flusher.Flush()
	outcomes := s.all(ctx, f, func(p *part, o outcome) { send(line{Part: p.name, Value: o.value, Error: o.failed}) })
	worst := s.worst(outcomes)
	if worst != nil {
		record.From(f.client.Context()).Fail("aggregate: the part " + worst.Part + " has failed: " + worst.Cause)
	}
	complete := worst == nil
	send(line{End: true, Complete: &complete})
}
