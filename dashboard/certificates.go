package dashboard

import (
	"net/http"
	"time"

	"fairway/internal/secret"
)

// Certificate is what is shown of one that entry points answer with.
type Certificate struct {
	Names     []string   `json:"names"`
	Resolver  string     `json:"resolver,omitempty"` // that gets it; empty: it is the operator's
	File      string     `json:"file,omitempty"`
	Default   bool       `json:"default,omitempty"`
	Routers   []string   `json:"routers,omitempty"` // that asked the resolver for it
	Issuer    string     `json:"issuer,omitempty"`
	Serial    string     `json:"serial,omitempty"`
	NotBefore *time.Time `json:"notBefore,omitempty"` // nil: there is none yet
	NotAfter  *time.Time `json:"notAfter,omitempty"`
	RenewAt   *time.Time `json:"renewAt,omitempty"`
	NextTry   *time.Time `json:"nextTry,omitempty"` // after a failure
	Failures  int        `json:"failures,omitempty"`
	Error     string     `json:"error,omitempty"` // in the words of the authority
	Since     *time.Time `json:"since,omitempty"` // of the error
	Ordering  bool       `json:"ordering,omitempty"`
}

// certificates lists them: those of the operator first.
func (a *api) certificates(*http.Request) (any, error) {
	list := []Certificate{}
	if a.Certificates != nil {
		list = append(list, a.Certificates()...)
	}
	for i := range list {
		list[i].Error = secret.Text(list[i].Error) // it may tell the URL of the authority
	}
	return list, nil
}

// soon is how long before its end a certificate is worth a warning. The page has the same.
const soon = 14 * 24 * time.Hour

func countCertificates(list []Certificate, now time.Time) (n count) {
	for _, c := range list {
		n.Total++
		switch {
		case c.NotAfter == nil && c.Error != "", c.NotAfter != nil && c.NotAfter.Before(now):
			n.Errors++
		case c.Error != "", c.NotAfter != nil && c.NotAfter.Before(now.Add(soon)):
			n.Warnings++
		}
	}
	return n
}
