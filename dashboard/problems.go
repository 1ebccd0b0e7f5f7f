package dashboard

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"fairway/config/dynamic"
	"fairway/internal/secret"
)

// problemView is a problem with the time it was first seen.
type problemView struct {
	dynamic.Problem
	Since time.Time `json:"since"`
}

// problemsPerPage is so many that nearly always all of them are told.
const problemsPerPage = 1000

// severities in the order in which they should be mended.
var severities = []dynamic.Severity{dynamic.Error, dynamic.Warning, dynamic.Notice}

// problems answers /api/problems?search=...&severity=...&sortBy=severity&page=...&per_page=...
func (a *api) problems(r *http.Request) (any, error) {
	q := r.URL.Query()
	search, severity := strings.ToLower(q.Get("search")), q.Get("severity")
	found := []dynamic.Problem{}
	for _, p := range a.Problems() {
		if severity != "" && string(p.Severity) != severity {
			continue
		}
		if search == "" || strings.Contains(strings.ToLower(p.String()+" "+p.Provider+" "+p.Name), search) {
			found = append(found, p)
		}
	}
	if q.Get("sortBy") == "severity" {
		slices.SortStableFunc(found, func(a, b dynamic.Problem) int {
			return cmp.Compare(slices.Index(severities, a.Severity), slices.Index(severities, b.Severity))
		})
	}
	cut, err := page(found, q.Get("page"), q.Get("per_page"), problemsPerPage)
	if err != nil {
		return nil, err
	}
	shown := cut.(paged)
	views := []problemView{}
	for _, p := range shown.items.([]dynamic.Problem) {
		since := a.Since(p)
		p.Source, p.Reason = secret.Text(p.Source), secret.Text(p.Reason)
		views = append(views, problemView{p, since})
	}
	shown.items = views
	return shown, nil
}
