package redisclient

import (
	"context"
	"crypto/sha1" // the name that Redis has for scripts
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Script is one in Lua, which a server carries out as a whole.
type Script struct{ text, name string }

// NewScript returns the script of a text.
func NewScript(text string) *Script {
	sum := sha1.Sum([]byte(text))
	return &Script{text, hex.EncodeToString(sum[:])}
}

// Eval runs a script at the server of the first key; in a cluster all keys have to be of one
// slot. The text is sent only if the server does not know it.
func (c *Client) Eval(ctx context.Context, s *Script, keys []string, args ...any) (any, error) {
	key := ""
	if len(keys) > 0 {
		key = keys[0]
	}
	return c.on(ctx, key, newRun(s, keys, args))
}

// EvalEach runs a script without keys at every server that has some.
func (c *Client) EvalEach(ctx context.Context, s *Script, args ...any) ([]any, error) {
	return c.each(ctx, newRun(s, nil, args))
}

// run is a script with its arguments; the first is the place of the name, or the text.
type run struct {
	script *Script
	args   []any
}

func newRun(s *Script, keys []string, args []any) run {
	all := make([]any, 0, 2+len(keys)+len(args))
	all = append(all, s.name, len(keys))
	for _, k := range keys {
		all = append(all, k)
	}
	return run{s, append(all, args...)}
}

func (r run) on(conn redis.Conn, within time.Duration) (any, error) {
	answer, err := redis.DoWithTimeout(conn, within, "EVALSHA", r.args...)
	if text, ok := errors.AsType[redis.Error](err); !ok || !strings.HasPrefix(string(text), "NOSCRIPT") {
		return answer, err
	}
	args := append([]any{r.script.text}, r.args[1:]...)
	return redis.DoWithTimeout(conn, within, "EVAL", args...)
}
