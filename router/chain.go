package router

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"fairway/config/dynamic"
	"fairway/internal/record"
	"fairway/middlewares"
)

// chaining is a chain in the making: middlewares in front of a service. Routes have
// one, and so may services. What is looked at on the way is noted: the chain stands
// as long as all of it is the same.
type chaining struct {
	*building
	uses    []use
	within  []string // chains that are being built, to find circles
	built   int      // middlewares so far
	inFront bool     // it stands in front of all routes
	serves  string   // the service at its end

	detailed bool // its parts have spans
}

// use is one thing that was looked at when a chain was built.
type use struct {
	name       string
	middleware *Middleware // nil: there was none
	slot       *Slot       // nil: there was none
	transport  *transport  // nil: there was none
	options    *tlsOptions // nil: there were none
	detailed   bool

	isSlot, isTransport, isOptions, isDetail bool
}

// same tells whether all that a chain was built from is as it was.
func (b *building) same(uses []use) bool {
	for _, u := range uses {
		same := false
		switch {
		case u.isTransport:
			same = b.next.transports[u.name] == u.transport
		case u.isDetail:
			same = b.detailed == u.detailed
		case u.isOptions:
			same = b.next.options[u.name] == u.options
		case u.isSlot:
			slot, err := b.slot(u.name)
			same = err == nil && slot == u.slot
		default:
			same = b.next.middlewares[u.name] == u.middleware
		}
		if !same {
			return false
		}
	}
	return true
}

// kept is what the instances of one middleware share: over routes, and over reloads
// as long as a middleware of that name and type is there.
type kept struct {
	mu    sync.Mutex
	value any
}

// keep returns what is kept, or keeps what fresh makes.
func (k *kept) keep(fresh func() any) any {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.value == nil {
		k.value = fresh()
	}
	return k.value
}

// Kept is what its instances share, or nil.
func (m *Middleware) Kept() any {
	m.kept.mu.Lock()
	defer m.kept.mu.Unlock()
	return m.kept.value
}

// missingError is a name that nothing has.
type missingError struct{ kind, name, near string }

func (e *missingError) Error() string { return fmt.Sprintf("the %s %q does not exist", e.kind, e.name) }

// guardError is a reason that is about what was to guard something: a middleware, or a
// part that was not understood. Nobody else may serve what it stood in front of.
type guardError struct{ error }

func (e *guardError) Unwrap() error { return e.error }

func isGuard(err error) bool {
	_, ok := errors.AsType[*guardError](err)
	return ok
}

// turnedOnBy names the install options of the gateway's own services.
var turnedOnBy = map[string]string{"api@internal": "api", "dashboard@internal": "api", "debug@internal": "api.debug", "ping@internal": "ping", "ready@internal": "ping", "prometheus@internal": "metrics.prometheus"}

// service returns the slot of a service that works.
func (m *chaining) service(name string) (*Slot, error) {
	slot, err := m.slot(name)
	if err != nil {
		return nil, err
	}
	m.uses = append(m.uses, use{name: name, slot: slot, isSlot: true})
	switch {
	case slot == nil && turnedOnBy[name] != "":
		return nil, fmt.Errorf("the service %q is not turned on: that is done by the install option %s", name, turnedOnBy[name])
	case slot == nil:
		return nil, &missingError{"service", name, nearestName(name, m.next.services)}
	case slot.Status == Disabled && slot.closed:
		return nil, &guardError{fmt.Errorf("its service %q is out of use: %s", name, strings.Join(slot.Errors, "; "))}
	case slot.Status == Disabled:
		return nil, fmt.Errorf("its service %q is out of use: %s", name, strings.Join(slot.Errors, "; "))
	}
	return slot, nil
}

// handler is service, for those who only call it.
func (m *chaining) handler(name string) (http.Handler, error) {
	slot, err := m.service(name)
	if err != nil {
		return nil, err
	}
	return m.followed(record.Part{Kind: dynamic.KindService, Name: name, Type: slot.Kind}, slot), nil
}

// wrap puts the named middlewares in front of next, in their order. Its error
// joins those of all of them.
func (m *chaining) wrap(ctx context.Context, names []string, provider string, next http.Handler) (http.Handler, error) {
	var errs []error
	for _, name := range slices.Backward(names) {
		h, err := m.middleware(ctx, dynamic.Qualify(name, provider), next)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		next = h
	}
	slices.Reverse(errs)
	return next, errors.Join(errs...)
}

// mostMiddlewares bounds what chains of chains can make of a few labels.
const mostMiddlewares = 1000

func (m *chaining) middleware(ctx context.Context, name string, next http.Handler) (http.Handler, error) {
	def := m.next.middlewares[name]
	m.uses = append(m.uses, use{name: name, middleware: def})
	switch {
	case def == nil:
		return nil, &missingError{"middleware", name, nearestName(name, m.next.middlewares)}
	case def.Status == Disabled:
		return nil, fmt.Errorf("its middleware %q is out of use: %s", name, strings.Join(def.Errors, "; "))
	case slices.Contains(m.within, name):
		return nil, fmt.Errorf("the middleware %q contains itself: %s", name, strings.Join(append(m.within, name), " > "))
	}
	if m.built++; m.built > mostMiddlewares {
		return nil, fmt.Errorf("its chains come to more than %d middlewares", mostMiddlewares)
	}
	m.within = append(m.within, name)
	defer func() { m.within = m.within[:len(m.within)-1] }()
	provider := dynamic.ProviderOf(name)
	log := m.env.Log.WithField("middleware", name)
	h, err := guarded(func() (http.Handler, error) {
		return def.build.New(ctx, middlewares.Env{
			Name:    name,
			Log:     log,
			Service: func(s string) (http.Handler, error) { return m.handler(dynamic.Qualify(s, provider)) },
			Keep:    def.kept.keep,
			InFront: m.inFront, Consumers: m.env.Consumers, Plans: m.env.Plans, Shared: m.env.Shared, Serves: m.serves,
			Start: func(run func(context.Context)) { m.next.begin = append(m.next.begin, beginning{ctx, aside(log, run)}) },
			Chain: func(names []string, next http.Handler) (http.Handler, error) {
				return m.wrap(ctx, names, provider, next)
			},
		}, next)
	})
	if err != nil {
		return nil, fmt.Errorf("its middleware %q cannot be built: %w", name, err)
	}
	if def.Config.Chain != nil { // nothing by itself
		return h, nil
	}
	return m.followed(record.Part{Kind: dynamic.KindMiddleware, Name: name, Type: def.Kind}, h), nil
}
