// Package authorizer asks a function whether a request may pass, as authorizers of an API Gateway are asked:
// it is told who sends which request, and answers with yes or no, or with a policy. Decisions are kept for a
// while. What the function says of the client is in the events of functions, and in headers.
//
// config.go is what the operator writes, sources.go where a request says who sends it, ask.go the question,
// policy.go what the answer means. Questions and the Invoke interface are internal/lambda.
package authorizer

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"fairway/internal/answer"
	"fairway/internal/consumers"
	"fairway/internal/giveup"
	"fairway/internal/identity"
	"fairway/internal/record"
	"fairway/internal/requesthead"
	"fairway/middlewares"
)

type handler struct {
	asker     *asker
	consumers *consumers.Live
	next      http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(ctx context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	a, err := c.asker(ctx, env)
	if err != nil {
		return nil, err
	}
	return &handler{asker: a, consumers: env.Consumers, next: next}, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := record.From(r.Context())
	rec.SetAuth(false)
	for _, s := range h.asker.sources {
		if s.kind == "query" {
			rec.Hide(s.name)
		}
	}
	from, missing := values(h.asker.sources, r)
	if v := h.asker.valid; missing == "" && v != nil && !v.MatchString(from[0]) {
		missing = "the token does not look like one"
	}
	if missing != "" {
		h.unknown(w, r, missing)
		return
	}
	d, err := h.asker.about(r, from)
	switch {
	case errors.Is(err, errUnauthorized):
		h.unknown(w, r, err.Error())
	case errors.Is(err, errForbidden):
		middlewares.Refuse(w, r, http.StatusForbidden, "authorizer: "+err.Error())
	case err != nil && giveup.Reason(r.Context()) != nil:
		middlewares.Refuse(w, r, giveup.Status(giveup.Reason(r.Context())), giveup.Reason(r.Context()).Error())
	case err != nil && errors.Is(r.Context().Err(), context.Canceled):
		middlewares.Refuse(w, r, answer.StatusClientClosedRequest, "authorizer: the client went away")
	case err != nil: // nobody is let in because something is broken
		middlewares.Refuse(w, r, http.StatusInternalServerError, "authorizer: "+err.Error())
	case !h.asker.allows(d, r):
		middlewares.Refuse(w, r, http.StatusForbidden, "authorizer: it is not allowed to "+name(d))
	default:
		rec.SetAuth(true)
		rec.SetIdentity(h.who(d))
		h.pass(w, r, d)
	}
}

// unknown asks for credentials (RFC 9110, section 15.5.2), where it is known what they are.
func (h *handler) unknown(w http.ResponseWriter, r *http.Request, cause string) {
	if slices.Contains(h.asker.sources, source{"header", "Authorization"}) {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	middlewares.Refuse(w, r, http.StatusUnauthorized, "authorizer: "+cause)
}

func name(d *decision) string {
	if d.who.Subject == "" {
		return "this client"
	}
	return d.who.Subject
}

// who is the identity of a decision, with the consumer whose API key it names.
func (h *handler) who(d *decision) *identity.Identity {
	if d.key == "" {
		return d.who
	}
	consumer := h.consumers.Now().ByAPIKey(d.key)
	if consumer == nil {
		return d.who
	}
	who := *d.who
	who.Consumer, who.Groups = consumer, slices.Clone(consumer.Groups)
	return &who
}

// pass hands a request on, with the headers that only the gateway sets.
func (h *handler) pass(w http.ResponseWriter, r *http.Request, d *decision) {
	var room [8]requesthead.Field
	undo := h.asker.headers.Put(r.Header, d.values, room[:0])
	h.next.ServeHTTP(w, h.asker.headers.Clean(r))
	for _, f := range slices.Backward(undo) {
		f.PutBack()
	}
}
