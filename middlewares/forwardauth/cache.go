package forwardauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"fairway/internal/headername"
	"fairway/internal/remember"
	"fairway/middlewares"
)

// cache has the decisions of all instances of one middleware. A nil cache keeps
// nothing.
//
// A decision is good for requests that the authentication server cannot tell apart. So
// the key is made of all that it is asked with, unless the operator has said which
// headers it gets (authRequestHeaders) or decides by (cache.headers).
type cache struct {
	decisions *remember.Cache[*decision]
	options   string // decisions by other options are others
	ttl       time.Duration
	headers   []string // in every key; without any of them nothing is kept
	others    bool     // the other headers count, too
}

// noise is what no server decides by: what the client wants to be given, and the numbers
// by which somebody follows a request. Other headers may be noise as well, but may also be
// the key to the door.
var noise = map[string]bool{
	"Accept": true, "Accept-Charset": true, "Accept-Encoding": true, "Accept-Language": true,
	"Cache-Control": true, "Pragma": true, "Upgrade-Insecure-Requests": true,
	"Traceparent": true, "Tracestate": true, "X-Request-Id": true,
	"B3": true, "X-B3-Traceid": true, "X-B3-Spanid": true, "X-B3-Parentspanid": true, "X-B3-Sampled": true, "X-B3-Flags": true,
}

// ofCertificate are the headers of passTLSClientCert.
var ofCertificate = []string{"X-Forwarded-Tls-Client-Cert", "X-Forwarded-Tls-Client-Cert-Info"}

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
	most := o.MaxEntries
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
	return k, k.tellApartBy(o.Headers, c.AuthRequestHeaders)
}

// tellApartBy takes over which headers count: those that are said to decide, and those
// that are all the authentication server gets.
func (k *cache) tellApartBy(deciding, sent []string) error {
	for _, name := range deciding {
		if !headername.Valid(name) {
			return fmt.Errorf("cache.headers: %q is no name of a header", name)
		}
	}
	k.headers = slices.Concat(deciding, sent)
	if len(k.headers) == 0 {
		k.headers, k.others = []string{"Authorization", "Cookie"}, true
	}
	k.headers = append(k.headers, ofCertificate...)
	for i, name := range k.headers {
		k.headers[i] = http.CanonicalHeaderKey(name)
	}
	return nil
}

// key is that of the decision about a request, if one may be kept.
func (k *cache) key(h *handler, r *http.Request) (key remember.Key, ok bool) {
	if k == nil {
		return key, false
	}
	parts := append(make([]string, 0, 64), k.options, r.Method)
	for _, name := range k.headers {
		values := r.Header[name]
		ok = ok || len(values) > 0
		parts = appendField(parts, name, values)
	}
	if !ok {
		return key, false
	}
	asked := h.questionHeader(r)
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		if _, told := forwardedFields[name]; told || k.others && !noise[name] {
			parts = appendField(parts, name, asked[name])
		}
	}
	return k.decisions.Key(parts...), true
}

// appendField adds a field in a way that no other fields add the same.
func appendField(parts []string, name string, values []string) []string {
	return append(append(parts, name, strconv.Itoa(len(values))), values...)
}

// mayKeep tells whether an answer is one for the next request, too.
func mayKeep(res *http.Response) bool {
	return len(res.Header["Set-Cookie"]) == 0 && !strings.Contains(strings.ToLower(strings.Join(res.Header["Cache-Control"], ",")), "no-store")
}
