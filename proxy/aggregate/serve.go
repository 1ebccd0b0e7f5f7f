package aggregate

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	reply "fairway/internal/answer"
	"fairway/internal/giveup"
	"fairway/internal/identity"
	"fairway/internal/jq"
	"fairway/internal/pathpattern"
	"fairway/internal/record"
	"fairway/internal/texts"
	"fairway/proxy"
)

// service is an aggregate at work.
type service struct {
	name      string
	ctx       context.Context //nolint:containedctx // ends with the instance
	log       logrus.FieldLogger
	pattern   pathpattern.Pattern
	parts     []*part
	merge     string
	collision string
	result    *jq.Expression // nil: they are merged
	written   *document      // nil: they are merged
	variantBy []texts.Template
	vary      []string
	variants  map[string]*variant
	whole     *variant // for clients of none
	fields    *choice  // nil: clients get all
	graphql   *facade  // nil: the answer is all parts
	stream    string
	partial   string
	forward   []string
	timeout   time.Duration
	limits    limits
	wantsBody bool // some expression sees the body of the request
}

// limits bound what answers may take.
type limits struct {
	body, total int64
	depth       int
}

// run is one request with its parts.
type run struct {
	*facts
	service  *service
	shape    *shape
	client   *http.Request
	identity *identity.Identity
	bytes    atomic.Int64 // of all answers
	private  atomic.Bool  // some of them is for this client alone
	unkept   atomic.Bool  // some of them is kept by nobody
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := record.From(r.Context())
	if rec != nil {
		rec.Leaf = s.name
	}
	path, ok := s.pattern.Match(r.URL.EscapedPath())
	if !ok {
		reply.Refuse(w, r, http.StatusNotFound, "aggregate: the path is another than that of the service")
		return
	}
	ctx, cancel := giveup.WithCancel(r.Context())
	defer cancel(nil)
	late := time.AfterFunc(s.timeout, func() { cancel(giveup.TooLong("aggregate: it has taken longer than timeout")) })
	defer late.Stop()
	f := &run{facts: factsOf(r, path), service: s, client: r, identity: record.IdentityOf(r)}
	if status, cause := f.readBody(); status != 0 {
		reply.Refuse(w, r, status, cause)
		return
	}
	if s.graphql != nil {
		s.serveGraphQL(ctx, w, f)
		return
	}
	for _, name := range s.vary { // caches have to know what the shape depends on
		w.Header().Add("Vary", name)
	}
	var err error
	if f.shape, err = s.shapeOf(f.facts); err != nil {
		s.refuse(w, f, &failure{Cause: "fields: " + err.Error(), bad: true}, nil)
		return
	}
	if s.stream != "" {
		s.serveStream(ctx, w, f)
		return
	}
	outcomes := s.all(ctx, f, nil)
	if r.Context().Err() != nil {
		reply.Refuse(w, r, reply.StatusClientClosedRequest, "aggregate: the client went away")
		return
	}
	s.answer(ctx, w, f, outcomes)
}

// readBody reads the body of the request, which has to be JSON, if an expression is about it.
func (f *run) readBody() (status int, cause string) {
	r := f.client
	if !f.service.wantsBody || r.Body == nil || r.Body == http.NoBody {
		return 0, ""
	}
	text, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, f.service.limits.body))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return http.StatusRequestEntityTooLarge, "aggregate: the body is longer than maxBodyBytes"
	case err != nil:
		return http.StatusBadRequest, "aggregate: the body cannot be read"
	case len(text) == 0:
		return 0, ""
	}
	if f.body, err = jq.Read(text, f.service.limits.depth); err != nil {
		return http.StatusBadRequest, "aggregate: the body: " + err.Error()
	}
	return 0, ""
}

// all runs the parts, each as soon as those are there that it needs, and waits until none is under
// way any more. arrived is told of each one when it is there, one after the other; it may be nil.
func (s *service) all(ctx context.Context, f *run, arrived func(p *part, o outcome)) []outcome {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	outcomes := make([]outcome, len(s.parts))
	done := make([]chan struct{}, len(s.parts))
	for i := range done {
		done[i] = make(chan struct{})
	}
	var working sync.WaitGroup
	var telling sync.Mutex
	for i, p := range s.parts {
		working.Go(func() {
			defer close(done[i])
			if !f.shape.ask[i] {
				return
			}
			outcomes[i] = s.when(ctx, f, p, outcomes, done)
			if failed := outcomes[i].failed; failed != nil && failed.detail != "" {
				s.log.WithField("part", p.name).Debugf("a part has failed: %s: %s", failed.Cause, failed.detail)
			}
			if outcomes[i].failed != nil && p.required {
				cancel() // there is no answer without it
			}
			if outcomes[i].has {
				f.put(p.name, outcomes[i].value)
			}
			if arrived != nil && f.shape.show[i] {
				telling.Lock()
				defer telling.Unlock()
				arrived(p, outcomes[i])
			}
		})
	}
	working.Wait()
	return outcomes
}

// when waits for what a part needs.
func (s *service) when(ctx context.Context, f *run, p *part, outcomes []outcome, done []chan struct{}) outcome {
	for _, need := range p.needs {
		select {
		case <-done[need]:
		case <-ctx.Done():
			return outcome{failed: s.gone(ctx, p)}
		}
		if !outcomes[need].has {
			o := outcome{failed: &failure{Part: p.name, Cause: "it needs " + s.parts[need].name + ", which has failed"}}
			if !p.required && p.fallback != nil {
				o.value, o.has = p.instead(), true
			}
			return o
		}
	}
	if ctx.Err() != nil {
		return outcome{failed: s.gone(ctx, p)}
	}
	return p.work(ctx, f)
}

func (s *service) gone(ctx context.Context, p *part) *failure {
	if giveup.Reason(ctx) != nil {
		return &failure{Part: p.name, Cause: "timeout", late: true}
	}
	return &failure{Part: p.name, Cause: givenUp}
}

// value is that of an expression over the request and the answers that are there.
func (f *run) value(ctx context.Context, e *jq.Expression, more map[string]any) (any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return e.Run(ctx, f.input(more))
}

// json is value, as text.
func (f *run) json(ctx context.Context, e *jq.Expression, more map[string]any) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v, err := e.Run(ctx, f.input(more))
	if err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

// Servers implements proxy.Service: they are those of the parts.
func (s *service) Servers() []proxy.ServerStatus { return nil }

// Up implements proxy.Child: without a required part there is no answer.
func (s *service) Up() bool {
	for _, p := range s.parts {
		if p.required && !p.child.Up() {
			return false
		}
	}
	return true
}
