// Package server puts the rooms together: providers feed the router, entry points
// serve from it, and all of them begin and end in order.
package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/config"
	"fairway/config/dynamic"
	"fairway/dashboard"
	"fairway/internal/record"
	"fairway/providers"
	"fairway/providers/httpendpoint"
	"fairway/proxy"
	"fairway/proxy/tcp"
	"fairway/router"
	"fairway/telemetry/accesslog"
	"fairway/telemetry/live"
	"fairway/telemetry/traces"
)

// Server is a gateway at work.
type Server struct {
	config      *config.Loaded
	log         logrus.FieldLogger
	router      *router.Router
	https       *https
	accessLog   *accesslog.Log // nil: nobody asked for it
	metrics     counting
	tracer      *traces.Tracer // nil: nobody asked for it
	watch       *providers.Watch
	entryPoints []*entryPoint
	datagrams   []*datagramPoint
	others      atomic.Pointer[otherTables]

	sessions     atomic.Int64   // of UDP, at all entry points
	tcpTransport *tcp.Transport // of services that name none; nil: the usual one
	forwarder    *proxy.Engine
	applying     sync.Mutex
	current      *dynamic.Configuration // in force; for who holds applying
	telling      sync.Mutex
	history      history
	live         *live.Live // nil: nobody can ask for it
	changes      dashboard.History
	ending       chan struct{} // closed when the server begins to stop
	stopping     atomic.Bool
}

// Options of a Server.
type Options struct {
	Config *config.Loaded
	Log    logrus.FieldLogger
	// LogDropped is how many lines of the log could not be written; nil: nobody knows.
	LogDropped func() uint64
	// LogLost is how much of the log could not be sent to a collector; nil: there is none.
	LogLost func() uint64
	Version string
	// Extra providers beside the configured ones, by name.
	Extra map[string]providers.Provider
}

// New builds everything and binds the addresses of the entry points. Nothing is
// served before Run.
func New(o Options) (*Server, error) {
	s := &Server{config: o.Config, log: o.Log, forwarder: proxy.NewEngine(), ending: make(chan struct{})}
	s.live = s.newLive()
	if c := o.Config.ServersTransport; c != nil {
		var err error
		if s.forwarder, err = c.New(); err != nil {
			return nil, fmt.Errorf("option serversTransport.%w", err)
		}
	}
	if c := o.Config.TCPServersTransport; c != nil {
		var err error
		if s.tcpTransport, err = c.New(); err != nil {
			return nil, fmt.Errorf("option tcpServersTransport.%w", err)
		}
	}
	all, err := s.providers(o.Extra)
	if err != nil {
		return nil, err
	}
	if s.https, err = newHTTPS(s.config.Configuration, o.Log, s.tellProblems); err != nil {
		return nil, err
	}
	if c := o.Config.AccessLog; c != nil {
		if s.accessLog, err = c.New(o.Log); err != nil {
			return nil, fmt.Errorf("option accessLog.%w", err)
		}
	}
	if c := o.Config.Tracing; c != nil {
		if s.tracer, err = c.New(o.Log); err != nil {
			return nil, fmt.Errorf("option tracing.%w", err)
		}
	}
	if err := s.newMetrics(o); err != nil {
		return nil, fmt.Errorf("option metrics.%w", err)
	}
	s.router = router.New(router.Env{
		Log: o.Log, EntryPoints: s.routerEntryPoints(), Forwarder: s.forwarder, Internal: s.internal(o, all),
		ErrorPages: o.Config.ErrorPages, Resolvers: s.https.names, Traced: s.tracer != nil, Precedence: o.Config.Providers.Precedence,
	})
	s.watch = &providers.Watch{
		Providers: all, Log: o.Log, Apply: s.apply,
		Throttle: time.Duration(o.Config.Providers.ProvidersThrottleDuration),
	}
	return s, s.listen()
}

// providers makes the configured providers.
func (s *Server) providers(extra map[string]providers.Provider) (map[string]providers.Provider, error) {
	all := map[string]providers.Provider{"internal": internalRoutes(s.config.Configuration)}
	maps.Copy(all, extra)
	configured := map[string]providers.Config{}
	if c := s.config.Providers.Docker; c != nil {
		configured["docker"] = c
	}
	if c := s.config.Providers.Swarm; c != nil {
		configured["swarm"] = c
	}
	if c := s.config.Providers.Etcd; c != nil {
		configured["etcd"] = c
	}
	if c := s.config.Providers.Redis; c != nil {
		configured["redis"] = c
	}
	if c := s.config.Providers.Consul; c != nil {
		maps.Copy(configured, c.Each())
	}
	if c := s.config.Providers.ConsulCatalog; c != nil {
		maps.Copy(configured, c.Each())
	}
	if c := s.config.Providers.HTTP; c != nil {
		configured[httpendpoint.Name] = c
	}
	if c := s.config.Providers.File; c != nil {
		configured["file"] = c
	}
	for name, c := range configured {
		p, err := c.New(s.log.WithField("provider", name))
		if err != nil {
			return nil, fmt.Errorf("option providers.%s: %w", name, err)
		}
		all[name] = p
	}
	return all, nil
}

func (s *Server) routerEntryPoints() []router.EntryPoint {
	asDefault := false
	for _, c := range s.config.EntryPoints {
		asDefault = asDefault || c.AsDefault && !c.Datagrams()
	}
	var points []router.EntryPoint
	for _, name := range slices.Sorted(maps.Keys(s.config.EntryPoints)) {
		c := s.config.EntryPoints[name]
		if c.Datagrams() {
			continue
		}
		points = append(points, router.EntryPoint{
			Name: name, Middlewares: c.HTTP.Middlewares, TLS: c.HTTP.TLS,
			Default: c.AsDefault || !asDefault && name != config.InternalEntryPoint, Detailed: c.Observability.Detail(false),
		})
	}
	return points
}

// internal are the services that the gateway itself answers: those that are turned
// on. No label can open what the operator has not.
func (s *Server) internal(o Options, all map[string]providers.Provider) map[string]http.Handler {
	var names []string
	for name := range all {
		if name != "internal" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	handlers := map[string]http.Handler{
		"noop": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }),
	}
	if c := s.config.API; c != nil {
		handlers["api"] = s.api(o, names)
		if c.Dashboard {
			handlers["dashboard"] = handlers["api"]
		}
		if c.Debug {
			handlers["debug"] = debugHandler()
			handlers["api"] = withDebug(handlers["api"], handlers["debug"])
		}
	}
	if s.metrics.fetched != nil {
		handlers["prometheus"] = s.metrics.fetched.Handler()
	}
	if s.config.Ping != nil {
		handlers["ping"], handlers["ready"] = http.HandlerFunc(s.ping), http.HandlerFunc(s.ready)
	}
	for name, h := range handlers {
		handlers[name] = noted(name+"@internal", h)
	}
	return handlers
}

// noted is a service of the gateway's own that tells the record its name, as load balancers
// do.
func noted(name string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rec := record.From(r.Context()); rec != nil {
			rec.Leaf = name
		}
		h.ServeHTTP(w, r)
	})
}

// listen binds the entry points. One that nobody asked for is left out when that
// fails.
func (s *Server) listen() error {
	passes := newPasses()
	given := takeSockets(os.Getpid(), s.log)
	defer given.closeRest(s.log)
	for _, name := range s.sortedNames() {
		if s.config.EntryPoints[name].Datagrams() {
			d, err := s.listenDatagrams(name, s.config.EntryPoints[name])
			if err != nil {
				return s.closeAll(err)
			}
			s.datagrams = append(s.datagrams, d)
			continue
		}
		e, err := listen(name, s.config.EntryPoints[name], s.router.Handler(name), passes, s.https, s.https.config(name, s.router.Table), given, s.log)
		if err != nil && slices.Contains(s.config.Implied, name) {
			s.log.WithError(err).Warn("an entry point that is there by default is left out")
			continue
		}
		if err != nil {
			return s.closeAll(err)
		}
		e.others = s.others.Load
		e.outer.observers = s.observersOf()
		s.entryPoints = append(s.entryPoints, e)
	}
	if len(s.entryPoints)+len(s.datagrams) == 0 {
		return errors.New("no entry point can be bound")
	}
	return nil
}

// closeAll gives back what is bound, for err.
func (s *Server) closeAll(err error) error {
	for _, bound := range s.entryPoints {
		err = errors.Join(err, bound.close())
	}
	for _, d := range s.datagrams {
		err = errors.Join(err, d.conn.Close())
	}
	return err
}

// longestWait is how long the entry points wait for providers to have said what
// there is, so that a restart does not answer 404 for a moment.
const longestWait = 3 * time.Second

// Run serves until ctx ends, then lets the requests under way end.
func (s *Server) Run(ctx context.Context) error {
	following, unfollow := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.watch.Run(following) })
	running.Go(func() { s.https.run(following) })
	running.Go(func() { s.keepTelling(following) })
	if s.live != nil {
		running.Go(func() { s.live.Run(following) })
	}
	stopLog := s.writeLog()
	stopPushing := s.pushMetrics()
	select {
	case <-s.watch.Heard():
	case <-time.After(longestWait):
		s.log.Warn("serving begins although not every provider has told what there is")
	case <-ctx.Done():
	}
	for _, e := range s.entryPoints {
		running.Go(e.serve)
		opened := s.log.WithFields(logrus.Fields{"entryPoint": e.name, "address": e.listener.Addr().String()})
		if e.http3 != nil {
			opened = opened.WithField("http3", "on")
		}
		opened.Info("entry point is open")
	}
	for _, d := range s.datagrams {
		running.Go(d.sessions.Run)
		d.log.WithField("address", d.conn.LocalAddr().String()).Info("entry point is open")
	}
	<-ctx.Done()
	s.log.Info("stopping: requests under way may end")
	s.stopping.Store(true)
	close(s.ending)
	var ending sync.WaitGroup
	for _, e := range s.entryPoints {
		ending.Go(e.stop)
	}
	for _, d := range s.datagrams {
		_ = d.conn.Close()
	}
	ending.Wait()
	unfollow()
	running.Wait()
	endTogether(s.log, map[string]func(context.Context) error{
		"the last lines of the access log could not be written": stopLog,
		"the last spans could not be sent":                      s.closeTracer,
		"the last metrics could not be sent":                    stopPushing,
	})
	s.router.Table().Retire()
	if t := s.others.Load(); t != nil {
		t.tcp.Retire()
	}
	endTogether(s.log, map[string]func(context.Context) error{"what middlewares keep could not be written": s.router.Rest})
	s.forwarder.CloseIdle()
	s.log.Info("stopped")
	return nil
}

// Addresses returns where the entry points listen, by name.
func (s *Server) Addresses() map[string]string {
	addresses := map[string]string{}
	for _, e := range s.entryPoints {
		addresses[e.name] = e.listener.Addr().String()
	}
	for _, d := range s.datagrams {
		addresses[d.name] = d.conn.LocalAddr().String()
	}
	return addresses
}

// apply puts a configuration in force and tells what is new about it.
func (s *Server) apply(cfg *dynamic.Configuration) {
	s.applying.Lock()
	defer s.applying.Unlock()
	before := s.current
	s.current = cfg
	took := s.enforce()
	s.changes.Note(before, cfg, time.Now(), took)
}

// applyAgain is for files that the configuration names, and that have come meanwhile.
func (s *Server) applyAgain() {
	s.applying.Lock()
	defer s.applying.Unlock()
	s.enforce()
}

func (s *Server) enforce() (took time.Duration) {
	cfg := s.current
	began := time.Now()
	s.https.set(cfg.TLS)
	table := s.router.Apply(cfg)
	s.applyOthers(cfg, table)
	s.https.want(table, wishes(s.others.Load().tcp), cfg.TLS, s.applyAgain)
	s.tellProblems()
	s.keepMetrics(table, began)
	s.keepLive(table)
	took = time.Since(began)
	s.log.WithFields(logrus.Fields{
		"routers": len(table.Routes()), "services": len(table.Services()), "middlewares": len(table.Middlewares()),
		"problems": len(s.problems()), "took": took.Round(time.Microsecond).String(),
	}).Info("configuration is in force")
	return took
}

// problems are those of the table in force, of certificates, and of what middlewares depend on.
func (s *Server) problems() []dynamic.Problem {
	return slices.Concat(s.router.Table().Problems(), s.otherProblems(), s.https.problems(time.Now()), s.troubles())
}

// tellProblems logs what is new about them.
func (s *Server) tellProblems() {
	s.telling.Lock() // whoever looks later tells later
	defer s.telling.Unlock()
	fresh, mended := s.history.update(s.problems())
	for _, p := range fresh {
		entry := s.log.WithFields(fields(p))
		switch {
		case p.Severity == dynamic.Error:
			entry.Error(p.String())
		case p.Severity == dynamic.Warning || p.Key != "": // somebody wrote that key for a purpose
			entry.Warn(p.String())
		default:
			entry.Info(p.String())
		}
	}
	for _, p := range mended {
		s.log.WithFields(fields(p)).Info("mended: " + p.String())
	}
}

// keepTelling looks every minute whether a certificate has run out.
func (s *Server) keepTelling(ctx context.Context) {
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.tellProblems()
		}
	}
}

func fields(p dynamic.Problem) logrus.Fields {
	f := logrus.Fields{"provider": p.Provider}
	if p.Kind != "" && p.Name != "" {
		f[p.Kind] = p.Name
	}
	return f
}

// writeLog writes the access log until stop is called, which waits for the last lines.
func (s *Server) writeLog() (stop func(context.Context) error) {
	if s.accessLog == nil {
		return func(context.Context) error { return nil }
	}
	ctx, cancel := context.WithCancel(context.Background())
	written := make(chan struct{})
	go func() {
		defer close(written)
		s.accessLog.Run(ctx)
	}()
	return func(context.Context) error {
		cancel()
		<-written
		return nil
	}
}

// Reopen opens the file of the access log anew, after it has been renamed.
func (s *Server) Reopen() error {
	if s.accessLog == nil {
		return nil
	}
	return s.accessLog.Reopen()
}

// closeTracer sends the last spans.
func (s *Server) closeTracer(ctx context.Context) error {
	if s.tracer == nil {
		return nil
	}
	return s.tracer.Close(ctx)
}
