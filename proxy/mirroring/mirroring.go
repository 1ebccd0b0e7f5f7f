// Package mirroring is the service that shows requests to other services as well,
// whose answers nobody sees.
package mirroring

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/internal/record"
	"fairway/proxy"
)

// Config of a mirroring service.
type Config struct {
	// Service is the name of the service that answers.
	Service string `json:"service,omitempty"`
	// MirrorBody sends the bodies of requests to mirrors as well. Default: true.
	MirrorBody *bool `json:"mirrorBody,omitempty"`
	// MaxBodySize is the longest body that is sent to mirrors, in bytes; requests with a
	// longer one are not mirrored. -1 is any, and makes the memory that a client can use
	// without bounds. Default: 10485760.
	MaxBodySize *int64 `json:"maxBodySize,omitempty"`
	// Mirrors are the services that requests are shown to, after they have been answered.
	Mirrors []Mirror `json:"mirrors,omitempty"`
	// HealthCheck changes nothing: whether the service has a server that is well is always
	// looked at. In Traefik it has to be asked for.
	HealthCheck *proxy.PartsHealth `json:"healthCheck,omitempty" label:"allowEmpty" file:"allowEmpty"`
}

// Mirror is a service that requests are shown to.
type Mirror struct {
	// Name of the service.
	Name string `json:"name,omitempty"`
	// Percent of the requests that it is shown, from 0 to 100. Default: 0.
	Percent int `json:"percent,omitempty"`
}

const (
	defaultMaxBody = 10 << 20
	// mostAtOnce bounds the requests that are being mirrored. When the mirrors are slower
	// than the service, requests are left out.
	mostAtOnce = 256
	// mostHeld bounds the bytes of bodies that are kept for mirrors, of all requests
	// together. What goes beyond is not mirrored.
	mostHeld = 64 << 20
	// longestMirror is how long a mirror may take.
	longestMirror = time.Minute
)

// SetDefaults implements the defaults documented at the fields.
func (c *Config) SetDefaults() {
	body, longest := true, int64(defaultMaxBody)
	c.MirrorBody, c.MaxBodySize = &body, &longest
}

// New implements proxy.Config.
func (c *Config) New(ctx context.Context, env proxy.Env) (proxy.Service, error) {
	s := &service{ctx: ctx, log: env.Log, body: c.MirrorBody == nil || *c.MirrorBody, longest: defaultMaxBody, room: make(chan struct{}, mostAtOnce)}
	if c.MaxBodySize != nil {
		s.longest = *c.MaxBodySize
	}
	if c.Service == "" {
		return nil, errors.New("it has no service")
	}
	var err error
	if s.main, err = env.Service(c.Service); err != nil {
		return nil, err
	}
	for i, m := range c.Mirrors {
		if m.Percent < 0 || m.Percent > 100 {
			return nil, fmt.Errorf("mirrors[%d]: percent %d is not from 0 to 100", i, m.Percent)
		}
		child, err := env.Service(m.Name)
		if err != nil {
			env.Warn(fmt.Errorf("it goes on without one of its mirrors: %w", err))
			continue
		}
		s.mirrors = append(s.mirrors, &mirror{child: child, percent: uint64(m.Percent)})
	}
	return s, nil
}

// service is a mirroring service at work.
type service struct {
	ctx     context.Context //nolint:containedctx // ends with the instance, and all mirroring with it
	log     logrus.FieldLogger
	main    proxy.Child
	mirrors []*mirror
	body    bool
	longest int64
	room    chan struct{}
	held    atomic.Int64 // bytes of bodies
}

type mirror struct {
	child   proxy.Child
	percent uint64
	seen    atomic.Uint64 // requests that came to the service
}

// takes tells whether the mirror is shown this request: evenly spread, as many of a
// hundred as is asked for.
func (m *mirror) takes() bool {
	n := m.seen.Add(1)
	return n*m.percent/100 > (n-1)*m.percent/100
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var to []*mirror
	for _, m := range s.mirrors {
		if m.takes() {
			to = append(to, m)
		}
	}
	if len(to) == 0 {
		s.main.ServeHTTP(w, r)
		return
	}
	shown := s.copyOf(r)
	if r.Body == nil || r.Body == http.NoBody || !s.body {
		s.main.ServeHTTP(w, r)
		s.mirror(to, shown, &kept{})
		return
	}
	seen := &kept{ReadCloser: r.Body, limit: s.longest, all: &s.held}
	given := false
	defer func() { // also when the response is broken off
		if !given {
			seen.release()
		}
	}()
	withBody := new(http.Request)
	*withBody = *r
	withBody.Body = seen
	s.main.ServeHTTP(w, withBody)
	if r.Context().Err() == nil && seen.complete(r.ContentLength) {
		given = s.mirror(to, shown, seen)
	}
}

// kept keeps what is read of a body, up to a limit.
type kept struct {
	io.ReadCloser
	limit   int64 // negative: none
	bytes   []byte
	ended   bool
	tooLong bool
	all     *atomic.Int64 // of all requests; nil: it has no body
}

// release forgets the bytes.
func (k *kept) release() {
	if k.all != nil {
		k.all.Add(-int64(len(k.bytes)))
		k.bytes = nil
	}
}

func (k *kept) Read(p []byte) (int, error) {
	n, err := k.ReadCloser.Read(p)
	k.ended = k.ended || err == io.EOF
	if k.tooLong {
		return n, err
	}
	if k.limit >= 0 && int64(len(k.bytes)+n) > k.limit || k.all.Load()+int64(n) > mostHeld {
		k.tooLong = true
		k.release()
		return n, err
	}
	k.all.Add(int64(n))
	k.bytes = append(k.bytes, p[:n]...)
	return n, err
}

// complete tells whether all of the body is there. Not everybody reads on to the end
// of a body whose length is known.
func (k *kept) complete(length int64) bool {
	return !k.tooLong && (k.ended || length >= 0 && int64(len(k.bytes)) == length)
}

// copyOf copies a request, which is used again as soon as it is answered, with a record
// of its own.
func (s *service) copyOf(r *http.Request) *http.Request {
	rec := &record.Record{}
	if from := record.From(r.Context()); from != nil {
		*rec = record.Record{
			Start: from.Start, EntryPoint: from.EntryPoint, Host: from.Host, ClientIP: from.ClientIP, Peer: from.Peer,
			Unlisted: from.Unlisted, Router: from.Router, Service: from.Service,
		}
	}
	out := r.Clone(record.With(context.WithoutCancel(s.ctx), rec))
	out.Body, out.ContentLength, out.TransferEncoding, out.Trailer = http.NoBody, 0, nil, nil
	for _, name := range []string{"Upgrade", "Connection", "Expect"} { // nobody would speak by it
		out.Header.Del(name)
	}
	return out
}

// mirror shows a request to the mirrors, one after the other, while the client has its
// answer already. It tells whether it does, and then releases the body in the end.
func (s *service) mirror(to []*mirror, r *http.Request, body *kept) bool {
	select {
	case s.room <- struct{}{}:
	default:
		s.log.Debug("a request is not mirrored: too many are under way")
		return false
	}
	go func() { // ends with the mirrors, which have no longer than longestMirror each
		defer func() {
			body.release()
			<-s.room
		}()
		for _, m := range to {
			s.show(m, r, body.bytes)
		}
	}()
	return true
}

func (s *service) show(m *mirror, r *http.Request, body []byte) {
	ctx, cancel := context.WithTimeout(r.Context(), longestMirror)
	defer cancel()
	stop := context.AfterFunc(s.ctx, cancel)
	defer stop()
	defer func() {
		if reason := recover(); reason != nil && reason != http.ErrAbortHandler { //nolint:errorlint // a panic value, compared as net/http does
			s.log.Errorf("panic while mirroring a request: %v", reason)
		}
	}()
	rec := *record.From(r.Context())
	out := r.Clone(record.With(ctx, &rec))
	if body != nil {
		out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	m.child.ServeHTTP(&nobody{header: http.Header{}}, out)
	if rec.Cause != "" {
		s.log.WithField("cause", rec.Cause).Debug("a mirror failed")
	}
}

// Servers implements proxy.Service: they are those of the service.
func (s *service) Servers() []proxy.ServerStatus { return nil }

// Up implements proxy.Child.
func (s *service) Up() bool { return s.main.Up() }
