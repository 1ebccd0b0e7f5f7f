package transform

import (
	"net/http"
	"strings"

	"fairway/internal/jq"
	"fairway/internal/requestvalues"
)

// sources are what values of texts may be of.
var sources = requestvalues.Sources()

// values are what texts and expressions see of a request, as it came.
type values struct{ *requestvalues.Values }

func valuesOf(r *http.Request) *values { return &values{requestvalues.Of(r)} }

// variableNames are those that expressions know, in the order of variables.
var variableNames = []string{"$request", "$claims", "$consumer", "$status", "$headers"}

// variables are their values; status and header are those of a response.
func (v *values) variables(status int, header http.Header) []any {
	query := map[string]any{}
	for name, all := range v.Query {
		query[name] = all[0]
	}
	var said any = map[string]any{}
	if v.Who != nil && v.Who.Claims != nil {
		said = jq.Copy(v.Who.Claims)
	}
	return []any{
		map[string]any{"method": v.Method, "host": v.Host, "path": v.Path, "query": query, "headers": byName(v.Header)},
		said, v.Consumer(), status, byName(header),
	}
}

func byName(h http.Header) map[string]any {
	out := map[string]any{}
	for name, all := range h {
		out[strings.ToLower(name)] = strings.Join(all, ", ")
	}
	return out
}
