// Package acl lets those pass who may, of those that middlewares in front of it have found
// out who they are, and tells the service about them.
package acl

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"fairway/internal/claims"
	"fairway/internal/consumers"
	"fairway/internal/identity"
	"fairway/internal/record"
	"fairway/internal/requesthead"
	"fairway/middlewares"
)

// Config is the acl middleware. It stands behind one that asks who a client is: apiKey,
// basicAuth, digestAuth, introspection, jwt, ldapAuth, mtls or oidc. Who is on a list of those
// that are denied does not pass; if there is a list of those that are allowed, only they do.
// Without any list everybody passes of whom it is known who it is. Others are answered 403.
type Config struct {
	// AllowGroups are groups whose members pass.
	AllowGroups []string `json:"allowGroups,omitempty"`
	// DenyGroups are groups whose members do not pass.
	DenyGroups []string `json:"denyGroups,omitempty"`
	// AllowConsumers are names of consumers that pass; those of other providers with it, as in
	// ann@file.
	AllowConsumers []string `json:"allowConsumers,omitempty"`
	// DenyConsumers are names of consumers that do not pass.
	DenyConsumers []string `json:"denyConsumers,omitempty"`
	// ForwardHeaders are headers that tell the service who it is, by what is known: consumer.name
	// (with its provider), consumer.plan, consumer.labels.NAME, groups, subject, method, and
	// claims.PATH of a token. What clients send in these headers never reaches the service.
	ForwardHeaders map[string]string `json:"forwardHeaders,omitempty"`
}

// NamesConsumers returns those on the lists, with that provider where none is written.
func (c *Config) NamesConsumers(provider string) []string {
	return consumers.Qualified(slices.Concat(c.AllowConsumers, c.DenyConsumers), provider)
}

type handler struct {
	allow, deny lists
	anybody     bool // there is no list of those that are allowed
	headers     *claims.Headers
	tells       bool
	next        http.Handler
}

type lists struct{ groups, consumers []string }

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	provider := env.Name[strings.LastIndexByte(env.Name, '@')+1:]
	h := &handler{
		allow: lists{c.AllowGroups, consumers.Qualified(c.AllowConsumers, provider)}, deny: lists{c.DenyGroups, consumers.Qualified(c.DenyConsumers, provider)},
		anybody: len(c.AllowGroups)+len(c.AllowConsumers) == 0, tells: len(c.ForwardHeaders) > 0, next: next,
	}
	for header, path := range c.ForwardHeaders {
		if !knows(path) {
			return nil, fmt.Errorf("forwardHeaders: %s: %q is none of consumer.name, consumer.plan, consumer.labels.NAME, groups, subject, method and claims.PATH", header, path)
		}
	}
	var err error
	if h.headers, err = claims.NewHeaders(c.ForwardHeaders); err != nil {
		return nil, fmt.Errorf("forwardHeaders: %w", err)
	}
	return h, nil
}

func knows(path string) bool {
	return slices.Contains([]string{"consumer.name", "consumer.plan", "groups", "subject", "method"}, path) ||
		strings.HasPrefix(path, "consumer.labels.") || strings.HasPrefix(path, "claims.")
}

func (l lists) have(who *identity.Identity) bool {
	return who.InAny(l.groups) || who.Consumer != nil && slices.Contains(l.consumers, who.Consumer.Name)
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	who := record.IdentityOf(r)
	switch {
	case who == nil:
		h.refuse(w, r, "acl: nobody has found out who the client is")
		return
	case h.deny.have(who):
		h.refuse(w, r, "acl: "+named(who)+" is denied")
		return
	case !h.anybody && !h.allow.have(who):
		h.refuse(w, r, "acl: "+named(who)+" is not among those that are allowed")
		return
	case !h.tells:
		h.next.ServeHTTP(w, r)
		return
	}
	var room [8]requesthead.Field
	undo := h.headers.Put(r.Header, h.headers.Values(who.Facts()), room[:0])
	h.next.ServeHTTP(w, h.headers.Clean(r))
	for _, f := range slices.Backward(undo) {
		f.PutBack()
	}
}

func (h *handler) refuse(w http.ResponseWriter, r *http.Request, cause string) {
	record.From(r.Context()).SetAuth(false)
	middlewares.Refuse(w, r, http.StatusForbidden, cause)
}

func named(who *identity.Identity) string {
	switch {
	case who.Consumer != nil:
		return "the consumer " + who.Consumer.Name
	case who.Subject != "":
		return fmt.Sprintf("%q", who.Subject)
	}
	return "the client"
}
