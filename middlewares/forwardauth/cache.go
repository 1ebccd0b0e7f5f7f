package forwardauth

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"fairway/internal/headername"
	"fairway/internal/remember"
	"fairway/middlewares"
)

// cache has the decisions of all instances of one middleware. A nil cache keeps
// nothing.
type cache struct {
	decisions *remember.Cache[*decision]
	options   string // decisions by other options are others
	ttl       time.Duration
	headers   []string
}

func newCache(c *Config, env middlewares.Env) (*cache, error) {
	o := c.Cache
	switch {
	case o == nil || o.TTL == 0:
		return nil, nil //nolint:nilnil // nothing is kept
	case o.TTL < 0:
		return nil, errors.New("cache.ttl must not be negative")
	case o.MaxEntries < 0:
		return nil, errors.New("cache.maxEntries must not be negative")
	case c.ForwardBody:
		return nil, errors.New("cache: decisions about bodies cannot be kept, so that forwardBody excludes it")
	}
	headers, most := o.Headers, o.MaxEntries
	if len(headers) == 0 {
		headers = []string{"Authorization", "Cookie"}
	}
	if most == 0 {
		most = defaultMaxEntries
	}
	options, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	kept, _ := env.Keep(func() any { return remember.New[*decision](most) }).(*remember.Cache[*decision])
	kept.Limit(most)
	k := &cache{decisions: kept, options: string(options), ttl: time.Duration(o.TTL)}
	for _, name := range headers {
		if !headername.Valid(name) {
			return nil, errors.New("cache.headers: " + name + " is no name of a header")
		}
		k.headers = append(k.headers, http.CanonicalHeaderKey(name))
	}
	return k, nil
}

// key is that of the decision about a request, if one may be kept.
func (k *cache) key(h *handler, r *http.Request) (key remember.Key, ok bool) {
	if k == nil {
		return key, false
	}
	forwarded := h.forwardedHeaders(r)
	parts := make([]string, 0, 16)
	parts = append(parts, k.options, forwarded[forwardedFor], forwarded[forwardedMethod], forwarded[forwardedProto],
		forwarded[forwardedHost], forwarded[forwardedURI])
	for _, name := range k.headers {
		values := r.Header[name]
		ok = ok || len(values) > 0
		parts = append(append(parts, strconv.Itoa(len(values))), values...)
	}
	if !ok {
		return key, false
	}
	return k.decisions.Key(parts...), true
}

// mayKeep tells whether an answer is one for the next request, too.
func mayKeep(res *http.Response) bool {
	return len(res.Header["Set-Cookie"]) == 0 && !strings.Contains(strings.ToLower(strings.Join(res.Header["Cache-Control"], ",")), "no-store")
}
