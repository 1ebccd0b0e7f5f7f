package aggregate

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"
	"unicode/utf8"

	"fairway/internal/jq"
	"fairway/internal/statuses"
	"fairway/internal/texts"
	"fairway/proxy"
)

// part is one of the requests, ready to be made.
type part struct {
	name     string
	child    proxy.Child // nil: there is no such service
	method   string
	path     texts.Template
	query    []field
	headers  []field
	body     *jq.Expression // nil: none
	each     *each          // nil: it is asked once
	timeout  time.Duration
	retries  int
	required bool
	fallback json.RawMessage // nil: none
	accepts  *statuses.Set
	as       string
	pick     *jq.Expression // nil: all of it
	target   []string       // nil: its members stand beside those of others
	needs    []int          // parts that have to be there before
}

// field is a named text.
type field struct {
	name string
	texts.Template
}

// outcome is what has become of a part.
type outcome struct {
	value  any // what it gives to the answer; nil as well if it has failed
	failed *failure
	has    bool // value counts: it is an answer, or stands for one
}

// work asks for the part, and says what has become of it.
func (p *part) work(ctx context.Context, f *run) outcome {
	began := time.Now()
	var o outcome
	if p.child == nil {
		o = outcome{failed: &failure{Cause: "its service does not exist"}}
	} else if p.each != nil {
		o = p.all(ctx, f)
	} else {
		v, failed := p.one(ctx, f, &values{facts: f.facts})
		o = outcome{value: v, failed: failed, has: failed == nil}
	}
	if o.failed == nil {
		return o
	}
	o.failed.Part, o.failed.Millis = p.name, time.Since(began).Milliseconds()
	if !o.has && !p.required && p.fallback != nil {
		o.value, o.has = p.instead(), true
	}
	return o
}

// instead is what stands for a part that has failed.
func (p *part) instead() any {
	if p.fallback == nil {
		return nil
	}
	v, _ := jq.Read(p.fallback, len(p.fallback)) // it was valid when the service was built
	return v
}

// one asks for the part, or one item of it.
func (p *part) one(ctx context.Context, f *run, v *values) (any, *failure) {
	o, failed := p.prepare(ctx, f, v)
	if failed != nil {
		return nil, failed
	}
	return p.ask(ctx, f, o)
}

func (p *part) ask(ctx context.Context, f *run, o *outgoing) (any, *failure) {
	body, failed := p.send(ctx, f, o)
	if failed != nil {
		return nil, failed
	}
	return p.read(ctx, f, body)
}

// read makes a value of an answer.
func (p *part) read(ctx context.Context, f *run, body []byte) (v any, failed *failure) {
	switch p.as {
	case "base64":
		v = base64.StdEncoding.EncodeToString(body)
	case "text":
		if !utf8.Valid(body) {
			return nil, &failure{Cause: "the answer is no text in UTF-8"}
		}
		v = string(body)
	default:
		if len(body) == 0 {
			break // as with 204
		}
		var err error
		if v, err = jq.Read(body, f.service.limits.depth); err != nil {
			return nil, &failure{Cause: "the answer: " + err.Error()}
		}
	}
	if p.pick == nil {
		return v, nil
	}
	picked, err := p.pick.Run(ctx, v)
	if err != nil {
		return nil, &failure{Cause: "pick does not fit the answer", detail: "pick: " + err.Error()}
	}
	return picked, nil
}

// status is that of the whole request, when this part was required.
func (f *failure) status() int {
	switch {
	case f.late:
		return http.StatusGatewayTimeout
	case f.bad:
		return http.StatusBadRequest
	case f.Status >= 400 && f.Status < 500 && f.Status != http.StatusProxyAuthRequired:
		return f.Status
	}
	return http.StatusBadGateway
}
