package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
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
	tls      *tls.Config
	engine   *http1.Server // nil when the standard library serves everything
	standard *http.Server
	feed     *feed // of standard
}

// listen binds the address of an entry point.
func listen(name string, c *config.EntryPoint, handler http.Handler, passes *passes, certificate *tls.Certificate, log logrus.FieldLogger) (*entryPoint, error) {
	address, err := c.ListenAddress()
	if err != nil {
		return nil, fmt.Errorf("entry point %s: %w", name, err)
	}
	f, err := newForwarded(c.ForwardedHeaders)
	if err != nil {
		return nil, fmt.Errorf("entry point %s: forwardedHeaders: %w", name, err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("entry point %s: %w", name, err)
	}
	log = log.WithField("entryPoint", name)
	e := &entryPoint{name: name, log: log, config: c, listener: l, feed: newFeed(l.Addr())}
	e.outer = &outer{entryPoint: name, log: log, forwarded: f, passes: passes, next: handler}
	e.tls = &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil },
	}
	e.standard = e.standardServer()
	if c.Engine != "std" {
		e.engine = e.engineServer()
	}
	return e, nil
}

func (e *entryPoint) standardServer() *http.Server {
	t := e.config.Transport.RespondingTimeouts
	s := &http.Server{
		Handler:           e.outer,
		ReadHeaderTimeout: time.Duration(t.ReadHeaderTimeout),
		ReadTimeout:       time.Duration(t.ReadTimeout),
		WriteTimeout:      time.Duration(t.WriteTimeout),
		IdleTimeout:       time.Duration(t.IdleTimeout),
		ErrorLog:          silent,
		Protocols:         new(http.Protocols),
	}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	return s
}

func (e *entryPoint) engineServer() *http1.Server {
	t := e.config.Transport.RespondingTimeouts
	return &http1.Server{
		Handler:           e.outer,
		ReadHeaderTimeout: time.Duration(t.ReadHeaderTimeout),
		ReadTimeout:       time.Duration(t.ReadTimeout),
		WriteTimeout:      time.Duration(t.WriteTimeout),
		IdleTimeout:       time.Duration(t.IdleTimeout),
		ErrorLog:          silent,
	}
}

// silent takes what servers would print: mistakes of clients. What concerns the
// operator is in the record of the request.
var silent = log.New(io.Discard, "", 0)

// serve works until stop.
func (e *entryPoint) serve() {
	var running sync.WaitGroup
	running.Go(func() {
		if err := e.standard.Serve(e.feed); err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			e.log.WithError(err).Error("entry point stopped")
		}
	})
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

// defaultPatience is how long a client may take to say what it speaks when
// nothing is configured: as long as the engine waits for a head.
const defaultPatience = 10 * time.Second

// welcome finds out what a connection speaks, and serves it.
func (e *entryPoint) welcome(conn *net.TCPConn) {
	patience := time.Duration(e.config.Transport.RespondingTimeouts.ReadHeaderTimeout)
	if patience == 0 {
		patience = defaultPatience
	}
	switch look(conn, patience) {
	case arrivesTLS:
		e.secure(conn, patience)
	case arrivesHTTP2:
		e.feed.give(conn)
	case arrivesHTTP:
		e.plain(conn)
	default:
		_ = conn.Close()
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
func (e *entryPoint) secure(conn net.Conn, patience time.Duration) {
	c := tls.Server(conn, e.tls)
	ctx := context.Background()
	if patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	if err := c.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return
	}
	if c.ConnectionState().NegotiatedProtocol == "h2" {
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
	running.Go(func() {
		if err := e.standard.Shutdown(ctx); err != nil {
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
	running.Wait()
	e.awaitHijacked(ctx)
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
