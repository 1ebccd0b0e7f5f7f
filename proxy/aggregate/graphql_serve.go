package aggregate

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator"

	reply "fairway/internal/answer"
	"fairway/internal/jq"
	"fairway/internal/record"
)

// inquiry is what a client sends (GraphQL over HTTP, section 5).
type inquiry struct {
	Query         string         `json:"query"`
	ID            string         `json:"id"`
	DocumentID    string         `json:"documentId"`
	OperationName string         `json:"operationName"`
	Variables     map[string]any `json:"variables"`
	Extensions    struct {
		PersistedQuery struct {
			SHA256Hash string `json:"sha256Hash"`
		} `json:"persistedQuery"`
	} `json:"extensions"`
}

// response is what it gets (GraphQL, section 7.1).
type response struct {
	Errors     gqlerror.List   `json:"errors,omitempty"`
	Data       json.RawMessage `json:"data,omitempty"`
	Extensions map[string]any  `json:"extensions,omitempty"`
}

const mediaType = "application/graphql-response+json"

// serveGraphQL answers a query.
func (s *service) serveGraphQL(ctx context.Context, w http.ResponseWriter, f *run) {
	r := f.client
	in, status, cause := readInquiry(r, s.limits)
	if status != 0 {
		if status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", "GET, POST")
		}
		reply.Text(w, r, status, "aggregate: graphql: "+cause, cause)
		return
	}
	doc, faults := s.graphql.find(in)
	if len(faults) == 0 {
		var op *ast.OperationDefinition
		if op, faults = operation(doc, in.OperationName); len(faults) == 0 {
			if op.Operation != ast.Query && r.Method != http.MethodPost {
				w.Header().Set("Allow", "POST")
				reply.Text(w, r, http.StatusMethodNotAllowed, "aggregate: graphql: a mutation by GET", "what changes something is sent by POST")
				return
			}
			vars, err := validator.VariableValues(s.graphql.schema, op, in.Variables)
			var dear *gqlerror.Error
			if err == nil {
				dear = s.graphql.weigh(op, vars)
			}
			switch {
			case err != nil:
				faults = gqlerror.List{gqlerror.WrapIfUnwrapped(err)}
			case dear != nil:
				faults = gqlerror.List{dear}
			default:
				s.execute(ctx, w, f, op, vars)
				return
			}
		}
	}
	for _, fault := range faults {
		delete(fault.Extensions, "file") // there is none
	}
	record.From(r.Context()).Fail("aggregate: graphql: " + said(faults[0]))
	s.send(w, r, &response{Errors: faults}, http.StatusBadRequest)
}

// execute answers an operation that is known.
func (s *service) execute(ctx context.Context, w http.ResponseWriter, f *run, op *ast.OperationDefinition, vars map[string]any) {
	x := &execution{facade: s.graphql, run: f, vars: vars, slots: make(chan struct{}, s.graphql.limits.Parallel), workers: make(chan struct{}, mostWorkers), asked: map[string]*asking{}}
	data, ok := x.operation(ctx, op)
	if f.client.Context().Err() != nil {
		reply.Refuse(w, f.client, reply.StatusClientClosedRequest, "aggregate: the client went away")
		return
	}
	if why := x.stopped(ctx); why != "" {
		x.faults, ok = gqlerror.List{gqlerror.Errorf("%s", why)}, false
	}
	out := &response{Errors: x.faults, Data: json.RawMessage("null")}
	if ok {
		out.Data, _ = json.Marshal(data)
	}
	if len(x.partial) > 0 {
		out.Extensions = map[string]any{"partial": x.partial}
	}
	if tell(w.Header(), x.partial); !ok {
		record.From(f.client.Context()).Fail("aggregate: graphql: " + x.faults[0].Message)
	}
	if len(out.Errors) == 0 {
		f.keeping(w.Header())
	}
	s.send(w, f.client, out, http.StatusOK)
}

// send sends a response. Errors of a query have a status of their own only in the media type that was made for it:
// in application/json clients would take it for an answer of something between (GraphQL over HTTP, section 6.4).
func (s *service) send(w http.ResponseWriter, r *http.Request, out *response, status int) {
	h := w.Header()
	h.Add("Vary", "Accept")
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	if strings.Contains(strings.Join(r.Header["Accept"], ","), mediaType) {
		h.Set("Content-Type", mediaType+"; charset=utf-8")
	} else {
		status = http.StatusOK
	}
	if len(out.Errors) > 0 {
		h.Set("Cache-Control", "no-store")
	}
	text, _ := json.Marshal(out)
	h.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// readInquiry reads what a client sends.
func readInquiry(r *http.Request, most limits) (in *inquiry, status int, cause string) {
	in = &inquiry{}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return in, 0, in.ofQuery(r.URL.Query(), most.depth)
	case http.MethodPost:
	default:
		return nil, http.StatusMethodNotAllowed, "queries are sent by GET or POST"
	}
	// A form of another site can send other types without being allowed to.
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, http.StatusUnsupportedMediaType, "the body has to be application/json"
	}
	text, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, min(most.body, 1<<20)))
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
		return nil, http.StatusRequestEntityTooLarge, "the body is too long"
	}
	if err != nil {
		return nil, http.StatusBadRequest, "the body cannot be read"
	}
	if cause := in.decode(text, most.depth); cause != "" {
		return nil, http.StatusBadRequest, cause
	}
	return in, 0, ""
}

func (in *inquiry) decode(text []byte, depth int) (cause string) {
	if err := jq.Shallow(text, depth); err != nil {
		return "the body: " + err.Error()
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	if err := d.Decode(in); err != nil {
		return "the body is no request of GraphQL in JSON"
	}
	return ""
}

// ofQuery reads a request by GET. What is no JSON in it counts for nothing: then a variable is missing.
func (in *inquiry) ofQuery(q url.Values, depth int) (cause string) {
	in.Query, in.ID, in.DocumentID, in.OperationName = q.Get("query"), q.Get("id"), q.Get("documentId"), q.Get("operationName")
	for name, to := range map[string]any{"variables": &in.Variables, "extensions": &in.Extensions} {
		text := q.Get(name)
		if text == "" || jq.Shallow([]byte(text), depth) != nil {
			continue
		}
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		_ = d.Decode(to)
	}
	return ""
}

// find finds the query that is meant, or reads it.
func (f *facade) find(in *inquiry) (*ast.QueryDocument, gqlerror.List) {
	id := in.ID
	if id == "" {
		id = in.DocumentID
	}
	hash := strings.ToLower(strings.TrimPrefix(in.Extensions.PersistedQuery.SHA256Hash, "sha256:"))
	switch {
	case id != "" && f.byName[id] != nil:
		return f.byName[id], nil
	case hash != "" && f.byHash[hash] != nil:
		return f.byHash[hash], nil
	case in.Query != "" && f.any:
		return f.parse(in.Query)
	case in.Query != "":
		for _, known := range f.byHash { // the text of one that is known
			if known.Operations[0].Position.Src.Input == in.Query {
				return known, nil
			}
		}
		return nil, gqlerror.List{gqlerror.Errorf("only known queries are answered: send the id of one")}
	case hash != "": // as Apollo clients know it
		return nil, gqlerror.List{{Message: "PersistedQueryNotFound", Extensions: map[string]any{"code": "PERSISTED_QUERY_NOT_FOUND"}}}
	case id != "":
		return nil, gqlerror.List{gqlerror.Errorf("there is no query with this id")}
	}
	return nil, gqlerror.List{gqlerror.Errorf("there is no query")}
}

// operation is the one of a document that is meant (GraphQL, section 6.1).
func operation(doc *ast.QueryDocument, name string) (*ast.OperationDefinition, gqlerror.List) {
	if op := doc.Operations.ForName(name); op != nil {
		return op, nil
	}
	if name == "" {
		return nil, gqlerror.List{gqlerror.Errorf("the query has several operations: operationName has to say which one")}
	}
	return nil, gqlerror.List{gqlerror.Errorf("the query has no operation of this name")}
}
