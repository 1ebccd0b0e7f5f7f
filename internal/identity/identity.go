// Package identity has who sends a request, as far as the middlewares on its way have found
// out. It travels in the record of the request, from those who ask who it is to those who
// decide by it, and to the log.
package identity

import "slices"

// Identity is who sends a request. It never changes once it is made: requests with the same
// credentials share one.
type Identity struct {
	// Method is the type of the middleware that found it out, as in "jwt".
	Method string
	// Subject is the name of the user, as the method has it: the claim sub, a user name, the
	// subject of a certificate. It may be empty.
	Subject string
	// Consumer is who that is to this gateway; nil: nobody it knows.
	Consumer *Consumer
	// Groups are those of the consumer, and those that the method knows of.
	Groups []string
	// Claims are what a token says, with its names; nil where there is no token.
	Claims map[string]any
}

// Consumer is somebody, or something, that the configuration knows by name.
type Consumer struct {
	Name   string // qualified
	Groups []string
	Plan   string
	Labels map[string]string
}

// InAny tells whether the identity is in one of the groups. It accepts a nil Identity.
func (i *Identity) InAny(groups []string) bool {
	return i != nil && slices.ContainsFunc(i.Groups, func(g string) bool { return slices.Contains(groups, g) })
}

// Of is the identity of a consumer, whom a method has found.
func (c *Consumer) Of(method, subject string) *Identity {
	return &Identity{Method: method, Subject: subject, Consumer: c, Groups: c.Groups}
}

// And returns what is known when a second middleware has found out more: what the later one
// says goes first, what it does not know stays. Both may be nil.
func (i *Identity) And(later *Identity) *Identity {
	switch {
	case i == nil:
		return later
	case later == nil:
		return i
	}
	both := *later
	if both.Subject == "" {
		both.Subject = i.Subject
	}
	if both.Consumer == nil {
		both.Consumer = i.Consumer
	}
	if both.Claims == nil {
		both.Claims = i.Claims
	}
	both.Groups = slices.Clone(later.Groups)
	for _, group := range i.Groups {
		if !slices.Contains(both.Groups, group) {
			both.Groups = append(both.Groups, group)
		}
	}
	return &both
}

// Facts are all that is known, as claims: consumer.name, consumer.plan, consumer.labels,
// groups, subject, method and claims.
func (i *Identity) Facts() map[string]any {
	groups := make([]any, len(i.Groups))
	for n, g := range i.Groups {
		groups[n] = g
	}
	facts := map[string]any{"method": i.Method, "groups": groups}
	if i.Subject != "" {
		facts["subject"] = i.Subject
	}
	if i.Claims != nil {
		facts["claims"] = i.Claims
	}
	if c := i.Consumer; c != nil {
		labels := make(map[string]any, len(c.Labels))
		for name, value := range c.Labels {
			labels[name] = value
		}
		consumer := map[string]any{"name": c.Name, "labels": labels}
		if c.Plan != "" {
			consumer["plan"] = c.Plan
		}
		facts["consumer"] = consumer
	}
	return facts
}
