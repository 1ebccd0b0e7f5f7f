// Package policy lets requests pass for which an expression is true. It is written in the
// Common Expression Language, and may be about the request, about who sends it, and about
// its connection.
package policy

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"fairway/internal/expression"
	"fairway/internal/record"
	"fairway/middlewares"
)

// Config is the policy middleware. Expressions see request.method, request.path, request.host,
// request.scheme, request.ip, request.size (of the body, -1: not known), request.headers and
// request.query (by name; header names in lower case, several values with ", " between them);
// identity.known, identity.subject, identity.method and identity.groups; consumer.name,
// consumer.plan and consumer.labels; claims of a token; tls.used, tls.serverName and
// tls.clientSubject; now. inNetwork(request.ip, "10.0.0.0/8") tells whether an address is in a
// network. An expression that fails, for a claim is not there, lets nobody pass.
type Config struct {
	// Allow has to be true of a request that passes.
	Allow string `json:"allow,omitempty"`
	// Deny must not be true of a request that passes.
	Deny string `json:"deny,omitempty"`
	// Status of a refusal: 401, 403, 404 or 429. Default: 403.
	Status int `json:"status,omitempty"`
}

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() { c.Status = http.StatusForbidden }

type handler struct {
	allow, deny *expression.Condition // nil: there is none
	status      int
	next        http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, _ middlewares.Env, next http.Handler) (_ http.Handler, err error) {
	h := &handler{status: c.Status, next: next}
	switch h.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests:
	default:
		return nil, fmt.Errorf("status: %d is none of 401, 403, 404 and 429", c.Status)
	}
	if c.Allow == "" && c.Deny == "" {
		return nil, errors.New("allow or deny is required")
	}
	if h.allow, err = compile(c.Allow); err != nil {
		return nil, fmt.Errorf("allow: %w", err)
	}
	if h.deny, err = compile(c.Deny); err != nil {
		return nil, fmt.Errorf("deny: %w", err)
	}
	return h, nil
}

// compile reads an expression; an empty one is nil.
func compile(text string) (*expression.Condition, error) {
	if text == "" {
		return nil, nil
	}
	return expression.NewCondition(text)
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if cause := h.against(r); cause != "" {
		record.From(r.Context()).SetAuth(false)
		if h.status == http.StatusUnauthorized {
			w.Header().Add("WWW-Authenticate", `Bearer realm="fairway"`)
		}
		middlewares.Refuse(w, r, h.status, "policy: "+cause)
		return
	}
	h.next.ServeHTTP(w, r)
}

// against tells why a request does not pass; empty: it does.
func (h *handler) against(r *http.Request) string {
	if h.deny != nil {
		switch is, err := h.deny.Of(r); {
		case err != nil:
			return "deny: " + err.Error()
		case is:
			return "deny is true of the request"
		}
	}
	if h.allow != nil {
		switch is, err := h.allow.Of(r); {
		case err != nil:
			return "allow: " + err.Error()
		case !is:
			return "allow is not true of the request"
		}
	}
	return ""
}
