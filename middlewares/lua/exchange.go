package lua

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"fairway/internal/requesthead"
	"fairway/internal/responsehead"
	"fairway/internal/sandbox"
)

// place is the function of a script that is being called.
type place int

const (
	nowhere place = iota
	inRequest
	inResponse
	inBody
	inLog
)

// exchange is one request, with its response, that a script is about. Headers of the request are edited
// in their place, and put back in the end.
type exchange struct {
	handler *handler
	client  http.ResponseWriter
	r       *http.Request // as the next one gets it
	run     *sandbox.Run  // nil: the script has done its part
	at      place

	own     bool // r is a copy
	undo    []requesthead.Field
	query   url.Values // nil: nobody has asked
	edited  bool       // query is another one
	body    []byte     // of the request
	read    bool
	reply   *reply   // by respond
	refusal *refusal // nil: none
	lines   int      // in the log
	calls   int      // of services

	status       int // of the response
	head         responsehead.Head
	responseBody []byte
}

// refusal is an answer that is not the script's, and not about a mistake of it.
type refusal struct {
	status int
	cause  string
}

// end puts back what was edited in its place.
func (x *exchange) end() {
	x.release()
	for _, f := range slices.Backward(x.undo) {
		f.PutBack()
	}
}

// release gives the interpreter back.
func (x *exchange) release() {
	if x.run != nil {
		x.run.End()
		x.run = nil
	}
}

// edit remembers how to put a header back.
func (x *exchange) edit(f requesthead.Field) { x.undo = append(x.undo, f) }

// request is that of the next one, to be changed; its header map is still the one that came.
func (x *exchange) changed() *http.Request {
	if !x.own {
		r := new(http.Request)
		*r = *x.r
		u := *x.r.URL
		r.URL = &u
		x.r, x.own = r, true
	}
	return x.r
}

// applyQuery writes a query that was edited into the URL.
func (x *exchange) applyQuery() {
	if x.edited {
		r := x.changed()
		r.URL.RawQuery = x.query.Encode()
		r.RequestURI = r.URL.RequestURI()
	}
}

// reply is what a script responds.
type reply struct {
	status int
	header http.Header
	body   string
}

func (a *reply) send(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	maps.Copy(h, a.header)
	if hasBody(a.status) {
		if h.Get("Content-Type") == "" && a.body != "" {
			h["Content-Type"] = []string{"text/plain; charset=utf-8"}
		}
		h["Content-Length"] = []string{strconv.Itoa(len(a.body))}
	}
	w.WriteHeader(a.status)
	if hasBody(a.status) && r.Method != http.MethodHead && a.body != "" {
		_, _ = w.Write([]byte(a.body))
	}
}

func hasBody(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}
