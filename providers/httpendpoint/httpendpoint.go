// Package httpendpoint fetches the configuration of routes from a server by HTTP, again and
// again: what is answered has what a file of the file provider has, as JSON, YAML or TOML.
//
// The server is asked whether there is something new (RFC 9110, section 13: ETag and
// Last-Modified), so that nothing is sent as long as there is not. While it cannot be asked,
// or answers what cannot be read, the last good answer stays in force, with a problem that
// says so. poll.go makes the requests, config.go is what the operator writes.
package httpendpoint

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/config/dynamic"
	"fairway/internal/secret"
	"fairway/providers"
)

// Name is that of the provider.
const Name = "http"

// provider asks one server. Its fields below the line belong to the goroutine of Run.
type provider struct {
	config *Config
	client *http.Client
	source string // the endpoint, as it may be shown
	log    logrus.FieldLogger

	last    *dynamic.Configuration // of the last good answer
	seen    answer                 // the last one, good or not
	trouble string                 // what is wrong at present
}

// Run implements providers.Provider. It asks until ctx ends.
func (p *provider) Run(ctx context.Context, publish providers.Publish) error {
	defer p.client.CloseIdleConnections()
	p.seen, p.trouble = answer{}, ""
	every := time.NewTicker(time.Duration(p.config.PollInterval))
	defer every.Stop()
	for {
		next, err := p.ask(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		p.take(next, err, publish)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-every.C:
		}
	}
}

// take publishes what is new: another answer, or another trouble with getting one.
func (p *provider) take(next *answer, err error, publish providers.Publish) {
	if err == nil && next != nil { // nil: the last one is still true
		p.seen = *next
	}
	if err == nil {
		err = p.seen.broken
	}
	if err != nil {
		p.tell(err, publish)
		return
	}
	if p.seen.cfg == p.last && p.trouble == "" {
		return
	}
	p.last, p.trouble = p.seen.cfg, ""
	publish(p.last)
}

// tell publishes the last good configuration with what is wrong, once.
func (p *provider) tell(err error, publish providers.Publish) {
	problem := dynamic.Problem{
		Severity: dynamic.Error, Provider: Name, Source: p.source, Blind: true,
		Reason: fmt.Sprintf("no configuration can be fetched: %s", secret.Text(err.Error())),
	}
	if line := lineOf(err); line > 0 {
		problem.Line = line
	}
	old := dynamic.Configuration{HTTP: &dynamic.HTTP{}}
	if p.last != nil {
		old = *p.last
		problem.Reason += "; the last good one stays in force"
	}
	if p.trouble == problem.String() {
		return
	}
	p.trouble = problem.String()
	p.log.WithField("endpoint", p.source).Warn(problem.Reason)
	old.Problems = append(slices.Clip(old.Problems), problem)
	publish(&old)
}
