// Package idempotency lets clients send a request again without it being carried out twice: a
// request with the header Idempotency-Key (draft-ietf-httpapi-idempotency-key-header) goes to
// the service once, and whoever sends it again gets the same response, with
// `Idempotency-Replayed: true`. While the first one is under way, the others are told 409
// (Conflict), with Retry-After. The same key with another method, URL, content type or body is a
// mistake, and told 422 (Unprocessable Content). The first request goes on when its client has
// gone, so that the response is there when the client asks again.
//
// Keys belong to who sends them: the consumer or user that a middleware in front has found,
// and the values of the headers in scope. A response with 500 and above is not kept, nor one with
// 408, 421, 425 or 429: the key may be used again. Nor is one that is too long or breaks off, and
// then it is told 409 that the request has been carried out.
//
// What is known of keys is in a ledger: in memory, on disk as well if that is wanted (ledger.go,
// disk.go), or in Redis for several gateways (redis.go).
package idempotency

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/answer"
	"fairway/internal/headername"
	"fairway/internal/httpcache"
	"fairway/internal/record"
	"fairway/internal/redisclient"
	"fairway/middlewares"
)

// Config is the idempotency middleware.
type Config struct {
	// Header is the name of the header with the key. Default Idempotency-Key.
	Header string `json:"header,omitempty"`
	// Methods are those of the requests whose key counts. Default "POST, PATCH".
	Methods []string `json:"methods,omitempty"`
	// Required refuses requests of these methods that have no key, with 400 (Bad Request).
	// Default: they pass.
	Required bool `json:"required,omitempty"`
	// TTL is for how long a response is kept. Default 24h.
	TTL types.Duration `json:"ttl,omitempty"`
	// Scope lists headers of the request whose values have keys of their own, beside the
	// consumer or user. Where users are known by a cookie, Cookie should be among them.
	// Default "Authorization".
	Scope []string `json:"scope,omitempty"`
	// MaxRequestBodyBytes is the length of the longest body of a request with a key; a longer
	// one is refused with 413 (Content Too Large). The body is kept in memory while the
	// request is served. Default 1048576, which is 1 MiB.
	MaxRequestBodyBytes int64 `json:"maxRequestBodyBytes,omitempty"`
	// MaxResponseBodyBytes is the length of the longest body that is kept. Default 1048576,
	// which is 1 MiB.
	MaxResponseBodyBytes int64 `json:"maxResponseBodyBytes,omitempty"`
	// MemoryBytes bounds the responses that are kept in memory; beyond that the oldest ones
	// are forgotten. Default 67108864, which is 64 MiB.
	MemoryBytes int64 `json:"memoryBytes,omitempty"`
	// Disk keeps the responses in files as well, so that they are known after a restart.
	Disk *Disk `json:"disk,omitempty"`
	// Redis keeps the responses for several gateways together, in the place of memory. While it
	// is away, requests with a key are refused with 503 (Service Unavailable).
	Redis *redisclient.Config `json:"redis,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// RedisPrefix is what the names in Redis begin with. Default "fairway:idempotency:".
	RedisPrefix string `json:"redisPrefix,omitempty"`
}

// Disk is a store in files.
type Disk struct {
	// Path is a folder that the middleware has for itself. It is made if it is not there.
	// Required.
	Path string `json:"path,omitempty"`
	// MaxBytes bounds the files. Default 1073741824, which is 1 GiB.
	MaxBytes int64 `json:"maxBytes,omitempty"`
}

// SetDefaults fills in what is not zero by default.
func (d *Disk) SetDefaults() { d.MaxBytes = 1 << 30 }

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() {
	c.Header, c.Methods, c.Scope = "Idempotency-Key", []string{http.MethodPost, http.MethodPatch}, []string{"Authorization"}
	c.RedisPrefix = "fairway:idempotency:"
	c.TTL = types.Duration(24 * time.Hour)
	c.MaxRequestBodyBytes, c.MaxResponseBodyBytes, c.MemoryBytes = 1<<20, 1<<20, 64<<20
}

type handler struct {
	header           string
	methods, scope   []string
	required         bool
	ttl              time.Duration
	request, longest int64
	service          string
	ledger           ledger
	env              middlewares.Env
	next             http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(ctx context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	switch {
	case !headername.Valid(c.Header):
		return nil, fmt.Errorf("header: %q is no name of a header", c.Header)
	case len(c.Methods) == 0 || slices.Contains(c.Methods, ""):
		return nil, errors.New("methods: there is none, or an empty one")
	case c.TTL <= 0:
		return nil, errors.New("ttl must be above 0")
	case c.MaxRequestBodyBytes <= 0:
		return nil, errors.New("maxRequestBodyBytes must be above 0")
	case c.MaxResponseBodyBytes <= 0:
		return nil, errors.New("maxResponseBodyBytes must be above 0")
	case c.MemoryBytes <= 0:
		return nil, errors.New("memoryBytes must be above 0")
	case c.Disk != nil && c.Redis != nil:
		return nil, errors.New("disk and redis cannot be given together")
	case c.Disk != nil && c.Disk.Path == "":
		return nil, errors.New("disk: path is required")
	case c.Disk != nil && c.Disk.MaxBytes <= 0:
		return nil, errors.New("disk: maxBytes must be above 0")
	}
	h := &handler{
		header: http.CanonicalHeaderKey(c.Header), methods: c.Methods, required: c.Required, ttl: time.Duration(c.TTL),
		request: c.MaxRequestBodyBytes, longest: c.MaxResponseBodyBytes, service: env.Serves, env: env, next: next,
	}
	for _, name := range c.Scope {
		if !headername.Valid(name) {
			return nil, fmt.Errorf("scope: %q is no name of a header", name)
		}
		h.scope = append(h.scope, http.CanonicalHeaderKey(name))
	}
	kept, _ := env.Keep(func() any { return &kept{memory: newMemory()} }).(*kept)
	var err error
	h.ledger, err = kept.ledger(ctx, c)
	if d := c.Disk; d != nil && err == nil {
		env.Start(func(context.Context) { kept.memory.open(d.Path, d.MaxBytes, env.Log) })
	}
	return h, err
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !slices.Contains(h.methods, r.Method) {
		h.next.ServeHTTP(w, r)
		return
	}
	lines := r.Header[h.header]
	if len(lines) == 0 {
		if h.required {
			middlewares.Refuse(w, r, http.StatusBadRequest, "idempotency: the request has no "+h.header)
			return
		}
		h.next.ServeHTTP(w, r)
		return
	}
	key, ok := keyOf(lines)
	if !ok {
		middlewares.Refuse(w, r, http.StatusBadRequest, "idempotency: the key is none: it has 1 to 255 visible characters")
		return
	}
	body, status, err := h.read(r)
	if err != nil {
		middlewares.Refuse(w, r, status, "idempotency: "+err.Error())
		return
	}
	h.once(w, r, h.nameOf(r, key), body)
}

// longestKey bounds keys: UUIDs have 36 characters.
const longestKey = 255

// keyOf reads the key: a string in quotes, as the draft wants it, or without them, as most
// clients send it.
func keyOf(lines []string) (string, bool) {
	if len(lines) != 1 {
		return "", false
	}
	key := strings.TrimSpace(lines[0])
	if len(key) >= 2 && key[0] == '"' && key[len(key)-1] == '"' {
		key = key[1 : len(key)-1]
	}
	if key == "" || len(key) > longestKey {
		return "", false
	}
	for i := range len(key) {
		if c := key[i]; c <= ' ' || c > '~' || c == '"' {
			return "", false
		}
	}
	return key, true
}

// read takes in the body.
func (h *handler) read(r *http.Request) (body []byte, status int, err error) {
	if r.ContentLength > h.request {
		return nil, http.StatusRequestEntityTooLarge, errors.New("the request is longer than maxRequestBodyBytes")
	}
	if r.Body == nil {
		return nil, 0, nil
	}
	body, err = io.ReadAll(io.LimitReader(r.Body, h.request+1))
	switch {
	case err != nil:
		return nil, http.StatusBadRequest, fmt.Errorf("read the request's body: %w", err)
	case int64(len(body)) > h.request:
		return nil, http.StatusRequestEntityTooLarge, errors.New("the request is longer than maxRequestBodyBytes")
	}
	return body, 0, nil
}

// nameOf is the key together with whom it belongs to. It is a hash: nobody can make one by
// what is in a header, and who reads the ledger learns no credentials.
func (h *handler) nameOf(r *http.Request, key string) string {
	parts := []string{h.service, key}
	if who := record.IdentityOf(r); who != nil {
		if who.Consumer != nil {
			parts = append(parts, who.Consumer.Name)
		}
		parts = append(parts, who.Subject)
	}
	for _, name := range h.scope {
		parts = append(parts, name)
		parts = append(parts, r.Header[name]...)
	}
	return hash(parts...)
}

func hash(parts ...string) string {
	sum := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(sum, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// longestCall is how long a request goes on whose client has gone.
const longestCall = 5 * time.Minute

// once has the request carried out, or sends the response to an earlier one.
func (h *handler) once(w http.ResponseWriter, r *http.Request, name string, body []byte) {
	mark := hash(r.Method, r.Host, r.URL.RequestURI(), r.Header.Get("Content-Type"), string(body))
	found, mine, err := h.ledger.claim(r.Context(), name, mark)
	switch {
	case err != nil:
		w.Header()["Retry-After"] = []string{"1"}
		middlewares.Refuse(w, r, http.StatusServiceUnavailable, fmt.Sprintf("idempotency: ask for the key: %v", err))
		return
	case found.mark != "" && found.mark != mark:
		middlewares.Refuse(w, r, http.StatusUnprocessableEntity, "idempotency: the key has been used for another request")
		return
	case found.response != nil:
		replay(w, found.response)
		return
	case found.done:
		middlewares.Refuse(w, r, http.StatusConflict, "idempotency: the request has been carried out, and its response is not kept")
		return
	case !mine:
		w.Header()["Retry-After"] = []string{"1"}
		middlewares.Refuse(w, r, http.StatusConflict, "idempotency: the first request with this key is under way")
		return
	}
	h.carryOut(w, r, name, mark, body)
}

func (h *handler) carryOut(w http.ResponseWriter, r *http.Request, name, mark string, body []byte) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), longestCall)
	defer cancel()
	c := &capture{ResponseWriter: w, longest: h.longest, before: maps.Clone(w.Header())}
	whole := false
	defer func() { h.settle(r, c, name, mark, whole) }() // also when the handler panics, to break the response off
	out := r.WithContext(ctx)
	out.Header = r.Header.Clone()
	delete(out.Header, "Expect") // the body is here
	out.Body, out.ContentLength, out.TransferEncoding, out.Trailer = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil, nil
	if len(body) == 0 {
		out.Body = http.NoBody
	}
	h.next.ServeHTTP(c, out)
	c.end()
	whole = true
}

// noteWithin is how long the ledger may take to note what became of a request.
const noteWithin = 10 * time.Second

// settle notes what became of a request. Once the service has answered, the request is not
// carried out again, even if its response broke off, or cannot be kept.
func (h *handler) settle(r *http.Request, c *capture, name, mark string, whole bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), noteWithin)
	defer cancel()
	if !isDone(c.status) {
		if err := h.ledger.release(ctx, name); err != nil {
			h.env.Log.Warnf("a key stays taken until its time is over: %v", err)
		}
		return
	}
	k := known{mark: mark, done: true}
	if whole {
		k.response = c.entry()
	}
	err := h.ledger.keep(ctx, name, k, h.ttl)
	if err != nil && k.response != nil {
		h.env.Log.Warnf("a response is not kept for its key: %v", err)
		k.response = nil
		err = h.ledger.keep(ctx, name, k, h.ttl)
	}
	if err != nil {
		h.env.Log.Warnf("a request that has been carried out is not noted, and its key is taken for a while only: %v", err)
	}
}

// isDone tells whether a request that was answered with a status has been carried out, or never
// will be. 0 is none. Some say themselves that it has not been: who was too slow, too early, at
// the wrong server, or one of too many, is to send it again.
func isDone(status int) bool {
	switch status {
	case 0, http.StatusSwitchingProtocols, http.StatusRequestTimeout, http.StatusMisdirectedRequest, http.StatusTooEarly,
		http.StatusTooManyRequests, answer.StatusClientClosedRequest:
		return false
	}
	return status < http.StatusInternalServerError
}

// replay sends a response again.
func replay(w http.ResponseWriter, e *httpcache.Entry) {
	h := w.Header()
	ours := maps.Clone(h)
	for _, f := range e.Fields {
		if _, there := ours[f.Name]; !there || f.Name == "Set-Cookie" {
			h[f.Name] = append(h[f.Name], f.Value)
		}
	}
	if _, named := h["Content-Type"]; !named {
		h["Content-Type"] = nil // a service that names no type has its reasons
	}
	h["Idempotency-Replayed"] = []string{"true"}
	w.WriteHeader(e.Status)
	if len(e.Body) > 0 {
		_, _ = w.Write(e.Body)
	}
}
