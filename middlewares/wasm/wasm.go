// Package wasm runs a plugin of WebAssembly for each request, which looks at requests and responses,
// changes them, or answers by itself. Plugins are written in any language that compiles to it, against
// the interface of http-wasm (https://http-wasm.io/http-handler-abi/), and run by wazero, without files
// and network.
//
// config.go is what the operator writes, plugin.go a plugin with its instances, tables.go what these may
// take beside their memory, host.go what plugins can
// call, exchange.go the request that it is about. An instance serves one request at a time, and keeps
// what it has in its memory; one that fails is not used again.
package wasm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/tetratelabs/wazero"

	"fairway/internal/freshfile"
	"fairway/internal/mishaps"
	"fairway/middlewares"
)

// kept is what all instances of a middleware share: its mishaps, and the machine code of its plugins.
type kept struct {
	mishaps.Mishaps
	code wazero.CompilationCache
}

type handler struct {
	plugin  func() *plugin
	timeout time.Duration
	most    int64 // of a body
	kept    *kept
	log     logrus.FieldLogger
	next    http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(ctx context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	h := &handler{timeout: time.Duration(c.Timeout), most: c.MaxBodyBytes, log: env.Log, next: next}
	fresh := func() any { return &kept{code: wazero.NewCompilationCache()} }
	var ok bool
	if h.kept, ok = env.Keep(fresh).(*kept); !ok { // of a middleware of the name that was something else
		h.kept, _ = fresh().(*kept)
	}
	if err := c.plugins(ctx, h); err != nil {
		return nil, err
	}
	h.kept.Fresh()
	return h, nil
}

// plugins has the handler find the plugin at any time: it may be in a file that changes.
func (c *Config) plugins(ctx context.Context, h *handler) error {
	if c.File == "" {
		code, err := c.inline()
		if err == nil {
			var p *plugin
			if p, err = c.load(ctx, h, "plugin", code); err == nil {
				h.plugin = func() *plugin { return p }
				context.AfterFunc(ctx, p.retire)
				return nil
			}
		}
		return fmt.Errorf("module: %w", err)
	}
	var last *plugin // whoever reads the file is alone
	file, err := freshfile.Open(c.File, func(code []byte) (*plugin, error) {
		p, err := c.load(ctx, h, filepath.Base(c.File), code)
		if err != nil {
			h.kept.Unusable(err)
			return nil, err
		}
		h.kept.Fresh()
		if last != nil {
			last.retire()
		}
		last = p
		context.AfterFunc(ctx, p.retire)
		return p, nil
	}, h.log)
	if err != nil {
		return fmt.Errorf("file: %w", err)
	}
	h.plugin = file.Value
	return nil
}

// take gets an instance of the plugin that is in force.
func (h *handler) take(ctx context.Context) (*instance, error) {
	for {
		i, err := h.plugin().take(ctx)
		if !errors.Is(err, errRetired) || ctx.Err() != nil {
			return i, err
		}
	}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{handler: h, client: w, r: r}
	defer x.end()
	var err error
	if x.instance, err = h.take(r.Context()); errors.Is(err, errBusy) {
		middlewares.Refuse(w, r, http.StatusServiceUnavailable, "wasm: "+err.Error())
		return
	}
	goesOn := false
	if err == nil {
		x.features = x.instance.features
		goesOn, err = x.request()
	}
	switch {
	case x.refusal != nil:
		middlewares.Refuse(w, r, x.refusal.status, "wasm: "+x.refusal.cause)
	case err != nil:
		h.note(r, err)
		middlewares.Refuse(w, r, http.StatusInternalServerError, "wasm: "+err.Error())
	case !goesOn:
		x.answer()
	default:
		x.serve()
	}
}

// note counts an error, and tells the log of it once in a while.
func (h *handler) note(r *http.Request, err error) {
	if r.Context().Err() == nil && h.kept.Note(err.Error()) { // else the client has gone
		h.log.WithFields(logrus.Fields{"method": r.Method, "path": r.URL.Path}).Warn("a plugin has failed: " + err.Error())
	}
}
