// Package respond is the service that answers by itself, with what the operator has written: a page
// for the time of a maintenance, a mock of a service that is not there yet, robots.txt.
package respond

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/template/parse"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/answer"
	"fairway/internal/headername"
	"fairway/internal/record"
	"fairway/internal/tame"
	"fairway/proxy"
)

// Config of a respond service.
type Config struct {
	// Status of the answer. Default: 200.
	Status int `json:"status,omitempty"`
	// Headers of the answer.
	Headers map[string]string `json:"headers,omitempty"`
	// Body of the answer. With template it is a Go template over .Method, .Host, .Path, .Query (by
	// name), .Header (by name), .Status and .Now; in HTML values are escaped.
	Body string `json:"body,omitempty"`
	// File is the path of a file with the body, which is read when the service is built, in place of
	// body. Labels cannot say it: who may set labels of a container must not read the gateway's files.
	File string `json:"file,omitempty" label:"-"`
	// Template says that the body is a template. Default: false.
	Template bool `json:"template,omitempty"`
	// Delay before the answer. Default: 0s.
	Delay types.Duration `json:"delay,omitempty"`
}

// longest is how long a body may be.
const longest = 4 << 20

// SetDefaults implements the defaults documented at the fields.
func (c *Config) SetDefaults() { c.Status = http.StatusOK }

// New implements proxy.Config.
func (c *Config) New(_ context.Context, env proxy.Env) (proxy.Service, error) {
	s := &service{name: env.Name, status: c.Status, header: http.Header{}, delay: time.Duration(c.Delay)}
	switch {
	case c.Status < 200 || c.Status > 599:
		return nil, fmt.Errorf("status: %d is not from 200 to 599", c.Status)
	case c.Body != "" && c.File != "":
		return nil, errors.New("only one of body and file can be given")
	case c.Delay < 0:
		return nil, errors.New("delay must not be negative")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		if !headername.Valid(name) || strings.ContainsAny(c.Headers[name], "\r\n") {
			return nil, fmt.Errorf("headers: %q is no name of a header, or its value has more than one line", name)
		}
		s.header.Set(name, c.Headers[name])
	}
	body := []byte(c.Body)
	if c.File != "" {
		var err error
		if body, err = os.ReadFile(c.File); err != nil {
			return nil, fmt.Errorf("file: %w", err)
		}
	}
	if len(body) > longest {
		return nil, fmt.Errorf("body: has more than %d bytes", longest)
	}
	if s.header.Get("Content-Type") == "" && len(body) > 0 {
		s.header.Set("Content-Type", http.DetectContentType(body))
	}
	return s, s.read(body, c.Template)
}

// read takes the body, as it is or as a template.
func (s *service) read(body []byte, isTemplate bool) (err error) {
	if !isTemplate {
		s.body = body
		return nil
	}
	kind := tame.Kind{Name: "body", HTML: strings.HasPrefix(s.header.Get("Content-Type"), "text/html"), Most: tame.Most, Ranged: ranged}
	if s.template, err = tame.New(string(body), kind); err != nil {
		return fmt.Errorf("body: %w", err)
	}
	// A name that is not there is found now, and not by the first client.
	if _, err := s.template.Write(context.Background(), facts{Query: map[string]string{}, Header: map[string]string{}}); err != nil {
		return fmt.Errorf("body: %w", err)
	}
	return nil
}

// ranged lets templates go through the query and the headers, which are bounded, and through nothing else.
func ranged(n *parse.RangeNode, depth int) error {
	if depth == 0 && n.Pipe != nil && len(n.Pipe.Cmds) == 1 && len(n.Pipe.Cmds[0].Args) == 1 {
		if f, is := n.Pipe.Cmds[0].Args[0].(*parse.FieldNode); is && len(f.Ident) == 1 && (f.Ident[0] == "Query" || f.Ident[0] == "Header") {
			return nil
		}
	}
	return fmt.Errorf("line %d: range goes through .Query and .Header only, and not in another one", n.Line)
}

// service is a respond service at work.
type service struct {
	name     string
	status   int
	header   http.Header
	body     []byte
	template *tame.Document // nil: the body is as it is
	delay    time.Duration
}

// facts are what a template sees.
type facts struct {
	Method, Host, Path string
	Query, Header      map[string]string
	Status             int
	Now                time.Time
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rec := record.From(r.Context()); rec != nil {
		rec.Leaf = s.name
	}
	if s.delay > 0 && !wait(r.Context(), s.delay) {
		answer.Refuse(w, r, answer.StatusClientClosedRequest, "respond: the client went away")
		return
	}
	body := s.body
	if s.template != nil {
		var err error
		if body, err = s.template.Write(r.Context(), s.facts(r)); err != nil {
			answer.Refuse(w, r, http.StatusInternalServerError, "respond: body: "+err.Error())
			return
		}
	}
	h := w.Header()
	maps.Copy(h, s.header)
	if s.status != http.StatusNoContent && s.status != http.StatusNotModified {
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	w.WriteHeader(s.status)
	if r.Method != http.MethodHead && len(body) > 0 {
		_, _ = w.Write(body)
	}
}

func (s *service) facts(r *http.Request) facts {
	f := facts{Method: r.Method, Host: r.Host, Path: r.URL.Path, Query: map[string]string{}, Header: map[string]string{}, Status: s.status, Now: time.Now()}
	for name, all := range r.URL.Query() {
		f.Query[name] = all[0]
	}
	for name, all := range r.Header {
		f.Header[name] = strings.Join(all, ", ")
	}
	return f
}

// wait tells whether the client is still there.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Servers implements proxy.Service: there are none.
func (s *service) Servers() []proxy.ServerStatus { return nil }

// Up implements proxy.Child.
func (s *service) Up() bool { return true }
