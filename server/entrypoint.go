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
)

// entryPoint listens at one address and serves what comes in.
type entryPoint struct {
	name    string
	log     logrus.FieldLogger
	config  *config.EntryPoint
	outer   *outer
	sniffer *sniffer
	plain   *http.Server
	secure  *http.Server
}

// listen binds the address of an entry point.
func listen(name string, c *config.EntryPoint, handler http.Handler, certificate *tls.Certificate, log logrus.FieldLogger) (*entryPoint, error) {
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
	e := &entryPoint{name: name, log: log, config: c, outer: &outer{entryPoint: name, log: log, forwarded: f, next: handler}}
	e.sniffer = newSniffer(l, time.Duration(c.Transport.RespondingTimeouts.ReadHeaderTimeout))
	e.plain, e.secure = e.server(), e.server()
	e.plain.Protocols.SetUnencryptedHTTP2(true)
	e.secure.TLSConfig = &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil },
	}
	return e, nil
}

func (e *entryPoint) server() *http.Server {
	t := e.config.Transport.RespondingTimeouts
	s := &http.Server{
		Handler:           e.outer,
		ReadHeaderTimeout: time.Duration(t.ReadHeaderTimeout),
		ReadTimeout:       time.Duration(t.ReadTimeout),
		WriteTimeout:      time.Duration(t.WriteTimeout),
		IdleTimeout:       time.Duration(t.IdleTimeout),
		ErrorLog:          log.New(io.Discard, "", 0), // what clients do wrong
		Protocols:         new(http.Protocols),
	}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	return s
}

// serve works until stop has ended.
func (e *entryPoint) serve() {
	var running sync.WaitGroup
	running.Go(func() { e.report(e.sniffer.run()) })
	running.Go(func() { e.report(e.plain.Serve(e.sniffer.plain)) })
	running.Go(func() { e.report(e.secure.ServeTLS(e.sniffer.secure, "", "")) })
	running.Wait()
}

func (e *entryPoint) report(err error) {
	if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		e.log.WithError(err).Error("entry point stopped")
	}
}

// stop lets the requests under way end: it goes on accepting for the time given
// for that, then waits for the rest as long as is allowed, then cuts them off.
func (e *entryPoint) stop() {
	life := e.config.Transport.LifeCycle
	time.Sleep(time.Duration(life.RequestAcceptGraceTimeout))
	_ = e.sniffer.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(life.GraceTimeOut))
	defer cancel()
	var running sync.WaitGroup
	for _, s := range []*http.Server{e.plain, e.secure} {
		running.Go(func() {
			if err := s.Shutdown(ctx); err != nil {
				_ = s.Close()
			}
		})
	}
	running.Wait()
	e.awaitHijacked(ctx)
}

// awaitHijacked waits for upgraded connections, which http.Server forgets.
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
