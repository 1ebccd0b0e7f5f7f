package aggregate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"

	reply "fairway/internal/answer"
	"fairway/internal/record"
)

// answer puts the answers together, or says what has failed.
func (s *service) answer(ctx context.Context, w http.ResponseWriter, f *run, outcomes []outcome) {
	partial := failures(outcomes)
	if worst := s.worst(outcomes); worst != nil {
		s.refuse(w, f, worst, partial)
		return
	}
	body, err := s.body(ctx, f, outcomes, partial)
	if err != nil {
		s.refuse(w, f, &failure{Cause: "the answers cannot be put together", detail: err.Error()}, partial)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if f.shape.document != nil {
		h.Set("Content-Type", f.shape.document.contentType)
		h.Set("X-Content-Type-Options", "nosniff")
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	tell(h, partial)
	f.keeping(h)
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body)
}

func failures(outcomes []outcome) (all []*failure) {
	for _, o := range outcomes {
		if o.failed != nil {
			all = append(all, o.failed)
		}
	}
	return all
}

// worst is the failure that leaves no answer; of several the one that was first, not those that
// were given up for it.
func (s *service) worst(outcomes []outcome) (worst *failure) {
	for i, p := range s.parts {
		failed := outcomes[i].failed
		if failed == nil || !p.required {
			continue
		}
		if worst == nil || worst.Cause == givenUp {
			worst = failed
		}
	}
	return worst
}

// tell lists parts that have failed in a header, as a list of RFC 9651: reviews;status=503;ms=12.
// Nobody keeps such an answer for others.
func tell(h http.Header, partial []*failure) {
	if len(partial) == 0 {
		return
	}
	h.Set("Cache-Control", "no-store")
	for _, failed := range partial {
		item := failed.Part
		if failed.Status != 0 {
			item += ";status=" + strconv.Itoa(failed.Status)
		}
		h.Add(partialHeader, fmt.Sprintf("%s;cause=%q;ms=%d", item, ascii(failed.Cause), failed.Millis))
	}
}

// ascii is a text as a string of RFC 9651 has it.
func ascii(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '?'
		}
		return r
	}, text)
}

// problem is an error of the gateway's own (RFC 9457), with what has become of the parts.
type problem struct {
	Type   string     `json:"type"`
	Title  string     `json:"title"`
	Status int        `json:"status"`
	Detail string     `json:"detail"`
	Parts  []*failure `json:"parts,omitempty"`
}

// refuse says that there is no answer, and why.
func (s *service) refuse(w http.ResponseWriter, f *run, worst *failure, partial []*failure) {
	status := worst.status()
	detail := worst.Cause
	if worst.Part != "" {
		detail = "the part " + worst.Part + " has failed: " + worst.Cause
		if worst.Cause == "status" {
			detail = fmt.Sprintf("the part %s has failed: status %d", worst.Part, worst.Status)
		}
	}
	rec := record.From(f.client.Context())
	if rec.Fail("aggregate: " + detail); worst.detail != "" && rec != nil {
		rec.Cause = "aggregate: " + detail + ": " + worst.detail
	}
	h := w.Header()
	for _, name := range []string{"Www-Authenticate", "Retry-After"} { // what the client needs to go on
		if all := worst.header[name]; len(all) > 0 {
			h[name] = all
		}
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	text, _ := json.Marshal(problem{"about:blank", reply.StatusText(status), status, detail, partial})
	h.Set("Content-Length", strconv.Itoa(len(text)+1))
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}

// body is the answer.
func (s *service) body(ctx context.Context, f *run, outcomes []outcome, partial []*failure) ([]byte, error) {
	var v any
	var err error
	switch {
	case f.shape.document != nil:
		return f.write(ctx, map[string]any{"partial": listed(partial)})
	case f.shape.result != nil:
		if v, err = f.value(ctx, f.shape.result, map[string]any{"partial": listed(partial)}); err != nil {
			return nil, fmt.Errorf("result: %w", err)
		}
		v = f.shape.fields.Of(v)
	case s.merge == "array":
		v = f.shape.fields.Of(s.list(f.shape, outcomes))
	default:
		if v, err = s.object(f, outcomes, partial); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// listed are failures as expressions take them.
func listed(partial []*failure) []any {
	all := make([]any, len(partial))
	for i, failed := range partial {
		all[i] = map[string]any{"part": failed.Part, "status": failed.Status, "cause": failed.Cause, "ms": int(failed.Millis)}
	}
	return all
}

func (s *service) list(o *shape, outcomes []outcome) []any {
	all := make([]any, 0, len(outcomes))
	for i := range outcomes {
		if o.show[i] {
			all = append(all, outcomes[i].value)
		}
	}
	return all
}

// object puts each part at its place. What has failed is told whatever fields are wanted.
func (s *service) object(f *run, outcomes []outcome, partial []*failure) (any, error) {
	out := map[string]any{}
	for i, p := range s.parts {
		if !outcomes[i].has || !f.shape.show[i] {
			continue
		}
		if err := s.place(out, p, outcomes[i].value); err != nil {
			return nil, err
		}
	}
	wanted, _ := f.shape.fields.Of(out).(map[string]any)
	if len(partial) > 0 && s.partial != "" {
		if err := s.set(wanted, s.partial, partial, s.partial); err != nil {
			return nil, err
		}
	}
	return wanted, nil
}

func (s *service) place(out map[string]any, p *part, v any) error {
	if p.target == nil {
		members, ok := v.(map[string]any)
		if !ok {
			if v == nil {
				return nil
			}
			return fmt.Errorf("the answer of the part %s is no object, whose members could stand beside others", p.name)
		}
		for name, member := range members {
			if err := s.set(out, name, member, p.name); err != nil {
				return err
			}
		}
		return nil
	}
	for _, name := range p.target[:len(p.target)-1] {
		inner, ok := out[name].(map[string]any)
		if !ok {
			if _, taken := out[name]; taken {
				return collision(name, p.name)
			}
			inner = map[string]any{}
		} else {
			copied := make(map[string]any, len(inner)+1) // it may be the answer of a part
			maps.Copy(copied, inner)
			inner = copied
		}
		out[name] = inner
		out = inner
	}
	return s.set(out, p.target[len(p.target)-1], v, p.name)
}

// set puts a member where no other one is, or as collision says.
func (s *service) set(out map[string]any, name string, v any, of string) error {
	if _, taken := out[name]; taken {
		switch s.collision {
		case "first":
			return nil
		case "last":
		default:
			return collision(name, of)
		}
	}
	out[name] = v
	return nil
}

func collision(name, part string) error {
	return errors.New("the part " + part + " has the member " + strconv.Quote(name) + ", which is there already")
}
