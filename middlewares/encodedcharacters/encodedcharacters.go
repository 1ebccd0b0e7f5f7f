// Package encodedcharacters refuses requests whose path has a character written as
// %XX that gateway and server could take for different things, such as a slash.
package encodedcharacters

import (
	"context"
	"net/http"

	"fairway/internal/encodedchars"
	"fairway/internal/urlpath"
	"fairway/middlewares"
)

// Config is the encodedCharacters middleware. What is not allowed is refused with
// 400.
type Config struct {
	// AllowEncodedSlash allows "%2F". Default false.
	AllowEncodedSlash bool `json:"allowEncodedSlash,omitempty"`
	// AllowEncodedBackSlash allows "%5C". Default false.
	AllowEncodedBackSlash bool `json:"allowEncodedBackSlash,omitempty"`
	// AllowEncodedNullCharacter allows "%00". Default false.
	AllowEncodedNullCharacter bool `json:"allowEncodedNullCharacter,omitempty"`
	// AllowEncodedSemicolon allows "%3B". Default false.
	AllowEncodedSemicolon bool `json:"allowEncodedSemicolon,omitempty"`
	// AllowEncodedPercent allows "%25". Default false.
	AllowEncodedPercent bool `json:"allowEncodedPercent,omitempty"`
	// AllowEncodedQuestionMark allows "%3F". Default false.
	AllowEncodedQuestionMark bool `json:"allowEncodedQuestionMark,omitempty"`
	// AllowEncodedHash allows "%23". Default false.
	AllowEncodedHash bool `json:"allowEncodedHash,omitempty"`
}

type handler struct {
	table *encodedchars.Table
	next  http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, _ middlewares.Env, next http.Handler) (http.Handler, error) {
	allowed := encodedchars.Allowed{
		Slash: c.AllowEncodedSlash, BackSlash: c.AllowEncodedBackSlash, NullCharacter: c.AllowEncodedNullCharacter,
		Semicolon: c.AllowEncodedSemicolon, Percent: c.AllowEncodedPercent, QuestionMark: c.AllowEncodedQuestionMark,
		Hash: c.AllowEncodedHash,
	}
	return &handler{table: allowed.Table(), next: next}, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if what := h.table.Forbidden(urlpath.AsSent(r.URL)); what != "" {
		middlewares.Refuse(w, r, http.StatusBadRequest, "encodedCharacters: "+what+" is not allowed in a path")
		return
	}
	h.next.ServeHTTP(w, r)
}
