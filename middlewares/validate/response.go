package validate

import (
	"net/http"

	"fairway/internal/answer"
	"fairway/internal/holdback"
	"fairway/internal/record"
	"fairway/internal/schema"
)

// held is the response of a service. JSON is held back until it was looked at; all else passes.
type held struct {
	*handler
	*holdback.Writer
	client  http.ResponseWriter
	request *http.Request
}

func (h *handler) serveHeld(w http.ResponseWriter, r *http.Request) {
	r = holdback.Plain(r)
	out := &held{handler: h, client: w, request: r}
	out.Writer = holdback.New(w, holdback.Rules{Hold: out.looksAt, Most: h.most, TooLong: out.overlong})
	h.next.ServeHTTP(out.Writer, r)
	if out.Held() {
		out.send()
	}
}

// looksAt tells whether a response is looked at: JSON of the service that says that all went well.
func (w *held) looksAt(status int, contentType string) bool {
	if rec := record.From(w.request.Context()); rec != nil && rec.Cause != "" {
		return false
	}
	return status >= 200 && status < 300 && status != http.StatusNoContent && w.request.Method != http.MethodHead && (holdback.IsJSON(contentType) || w.response.required)
}

// overlong is for what is too long to be looked at: where that is only reported it passes.
func (w *held) overlong() bool {
	if !w.report {
		return false
	}
	w.counts.responses.Add(1)
	w.counts.badResponses.Add(1)
	w.note("response", w.request, []schema.Violation{{Detail: holdback.ErrTooLong.Error()}})
	return true
}

// send gives the client the response, if it is as it should be.
func (w *held) send() {
	w.counts.responses.Add(1)
	var found []schema.Violation
	text, tooLong := w.Body()
	switch encoding := w.Header().Get("Content-Encoding"); {
	case tooLong:
		found = []schema.Violation{{Detail: holdback.ErrTooLong.Error()}}
	case encoding != "" && encoding != "identity":
		found = []schema.Violation{{Detail: "the service has encoded the body, although it was not asked to"}}
	case !holdback.IsJSON(w.Header().Get("Content-Type")):
		found = []schema.Violation{{Detail: "a body of JSON is required"}}
	default:
		found = w.response.schema.Check(text)
	}
	if len(found) > 0 {
		w.counts.badResponses.Add(1)
		if !w.report {
			answer.Refuse(w.client, w.request, http.StatusBadGateway, "validate: response: "+found[0].String())
			return
		}
		w.note("response", w.request, found)
	}
	w.Give()
	w.client.WriteHeader(w.Status())
	_, _ = w.client.Write(text)
}
