package cache

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"fairway/internal/cachestore"
	"fairway/internal/clientip"
	"fairway/internal/headername"
	"fairway/internal/httpcache"
	"fairway/internal/record"
	"fairway/internal/secret"
	"fairway/middlewares"
)

// Purge says who may remove stored responses, and how. One of sourceRange and token has to
// be given; if both are, a request needs both.
type Purge struct {
	// Method is that of the requests. Default PURGE. Such a request removes what is stored
	// of its URL. With the header Cache-Tag or Surrogate-Key it removes what has one of the
	// tags, and with `X-Purge: prefix` what has a URL that begins as its own; with
	// `X-Purge: all` all that is in the store. The answer says how many responses that were.
	Method string `json:"method,omitempty"`
	// SourceRange lists the addresses, and ranges of them, from which a request may come:
	// those of the peers of connections.
	SourceRange []string `json:"sourceRange,omitempty"`
	// Token is what a request has to bring, as `Authorization: Bearer TOKEN`.
	Token secret.String `json:"token,omitempty"`
}

// SetDefaults fills in what is not zero by default.
func (p *Purge) SetDefaults() { p.Method = "PURGE" }

type purger struct {
	method string
	ranges clientip.Ranges
	token  *[sha256.Size]byte
}

func (p *Purge) build() (*purger, error) {
	switch {
	case p == nil:
		return nil, nil //nolint:nilnil // nobody may
	case len(p.SourceRange) == 0 && p.Token == "":
		return nil, errors.New("purge: sourceRange or token is required: else anybody could")
	case !headername.Valid(p.Method) || p.Method != strings.ToUpper(p.Method):
		return nil, fmt.Errorf("purge: method: %q is no method in capitals", p.Method)
	}
	switch p.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodConnect:
		return nil, fmt.Errorf("purge: method: %s has a meaning of its own", p.Method)
	}
	out := &purger{method: p.Method}
	if len(p.SourceRange) > 0 {
		ranges, err := clientip.ParseRanges(p.SourceRange)
		if err != nil {
			return nil, fmt.Errorf("purge: sourceRange: %w", err)
		}
		out.ranges = ranges
	}
	if p.Token != "" {
		sum := sha256.Sum256([]byte(p.Token.Reveal()))
		out.token = &sum
	}
	return out, nil
}

// allows tells whether r may purge.
func (p *purger) allows(r *http.Request) bool {
	if p.ranges != nil {
		rec := record.From(r.Context())
		if rec == nil || !p.ranges.Contains(rec.ClientIP) {
			return false
		}
	}
	if p.token == nil {
		return true
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(sum[:], p.token[:]) == 1
}

func (h *handler) answerPurge(w http.ResponseWriter, r *http.Request) {
	if !h.purger.allows(r) {
		middlewares.Refuse(w, r, http.StatusForbidden, "cache: the client may not purge")
		return
	}
	n, err := h.purgeFor(r)
	if err != nil {
		middlewares.Refuse(w, r, http.StatusInternalServerError, "cache: purge: "+err.Error())
		return
	}
	w.Header()["Content-Type"] = []string{"application/json"}
	_, _ = w.Write([]byte(`{"purged":` + strconv.Itoa(n) + "}\n"))
}

// purgeFor does what a request asks for.
func (h *handler) purgeFor(r *http.Request) (n int, err error) {
	t := h.key.targetOf(r)
	tags := httpcache.Tags(func(name string) []string { return r.Header[name] }, []string{"Cache-Tag", "Surrogate-Key"})
	how := strings.ToLower(r.Header.Get("X-Purge"))
	switch {
	case len(tags) > 0:
		for _, tag := range tags {
			m, err := h.purge(r.Context(), cachestore.Match{Tag: tag})
			if n += m; err != nil {
				return n, err
			}
		}
		return n, nil
	case how == "prefix":
		return h.purge(r.Context(), cachestore.Match{Prefix: t.url()})
	case how == "all":
		return h.purge(r.Context(), cachestore.Match{All: true})
	}
	return h.forget(r.Context(), t), nil
}
