package wasm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
)

// plugin is a module of WebAssembly with its instances. When it is retired, those that are at work end
// their requests first.
type plugin struct {
	name    string
	config  *Config
	runtime wazero.Runtime
	module  wazero.CompiledModule
	options wazero.ModuleConfig

	mu      sync.Mutex
	idle    []*instance
	waiting int64 // memory of those that are idle
	busy    int
	retired bool
}

// instance is one with a memory of its own. It serves one request at a time.
type instance struct {
	plugin     *plugin
	module     api.Module
	onRequest  api.Function
	onResponse api.Function
	features   uint32 // that it has asked for when it began
	broken     bool
	memory     int64 // that it had when it became idle
}

var (
	errRetired = errors.New("the plugin is retired")
	errBusy    = errors.New("there are maxInstances requests in the plugin")
)

// longestModule is how long a plugin may be, in bytes.
const longestModule = 64 << 20

// load compiles a plugin, and begins with an instance: what is wrong with it is known before the first
// request.
func (c *Config) load(ctx context.Context, h *handler, name string, code []byte) (*plugin, error) {
	if len(code) > longestModule {
		return nil, fmt.Errorf("%s is longer than %d bytes", name, longestModule)
	}
	ctx = context.WithoutCancel(ctx)
	p := &plugin{name: name, config: c, runtime: wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().
		WithCompilationCache(h.kept.code).WithCloseOnContextDone(true).WithMemoryLimitPages(uint32(c.MaxMemoryBytes/page)))}
	p.options = wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize", "_start").
		WithSysWalltime().WithSysNanotime().WithRandSource(rand.Reader)
	err := p.compile(ctx, code)
	if err == nil {
		var first *instance
		if first, err = p.take(ctx); err == nil {
			first.give()
		}
	}
	if err != nil {
		_ = p.runtime.Close(ctx)
		return nil, err
	}
	return p, nil
}

func (p *plugin) compile(ctx context.Context, code []byte) (err error) {
	if code, err = bounded(code); err != nil {
		return fmt.Errorf("%s cannot be compiled: %w", p.name, err)
	}
	if p.module, err = p.runtime.CompileModule(ctx, code); err != nil {
		return fmt.Errorf("%s cannot be compiled: %w", p.name, err)
	}
	for name, kinds := range map[string][2][]api.ValueType{
		"handle_request":  {{}, {api.ValueTypeI64}},
		"handle_response": {{api.ValueTypeI32, api.ValueTypeI32}, {}},
	} {
		f, ok := p.module.ExportedFunctions()[name]
		if !ok || !slices.Equal(f.ParamTypes(), kinds[0]) || !slices.Equal(f.ResultTypes(), kinds[1]) {
			return fmt.Errorf("%s does not export %s as http-wasm has it", p.name, name)
		}
	}
	if p.module.ExportedMemories()["memory"] == nil {
		return fmt.Errorf("%s does not export its memory", p.name)
	}
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, p.runtime); err != nil {
		return fmt.Errorf("begin with WASI: %w", err)
	}
	return p.host(ctx)
}

// take gets an instance, an idle one if there is any.
func (p *plugin) take(ctx context.Context) (*instance, error) {
	p.mu.Lock()
	defer func() { p.mu.Unlock() }()
	switch {
	case p.retired:
		return nil, errRetired
	case p.busy >= p.config.instances():
		return nil, errBusy
	}
	p.busy++
	if n := len(p.idle); n > 0 {
		i := p.idle[n-1]
		p.idle[n-1], p.idle = nil, p.idle[:n-1]
		p.waiting -= i.memory
		return i, nil
	}
	p.mu.Unlock()
	i, err := p.begin(ctx)
	p.mu.Lock()
	if err != nil {
		p.busy--
		p.closeIfDone()
	}
	return i, err
}

// begin makes an instance.
func (p *plugin) begin(ctx context.Context) (*instance, error) {
	i := &instance{plugin: p}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(time.Duration(p.config.Timeout), mostTime))
	defer cancel()
	module, err := p.runtime.InstantiateModule(context.WithValue(ctx, key{}, &exchange{instance: i}), p.module, p.options)
	if err != nil {
		return nil, p.explain(err)
	}
	i.module, i.onRequest, i.onResponse = module, module.ExportedFunction("handle_request"), module.ExportedFunction("handle_response")
	return i, nil
}

// give gives an instance back. One that has failed is given up: nobody knows what it has in it.
func (i *instance) give() {
	p := i.plugin
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy--
	i.memory = int64(i.module.Memory().Size())
	if i.broken || p.retired || len(p.idle) >= mostIdle || len(p.idle) > 0 && p.waiting+i.memory > mostIdleMemory {
		_ = i.module.Close(context.Background())
	} else {
		p.idle = append(p.idle, i)
		p.waiting += i.memory
	}
	p.closeIfDone()
}

// retire ends the plugin, when its last request is over.
func (p *plugin) retire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retired = true
	p.closeIfDone()
}

// closeIfDone is for who holds the lock.
func (p *plugin) closeIfDone() {
	if p.retired && p.busy == 0 && p.module != nil {
		_ = p.runtime.Close(context.Background())
		_ = p.module.Close(context.Background())
		p.module, p.idle = nil, nil
	}
}

// call calls a function of the plugin, within its time.
func (i *instance) call(ctx context.Context, f api.Function, args ...uint64) ([]uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(i.plugin.config.Timeout))
	defer cancel()
	results, err := f.Call(ctx, args...)
	if err != nil {
		i.broken = true
		return nil, i.plugin.explain(err)
	}
	return results, nil
}

// longestMessage bounds what is told of an error.
const longestMessage = 300

// explain tells why a plugin has failed, without the stack of its functions.
func (p *plugin) explain(err error) error {
	text := err.Error()
	if exit, ok := errors.AsType[*sys.ExitError](err); ok && exit.ExitCode() == sys.ExitCodeDeadlineExceeded {
		text = "it takes longer than " + time.Duration(p.config.Timeout).String()
	}
	text, _, _ = strings.Cut(text, "\nwasm stack trace")
	text = strings.ReplaceAll(strings.TrimSuffix(strings.Replace(text, "wasm error: ", "", 1), " (recovered by wazero)"), "\n", "; ")
	if len(text) > longestMessage {
		text = strings.ToValidUTF8(text[:longestMessage], "") + "…"
	}
	return fmt.Errorf("%s: %s", p.name, text)
}
