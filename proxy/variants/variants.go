// Package variants is the service that goes to one of several services by who asks: a phone, a partner, a
// version of an app. A router's rule can look at headers; this looks at what is known behind the router's
// middlewares, too, as the claims of a token.
package variants

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"fairway/internal/requestvalues"
	"fairway/internal/responsehead"
	"fairway/internal/texts"
	"fairway/proxy"
)

// Config of a variants service.
type Config struct {
	// By lists texts, as {header.X-Client}, {path.0} for the first segment of the path, {query.client},
	// {claims.client}, {consumer.plan} or {client}, the class of the User-Agent: mobile, tablet, desktop, bot or
	// other. The first one that is the name of a variant chooses it. Required.
	By []string `json:"by,omitempty"`
	// Services are the names of the services, by variant. Required.
	Services map[string]string `json:"services,omitempty"`
	// Default is the name of the service for all others. Required.
	Default string `json:"default,omitempty"`
}

// New implements proxy.Config.
func (c *Config) New(_ context.Context, env proxy.Env) (proxy.Service, error) {
	switch {
	case len(c.By) == 0:
		return nil, errors.New("by: there is nothing that a variant could be chosen by")
	case len(c.Services) == 0:
		return nil, errors.New("services: there are none")
	case c.Default == "":
		return nil, errors.New("default: it has no service")
	}
	s := &service{variants: map[string]proxy.Child{}}
	for _, text := range c.By {
		t, err := requestvalues.Sources().New(text)
		if err != nil {
			return nil, fmt.Errorf("by: %w", err)
		}
		s.by = append(s.by, t)
		s.vary = append(s.vary, requestvalues.Vary(t)...)
	}
	var err error
	if s.otherwise, err = env.Service(c.Default); err != nil {
		return nil, fmt.Errorf("default: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		child, err := env.Service(c.Services[name])
		if err != nil { // its clients are better served by the default than by nobody
			env.Warn(fmt.Errorf("it goes on without its variant %s: %w", name, err))
			continue
		}
		s.variants[name] = child
	}
	return s, nil
}

// service is a variants service at work.
type service struct {
	by        []texts.Template
	vary      []string
	variants  map[string]proxy.Child
	otherwise proxy.Child
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	child := s.of(r)
	if len(s.vary) == 0 {
		child.ServeHTTP(w, r)
		return
	}
	out := responsehead.New(w, s)
	child.ServeHTTP(out, r)
	out.Finish()
}

// EditHead implements responsehead.Editor: caches have to know what the service was chosen by.
func (s *service) EditHead(h responsehead.Head) {
	for _, value := range s.vary {
		h.Add("Vary", value)
	}
}

// of finds the service for a request.
func (s *service) of(r *http.Request) proxy.Child {
	values := requestvalues.Of(r)
	for _, by := range s.by {
		name, err := by.Render(values.Text, texts.AsItIs, false)
		if child := s.variants[name]; err == nil && child != nil {
			return child
		}
	}
	return s.otherwise
}

// Servers implements proxy.Service: they are those of the services.
func (s *service) Servers() []proxy.ServerStatus { return nil }

// Up implements proxy.Child: each of the services has clients of its own, and so it is up as long as one is.
func (s *service) Up() bool {
	if s.otherwise.Up() {
		return true
	}
	for _, child := range s.variants {
		if child.Up() {
			return true
		}
	}
	return false
}
