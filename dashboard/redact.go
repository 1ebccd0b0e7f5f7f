package dashboard

import (
	"encoding/json"
	"slices"

	"fairway/config/dynamic"
	"fairway/internal/secret"
)

// Options that are secret by themselves show stars wherever they are printed. Others may have
// a secret in them: a URL its password or a value of its query, a header a token. They are
// copied here without it.

// marshalled is an option of the install configuration, or all of it.
func marshalled(v any) (json.RawMessage, error) {
	text, err := json.Marshal(v)
	return secret.JSON(text), err
}

// withoutPasswords copies a service whose servers and checks may have passwords.
func withoutPasswords(s *dynamic.Service) *dynamic.Service {
	if s == nil || s.LoadBalancer == nil {
		return s
	}
	lb := *s.LoadBalancer
	if lb.HealthCheck != nil {
		check := *lb.HealthCheck
		check.Headers = starred(check.Headers)
		check.Path = secret.URL(check.Path)
		lb.HealthCheck = &check
	}
	lb.Servers = slices.Clone(lb.Servers)
	for i := range lb.Servers {
		lb.Servers[i].URL = secret.URL(lb.Servers[i].URL)
	}
	copied := *s
	copied.LoadBalancer = &lb
	return &copied
}

// withoutCredentials copies a middleware that may have credentials in headers and addresses.
func withoutCredentials(m *dynamic.Middleware) *dynamic.Middleware {
	if m == nil {
		return nil
	}
	copied := *m
	switch {
	case m.Headers != nil:
		h := *m.Headers
		h.CustomRequestHeaders = starred(h.CustomRequestHeaders)
		h.CustomResponseHeaders = starred(h.CustomResponseHeaders)
		copied.Headers = &h
	case m.ForwardAuth != nil:
		f := *m.ForwardAuth
		f.Address, f.AuthSigninURL = secret.URL(f.Address), secret.URL(f.AuthSigninURL)
		copied.ForwardAuth = &f
	case m.RedirectRegex != nil:
		r := *m.RedirectRegex
		r.Replacement = secret.Text(r.Replacement)
		copied.RedirectRegex = &r
	case m.Errors != nil:
		e := *m.Errors
		e.Query = secret.URL(e.Query)
		copied.Errors = &e
	}
	return &copied
}

func starred(headers map[string]string) map[string]string {
	if headers == nil {
		return nil
	}
	out := make(map[string]string, len(headers))
	for name, value := range headers {
		if secret.Header(name) {
			value = secret.String(value).String()
		}
		out[name] = secret.Text(value)
	}
	return out
}
