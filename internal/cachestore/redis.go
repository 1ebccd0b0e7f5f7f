package cachestore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/sirupsen/logrus"

	"fairway/internal/httpcache"
	"fairway/internal/redisclient"
)

// Redis keeps entries for several gateways. Each is under a hash of its key, and goes by itself
// when it is of no use any more. What purges need is in sorted sets, by the time when it is
// over: one for all URLs, and one for each tag. No command is about two keys, so that a
// cluster serves as well.
//
// When Redis does not answer it is left alone for a moment, and all is a miss.
type Redis struct {
	client *redisclient.Client
	prefix string
	log    logrus.FieldLogger
	away   atomic.Int64 // until when it is left alone, in Unix milliseconds
	saved  atomic.Uint64
}

// NewRedis makes a store.
func NewRedis(client *redisclient.Client, prefix string, log logrus.FieldLogger) *Redis {
	return &Redis{client: client, prefix: prefix, log: log}
}

const (
	answerWithin = time.Second     // of a command
	leftAlone    = 2 * time.Second // after one that failed
	longestKept  = 7 * 24 * time.Hour
	validFor     = 24 * time.Hour // how long what can be validated is kept beyond its lifetime
	sweepEvery   = 256            // entries saved
)

func (r *Redis) do(ctx context.Context, command, key string, args ...any) (any, error) {
	if time.Now().UnixMilli() < r.away.Load() {
		return nil, errAway
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	answer, err := r.client.Do(ctx, command, key, args...)
	if err != nil && !errors.Is(err, redis.ErrNil) {
		if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
			r.away.Store(time.Now().Add(leftAlone).UnixMilli())
		}
		return nil, fmt.Errorf("%s at %s: %w", command, r.client.Address(), err)
	}
	return answer, nil
}

var errAway = errors.New("redis has not answered a moment ago")

func (r *Redis) nameOf(key []byte) string {
	sum := sha256.Sum256(key)
	return r.prefix + "e:" + hex.EncodeToString(sum[:])
}

func (r *Redis) index() string            { return r.prefix + "urls" }
func (r *Redis) tagged(tag string) string { return r.prefix + "tag:" + tag }

// Load implements Store.
func (r *Redis) Load(ctx context.Context, key []byte) *httpcache.Entry {
	text, err := redis.Bytes(r.do(ctx, "GET", r.nameOf(key)))
	switch {
	case errors.Is(err, redis.ErrNil), errors.Is(err, errAway):
		return nil
	case err != nil:
		r.log.Warnf("the cache goes on without what is stored: %v", err)
		return nil
	}
	e, err := httpcache.Decode(text)
	if err != nil {
		r.log.Warnf("a stored response is given up: %v", err)
		return nil
	}
	if e.Key != string(key) {
		return nil
	}
	return e
}

// keptFor is how long an entry is of use.
func keptFor(e *httpcache.Entry) time.Duration {
	if e.Names != nil {
		return longestKept
	}
	more := max(e.StaleIfError, e.StaleWhileRevalidate)
	if e.Get("Etag") != "" || e.Get("Last-Modified") != "" {
		more = max(more, validFor)
	}
	return min(max(e.Lifetime-e.Age, 0)+more, longestKept)
}

// Save implements Store.
func (r *Redis) Save(ctx context.Context, e *httpcache.Entry) {
	keep := keptFor(e)
	if keep < time.Second {
		return
	}
	name, over := r.nameOf([]byte(e.Key)), time.Now().Add(keep).Unix()
	err := r.each(ctx,
		command{"SET", name, []any{httpcache.Encode(nil, e), "PX", keep.Milliseconds()}},
		command{"ZADD", r.index(), []any{over, e.URL + "\x00" + name}},
	)
	sets := []string{r.index()}
	for _, tag := range e.Tags {
		sets = append(sets, r.tagged(tag))
		if err == nil {
			err = r.each(ctx,
				command{"ZADD", r.tagged(tag), []any{over, name}},
				command{"EXPIRE", r.tagged(tag), []any{int(longestKept / time.Second)}},
			)
		}
	}
	if r.saved.Add(1)%sweepEvery == 0 {
		for _, set := range sets { // those of frequent tags come by often enough
			if err == nil {
				_, err = r.do(ctx, "ZREMRANGEBYSCORE", set, "-inf", time.Now().Unix())
			}
		}
	}
	if err != nil && !errors.Is(err, errAway) {
		r.log.Warnf("a response is not stored: %v", err)
	}
}

type command struct {
	name, key string
	args      []any
}

func (r *Redis) each(ctx context.Context, commands ...command) error {
	for _, c := range commands {
		if _, err := r.do(ctx, c.name, c.key, c.args...); err != nil {
			return err
		}
	}
	return nil
}

// Purge implements Store.
func (r *Redis) Purge(ctx context.Context, m Match) (int, error) {
	switch {
	case m.Key != "":
		return redis.Int(r.do(ctx, "DEL", r.nameOf([]byte(m.Key))))
	case m.Tag != "":
		return r.purgeTag(ctx, m.Tag)
	}
	prefix := m.Prefix
	if m.All {
		prefix = ""
	}
	return r.purgeURLs(ctx, prefix)
}

func (r *Redis) purgeTag(ctx context.Context, tag string) (n int, err error) {
	names, err := redis.Strings(r.do(ctx, "ZRANGE", r.tagged(tag), 0, -1))
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		gone, err := redis.Int(r.do(ctx, "DEL", name))
		if err != nil {
			return n, err
		}
		n += gone
	}
	_, err = r.do(ctx, "DEL", r.tagged(tag))
	return n, err
}

// purgeURLs goes through all that there is, a part at a time.
func (r *Redis) purgeURLs(ctx context.Context, prefix string) (n int, err error) {
	cursor := "0"
	for {
		page, err := redis.Values(r.do(ctx, "ZSCAN", r.index(), cursor, "COUNT", 1000))
		if err != nil {
			return n, err
		}
		var pairs []string
		if _, err := redis.Scan(page, &cursor, &pairs); err != nil {
			return n, fmt.Errorf("read the list of URLs: %w", err)
		}
		for i := 0; i+1 < len(pairs); i += 2 {
			url, name, ok := strings.Cut(pairs[i], "\x00")
			if !ok || !strings.HasPrefix(url, prefix) {
				continue
			}
			gone, err := redis.Int(r.do(ctx, "DEL", name))
			if err != nil {
				return n, err
			}
			n += gone
			if _, err := r.do(ctx, "ZREM", r.index(), pairs[i]); err != nil {
				return n, err
			}
		}
		if cursor == "0" {
			return n, nil
		}
	}
}
