// Package buffering reads a request to its end before the service gets it, and a
// response before the client gets it: slow clients do not keep a service waiting, too
// long bodies are refused, and a request can be tried again. What streams by its nature
// does not wait: informational responses, WebSocket and other changes of protocol,
// event streams (text/event-stream) and gRPC pass as they come. The limits hold for
// event streams and gRPC, too: a response that grows too long is broken off.
//
// In Traefik event streams and gRPC are held back like everything else, which makes
// them useless. The head of a response tells which kind it is; the body of a request
// by gRPC goes on as it comes only over HTTP/2, where gRPC is at home, so that nobody
// is spared the buffer by saying so in a header.
package buffering

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"fairway/middlewares"
)

const defaultMemory = 1 << 20

// Config is the buffering middleware.
type Config struct {
	// MaxRequestBodyBytes is how long the body of a request may be. A longer one is
	// refused with 413 (Content Too Large, RFC 9110, section 15.5.14). Default 0: no
	// limit.
	MaxRequestBodyBytes int64 `json:"maxRequestBodyBytes,omitempty"`
	// MemRequestBodyBytes is how much of a request's body is kept in memory; what is
	// longer goes to a temporary file, which has no name and goes with the request. The
	// folder for it is that of the variable TMPDIR, else /tmp. Default 1048576 (1 MiB).
	MemRequestBodyBytes int64 `json:"memRequestBodyBytes,omitempty"`
	// MaxResponseBodyBytes is how long the body of a response may be. Instead of a
	// longer one the client gets 500. Default 0: no limit.
	MaxResponseBodyBytes int64 `json:"maxResponseBodyBytes,omitempty"`
	// MemResponseBodyBytes is how much of a response's body is kept in memory, as with
	// memRequestBodyBytes. Default 1048576 (1 MiB).
	MemResponseBodyBytes int64 `json:"memResponseBodyBytes,omitempty"`
	// RetryExpression tries a request again, at once, as long as it is true of the
	// response, up to 10 times in all. It joins these functions by && || ! and
	// parentheses, as in `IsNetworkError() && Attempts() < 2 && RequestMethod() == "GET"`.
	// `Attempts()` is how many times the request has been tried, `ResponseCode()` the
	// status of the response; both are compared with numbers by < <= > >= == !=.
	// `IsNetworkError()` is true of responses with 502 or 504, and of those that broke
	// off. `RequestMethod()` is compared with a text by == or !=; a request that is sent
	// twice may be done twice. Requests by gRPC are not tried again. Default: none are.
	RetryExpression string `json:"retryExpression,omitempty"`
}

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() {
	c.MemRequestBodyBytes, c.MemResponseBodyBytes = defaultMemory, defaultMemory
}

// limits are those of a body.
type limits struct {
	most   int64 // its length; 0: any
	memory int64 // how much of it is kept there
}

// exceeds tells whether a length is too much.
func (l limits) exceeds(length int64) bool { return l.most > 0 && length > l.most }

type handler struct {
	request, response limits
	retry             func(attempt) bool // nil: no request is tried again
	next              http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	for _, option := range []struct {
		name  string
		value int64
	}{
		{"maxRequestBodyBytes", c.MaxRequestBodyBytes},
		{"memRequestBodyBytes", c.MemRequestBodyBytes},
		{"maxResponseBodyBytes", c.MaxResponseBodyBytes},
		{"memResponseBodyBytes", c.MemResponseBodyBytes},
	} {
		if option.value < 0 {
			return nil, errors.New(option.name + " must not be negative")
		}
	}
	h := &handler{
		request:  limits{c.MaxRequestBodyBytes, c.MemRequestBodyBytes},
		response: limits{c.MaxResponseBodyBytes, c.MemResponseBodyBytes},
		next:     next,
	}
	if c.RetryExpression != "" {
		var err error
		if h.retry, err = parse(c.RetryExpression); err != nil {
			return nil, fmt.Errorf("retryExpression: %w", err)
		}
	}
	if h.request.mayNeedDisk() || h.response.mayNeedDisk() {
		env.Keep(func() any { return warnWithoutDisk(env) })
	}
	return h, nil
}

func (l limits) mayNeedDisk() bool { return l.most == 0 || l.most > l.memory }

// warnWithoutDisk says once, and before a body needs it, that there is no folder.
func warnWithoutDisk(env middlewares.Env) any {
	if _, err := os.Stat(os.TempDir()); err != nil {
		env.Log.Warnf("there is no folder for temporary files: what is longer than memRequestBodyBytes or memResponseBodyBytes is answered with 500: %v", err)
	}
	return struct{}{}
}
