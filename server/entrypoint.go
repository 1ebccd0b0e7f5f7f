package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/config"
	"fairway/http1"
)

// entryPoint listens at one address and serves what comes in. HTTP/1.1 is served
// by fairway's engine, HTTP/2 by the standard library, both with one handler; which
// of them, and whether TLS is spoken, is seen from the first bytes of a connection.
type entryPoint struct {
	name     string
	log      logrus.FieldLogger
	config   *config.EntryPoint
	outer    *outer
	listener net.Listener
	proxied  proxied
	tls      *tls.Config
	engine   *http1.Server // nil when the standard library serves everything
	standard *http.Server
	feed     *feed        // of standard
	http3    *http3Server // nil unless it is turned on
	open     atomic.Int64 // connections that the standard library serves
	refused  *refused     // by the engine
	cutOff   atomic.Bool  // the time to let requests end is over

	// Connections for routers of TCP.
	https       *https
	others      func() *otherTables
	streamsOpen atomic.Int64
	streamsEnd  context.Context //nolint:containedctx // ends when they are cut off
	endStreams  context.CancelFunc
}

// listen opens an entry point, by a socket that was given or one of its own.
func listen(name string, c *config.EntryPoint, handler http.Handler, passes *passes, https *https, secure *tls.Config, given sockets, log logrus.FieldLogger) (*entryPoint, error) {
	log = log.WithField("entryPoint", name)
	o, err := newOuter(name, c, passes, https, handler, log)
	if err != nil {
		return nil, fmt.Errorf("entry point %s: %w", name, err)
	}
	p, err := newProxied(c.ProxyProtocol)
	if err != nil {
		return nil, fmt.Errorf("entry point %s: proxyProtocol: %w", name, err)
	}
	l, err := open(name, c, given)
	if err != nil {
		return nil, err
	}
	e := &entryPoint{name: name, log: log, config: c, outer: o, proxied: p, listener: l, feed: newFeed(l.Addr()), refused: newRefused(log)}
	e.tls, e.https = secure, https
	e.streamsEnd, e.endStreams = context.WithCancel(context.Background())
	e.standard = e.standardServer()
	if c.Engine != "std" {
		e.engine = e.engineServer()
	}
	if err := e.listenHTTP3(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return e, nil
}

// serve works until stop.
func (e *entryPoint) serve() {
	var running sync.WaitGroup
	running.Go(func() {
		if err := e.standard.Serve(e.feed); err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			e.log.WithError(err).Error("entry point stopped")
		}
	})
	if e.outer.pace.rate > 0 {
		running.Go(func() { e.outer.pace.run(paceTick, e.feed.closed) })
	}
	if e.http3 != nil {
		running.Go(e.http3.serve)
	}
	e.accept()
	close(e.feed.closed)
	running.Wait()
}

// accept takes connections until the listener is closed.
func (e *entryPoint) accept() {
	var pause time.Duration
	for {
		conn, err := e.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			// Out of file descriptors, or the like: others may close theirs.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			time.Sleep(pause)
			continue
		}
		pause = 0
		if tcp, ok := conn.(*net.TCPConn); ok {
			go e.welcome(tcp) // ends with the connection, which the servers see to
		} else {
			_ = conn.Close()
		}
	}
}

// welcome finds out whom a connection is from and what it speaks, and serves it.
func (e *entryPoint) welcome(conn *net.TCPConn) {
	end := time.Now().Add(e.patience())
	client, err := e.proxied.identify(conn, end)
	if err != nil {
		e.log.WithError(err).WithField("peer", conn.RemoteAddr().String()).Debug("connection is closed: nobody knows whom it is from")
		_ = conn.Close()
		return
	}
	if t := e.others(); t != nil {
		if routes := t.tcp.At(e.name); routes != nil {
			s := &stream{entryPoint: e, conn: conn, client: client, routes: routes, web: t.web[e.name], end: end}
			s.route()
			return
		}
	}
	e.welcomeAs(look(conn, end), client, end)
}

// welcomeAs serves what a connection begins with.
func (e *entryPoint) welcomeAs(what arrival, client net.Conn, end time.Time) {
	switch what {
	case arrivesTLS:
		e.secure(client, end)
	case arrivesHTTP2:
		corked := newCorked(client, &e.cutOff)
		corked.cork()
		e.feed.give(corked)
	case arrivesHTTP:
		e.plain(client)
	default:
		_ = client.Close()
	}
}

func (e *entryPoint) plain(conn net.Conn) {
	if e.engine == nil {
		e.feed.give(conn)
		return
	}
	e.engine.ServeConn(conn)
}

// secure shakes hands, and serves the protocol that both sides chose (RFC 7301).
func (e *entryPoint) secure(conn net.Conn, end time.Time) {
	corked := newCorked(conn, &e.cutOff)
	c := tls.Server(corked, e.tls)
	ctx, cancel := context.WithDeadline(context.Background(), end)
	err := c.HandshakeContext(ctx)
	cancel()
	if err != nil {
		e.log.WithError(err).WithField("peer", conn.RemoteAddr().String()).Debug("no TLS with a client")
		_ = conn.Close()
		return
	}
	switch c.ConnectionState().NegotiatedProtocol {
	case "acme-tls/1": // an authority that has seen what it wanted (RFC 8737)
		_ = c.Close()
		return
	case "h2":
		corked.cork()
		e.feed.give(c)
		return
	}
	e.plain(c)
}

// stop lets the requests under way end: it goes on accepting for the time given
// for that, then waits for the rest as long as is allowed, then cuts them off.
func (e *entryPoint) stop() {
	life := e.config.Transport.LifeCycle
	time.Sleep(time.Duration(life.RequestAcceptGraceTimeout))
	_ = e.listener.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(life.GraceTimeOut))
	defer cancel()
	var running sync.WaitGroup
	if e.http3 != nil {
		running.Go(func() { e.http3.stop(ctx) })
	}
	running.Go(func() {
		if err := e.standard.Shutdown(ctx); err != nil {
			e.cutOff.Store(true)
			_ = e.standard.Close()
		}
	})
	if e.engine != nil {
		running.Go(func() {
			if err := e.engine.Shutdown(ctx); err != nil {
				_ = e.engine.Close()
			}
		})
	}
	running.Go(func() { e.awaitStreams(ctx) })
	running.Wait()
	e.awaitHijacked(ctx)
}

// awaitStreams waits for the connections of routers of TCP, and cuts them off when the time for that is over.
func (e *entryPoint) awaitStreams(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	over := ctx.Done()
	for e.streamsOpen.Load() > 0 {
		select {
		case <-over:
			e.log.WithField("connections", e.streamsOpen.Load()).Warn("connections were cut off: the time to end them is over")
			e.endStreams()
			over = nil
		case <-tick.C:
		}
	}
	e.endStreams()
}

// awaitHijacked waits for upgraded connections, which servers forget.
func (e *entryPoint) awaitHijacked(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for e.outer.active.Load() > 0 {
		select {
		case <-ctx.Done():
			e.log.WithField("requests", e.outer.active.Load()).Warn("requests were cut off: the time to end them is over")
			return
		case <-tick.C:
		}
	}
}
