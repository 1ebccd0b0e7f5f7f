package validate

import (
	"net/http"

	"fairway/internal/answer"
	"fairway/internal/holdback"
	"fairway/internal/record"
	"fairway/internal/schema"
)

// expected is what a response has to be.
type expected interface {
	// readable tells whether bodies may be looked at, which have to come whole and not packed then.
	readable() bool
	// holds tells whether a response is looked at, by its head: then it is held back.
	holds(status int, kind string) bool
	// head finds what is wrong with the head; whole: the body is to be looked at, too.
	head(status int, head http.Header) (found []schema.Violation, whole bool)
	// body finds what is wrong with the body.
	body(status int, kind string, text []byte) []schema.Violation
}

// held is the response of a service. What is looked at is held back; all else passes.
type held struct {
	*handler
	*holdback.Writer
	client   http.ResponseWriter
	request  *http.Request
	expected expected
}

func (h *handler) serveHeld(w http.ResponseWriter, r *http.Request, of expected) {
	if of.readable() {
		r = holdback.Plain(r)
	}
	out := &held{handler: h, client: w, request: r, expected: of}
	out.Writer = holdback.New(w, holdback.Rules{Hold: out.looksAt, Most: h.most, TooLong: out.overlong})
	h.next.ServeHTTP(out.Writer, r)
	if out.Held() {
		out.send()
	}
}

// looksAt tells whether a response is looked at. Answers of the gateway's own are not.
func (w *held) looksAt(status int, contentType string) bool {
	if rec := record.From(w.request.Context()); rec != nil && rec.Cause != "" {
		return false
	}
	return w.request.Method != http.MethodHead && w.expected.holds(status, contentType)
}

// overlong is for what is too long to be held back. It passes where that is only reported, and where nothing is wrong
// that can be told without the body.
func (w *held) overlong() bool {
	found, whole := w.expected.head(w.Status(), w.Header())
	if whole {
		found = append(found, schema.Violation{Detail: holdback.ErrTooLong.Error()})
	}
	if len(found) > 0 && !w.report {
		return false
	}
	w.counts.responses.Add(1)
	if len(found) > 0 {
		w.counts.badResponses.Add(1)
		w.note("response", w.request, found)
	}
	return true
}

// send gives the client the response, if it is as it should be.
func (w *held) send() {
	w.counts.responses.Add(1)
	text, tooLong := w.Body()
	found, whole := w.expected.head(w.Status(), w.Header())
	switch encoding := w.Header().Get("Content-Encoding"); {
	case tooLong:
		found = append(found, schema.Violation{Detail: holdback.ErrTooLong.Error()})
	case !whole:
	case encoding != "" && encoding != "identity":
		found = append(found, schema.Violation{Detail: "the service has encoded the body, although it was not asked to"})
	default:
		found = append(found, w.expected.body(w.Status(), w.Header().Get("Content-Type"), text)...)
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

func (c *rule) readable() bool { return true }

// holds is of JSON of the service that says that all went well.
func (c *rule) holds(status int, kind string) bool {
	return status >= 200 && status < 300 && status != http.StatusNoContent && (holdback.IsJSON(kind) || c.required)
}

func (c *rule) head(_ int, head http.Header) (found []schema.Violation, whole bool) {
	if !holdback.IsJSON(head.Get("Content-Type")) {
		return []schema.Violation{{Detail: "a body of JSON is required"}}, false
	}
	return nil, true
}

func (c *rule) body(_ int, _ string, text []byte) []schema.Violation { return c.schema.Check(text) }
