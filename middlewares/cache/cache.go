// Package cache answers from memory what a service has answered before, by the rules for
// shared caches (RFC 9111). A response is stored when it says for how long it is good, by
// Cache-Control, CDN-Cache-Control (RFC 9213) or Expires, or when an option says it: not if
// it is private or no-store, sets a cookie, or answers a request with credentials and is not
// marked as public. Stale ones are validated by ETag or Last-Modified. Requests that come
// while a response is on its way wait for it, so that the service is asked once, and get it
// as it comes. Vary is obeyed, and so are what clients demand in Cache-Control, conditional
// requests and ranges; stale-while-revalidate and stale-if-error (RFC 5861) as well. What
// changes something (POST, PUT, DELETE) makes the stored response for its URL go. The header
// Cache-Status (RFC 9211), the access log and the metrics tell how each request was answered.
//
// A response is stored by service, scheme, host, path and query. Nothing else that clients
// send makes one, but for what Vary and the option key name. Put middlewares that decide who
// may see a response in front of this one, and compress in front of it, too: then one stored
// response serves all encodings.
//
// The rules are in internal/httpcache, the stores below that. Here are the way of a request
// (handler.go), of one that is answered by the service (fill.go), and what those have in
// common that want the same (flight.go, stream.go).
package cache

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/headername"
	"fairway/internal/httpcache"
	"fairway/internal/redisclient"
	"fairway/internal/secret"
	"fairway/internal/sharing"
	"fairway/middlewares"
)

// Config is the cache middleware.
type Config struct {
	// Store is the name of a store that middlewares share which give the same name, and say
	// the same about memory, disk and Redis. Default: each middleware has its own, for all routes
	// that use it. It is kept over reloads.
	Store string `json:"store,omitempty"`
	// MemoryBytes bounds the responses that are kept in memory. Beyond that, those give way
	// that are asked for the least often. Default 268435456, which is 256 MiB.
	MemoryBytes int64 `json:"memoryBytes,omitempty"`
	// Disk keeps responses in files, which are there after a restart. Those that are asked
	// for often are in memory as well.
	Disk *Disk `json:"disk,omitempty"`
	// Redis keeps responses for several gateways together, in the place of memory and disk. How
	// much it keeps is its own affair (maxmemory). While it is away, the cache has nothing.
	Redis *redisclient.Config `json:"redis,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// RedisPrefix is what the names in Redis begin with. Default "fairway:cache:".
	RedisPrefix string `json:"redisPrefix,omitempty"`
	// MaxBodyBytes is the length of the longest body that is stored. Default 8388608, which
	// is 8 MiB.
	MaxBodyBytes int64 `json:"maxBodyBytes,omitempty"`
	// Key says what tells requests apart beside service, scheme, host, path and query.
	Key *Key `json:"key,omitempty"`
	// TTL is for how long responses are fresh that do not say it, by status or range of
	// them, as in "200: 10m" or "400-499: 30s". Default: they are not stored.
	TTL map[string]types.Duration `json:"ttl,omitempty"`
	// HeuristicFraction has responses without any such word, but with Last-Modified, be
	// fresh for this part of the time since they were changed, as 0.1 (RFC 9111, section
	// 4.2.2). Default 0: no guess is made.
	HeuristicFraction float64 `json:"heuristicFraction,omitempty"`
	// HeuristicMax is the longest guess. Default 24h.
	HeuristicMax types.Duration `json:"heuristicMax,omitempty"`
	// StaleWhileRevalidate is for how long a stale response is still sent while it is
	// validated behind the scenes, where it does not say so itself (RFC 5861, section 3).
	// Default 0.
	StaleWhileRevalidate types.Duration `json:"staleWhileRevalidate,omitempty"`
	// StaleIfError is for how long a stale response is sent in the place of an error of the
	// service (500, 502, 503, 504), where it does not say so itself (RFC 5861, section 4).
	// Default 0. Responses that say must-revalidate, proxy-revalidate, s-maxage or no-cache
	// are never sent stale.
	StaleIfError types.Duration `json:"staleIfError,omitempty"`
	// TargetedFields are the headers that count in the place of Cache-Control and Expires if
	// a response has them, the first first (RFC 9213). Surrogate-Control may be one. Default
	// "CDN-Cache-Control".
	TargetedFields []string `json:"targetedFields,omitempty"`
	// TagFields are the headers by which a response names the tags that it can be purged by.
	// They are not sent to clients. Default "Cache-Tag, Surrogate-Key".
	TagFields []string `json:"tagFields,omitempty"`
	// IgnoreRequestDirectives has what clients say in Cache-Control be of no account: they
	// cannot make the service be asked. Default: it counts.
	IgnoreRequestDirectives bool `json:"ignoreRequestDirectives,omitempty"`
	// StoreCookies stores responses with Set-Cookie too, cookie and all. Default: they are
	// not stored, since a cookie is for one client.
	StoreCookies bool `json:"storeCookies,omitempty"`
	// CacheStatus tells clients by the header Cache-Status what the cache has done (RFC
	// 9211). Default true.
	CacheStatus *bool `json:"cacheStatus,omitempty"`
	// CoalesceTimeout is the longest that a request waits for the response to another one
	// for the same, before it is sent to the service itself. Default 10s.
	CoalesceTimeout types.Duration `json:"coalesceTimeout,omitempty"`
	// Purge lets stored responses be removed by a request. Default: nobody may.
	Purge *Purge `json:"purge,omitempty"`
	// Warm lists URLs, as "https://example.com/", that are asked for when the middleware
	// comes into force, so that they are stored before a client asks. Scheme and host are
	// those that clients ask for; the requests pass the middlewares behind this one only.
	Warm []string `json:"warm,omitempty"`
}

// Disk is a store in files.
type Disk struct {
	// Path is a folder that the cache has for itself. It is made if it is not there. Required.
	Path string `json:"path,omitempty"`
	// MaxBytes bounds the files. Default 1073741824, which is 1 GiB.
	MaxBytes int64 `json:"maxBytes,omitempty"`
}

// SetDefaults fills in what is not zero by default.
func (d *Disk) SetDefaults() { d.MaxBytes = 1 << 30 }

// Key is what tells requests apart.
type Key struct {
	// Headers are the names of headers of the request whose values have responses of their own.
	Headers []string `json:"headers,omitempty"`
	// Cookies are the names of cookies whose values have responses of their own.
	Cookies []string `json:"cookies,omitempty"`
	// Query lists the only parameters of the query that count. The service does not get the
	// others of a request that is stored. Default: all count.
	Query []string `json:"query,omitempty"`
	// IgnoreQuery lists parameters of the query that do not count, as "utm_*". The service
	// does not get them with a request that is stored. It cannot be given together with query.
	IgnoreQuery []string `json:"ignoreQuery,omitempty"`
}

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() {
	c.MemoryBytes, c.MaxBodyBytes = 256<<20, 8<<20
	c.HeuristicMax, c.CoalesceTimeout = types.Duration(24*time.Hour), types.Duration(10*time.Second)
	c.RedisPrefix = "fairway:cache:"
	c.TargetedFields, c.TagFields = []string{"CDN-Cache-Control"}, []string{"Cache-Tag", "Surrogate-Key"}
}

type handler struct {
	ctx     context.Context //nolint:containedctx // ends with the instance, and all that is fetched behind the scenes with it
	env     middlewares.Env
	policy  httpcache.Policy
	key     keys
	tags    []string
	longest int64
	wait    time.Duration
	tell    bool // Cache-Status
	deaf    bool // to what clients say in Cache-Control
	purger  *purger
	counts  *counts
	*state
	room chan struct{} // of requests behind the scenes
	next http.Handler
}

// mostBehind bounds the requests behind the scenes.
const mostBehind = 64

// New implements middlewares.Config.
func (c *Config) New(ctx context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	h := &handler{
		ctx: ctx, env: env, next: next, longest: c.MaxBodyBytes, wait: time.Duration(c.CoalesceTimeout),
		tell: c.CacheStatus == nil || *c.CacheStatus, deaf: c.IgnoreRequestDirectives, tags: canonical(c.TagFields),
		room: make(chan struct{}, mostBehind),
	}
	var err error
	if h.policy, err = c.policy(); err != nil {
		return nil, err
	}
	if h.key, err = c.Key.build(); err != nil {
		return nil, err
	}
	h.key.service = env.Serves
	if h.purger, err = c.Purge.build(); err != nil {
		return nil, err
	}
	kept, _ := env.Keep(func() any { return &kept{} }).(*kept)
	if h.state, err = kept.state(ctx, c, env); err != nil {
		return nil, err
	}
	h.counts = &kept.counts
	return h, h.warm(c.Warm)
}

func (c *Config) check() error {
	switch {
	case c.MemoryBytes <= 0:
		return errors.New("memoryBytes must be above 0")
	case c.MaxBodyBytes <= 0:
		return errors.New("maxBodyBytes must be above 0")
	case !(c.HeuristicFraction >= 0 && c.HeuristicFraction <= 1):
		return errors.New("heuristicFraction is not from 0 to 1")
	case c.HeuristicMax < 0:
		return errors.New("heuristicMax must not be negative")
	case c.StaleWhileRevalidate < 0:
		return errors.New("staleWhileRevalidate must not be negative")
	case c.StaleIfError < 0:
		return errors.New("staleIfError must not be negative")
	case c.CoalesceTimeout < 0:
		return errors.New("coalesceTimeout must not be negative")
	case c.Disk != nil && c.Disk.Path == "":
		return errors.New("disk: path is required")
	case c.Disk != nil && c.Redis != nil:
		return errors.New("disk and redis cannot be given together")
	case c.Disk != nil && c.Disk.MaxBytes <= 0:
		return errors.New("disk: maxBytes must be above 0")
	}
	for option, names := range map[string][]string{"targetedFields": c.TargetedFields, "tagFields": c.TagFields} {
		for _, name := range names {
			if !headername.Valid(name) {
				return fmt.Errorf("%s: %q is no name of a header", option, name)
			}
		}
	}
	return nil
}

func (c *Config) policy() (httpcache.Policy, error) {
	ttl, err := ttlOf(c.TTL)
	return httpcache.Policy{
		Targets: canonical(c.TargetedFields), TTL: ttl, Cookies: c.StoreCookies,
		Fraction: c.HeuristicFraction, MostGuessed: time.Duration(c.HeuristicMax),
		StaleWhileRevalidate: time.Duration(c.StaleWhileRevalidate), StaleIfError: time.Duration(c.StaleIfError),
	}, err
}

func canonical(names []string) []string {
	var all []string
	for _, name := range names {
		all = append(all, http.CanonicalHeaderKey(name))
	}
	return all
}

// storeOptions are what two middlewares have the same of whose store is the same.
func (c *Config) storeOptions() string {
	own := []any{"cache", c.Store, c.MemoryBytes, c.Disk, c.RedisPrefix, c.Redis}
	if c.Redis == nil {
		return sharing.Options(own)
	}
	secrets := []secret.String{c.Redis.Password}
	if c.Redis.Sentinel != nil {
		secrets = append(secrets, c.Redis.Sentinel.Password)
	}
	return sharing.Options(own, secrets...)
}
