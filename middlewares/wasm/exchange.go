package wasm

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"fairway/internal/holdback"
	"fairway/internal/record"
	"fairway/internal/requesthead"
	"fairway/middlewares"
)

// The features that a plugin may ask for: bit by bit, as http-wasm has them.
const (
	bufferRequest  = 1
	bufferResponse = 2
)

// exchange is one request, with its response, that a plugin is about.
type exchange struct {
	handler  *handler // nil: an instance begins
	client   http.ResponseWriter
	r        *http.Request // as the next one gets it
	instance *instance
	features uint32
	state    uint32 // that the plugin wants to have back with the response
	after    bool   // the next one has answered
	refusal  *refusal

	own      bool // r is a copy
	undo     []requesthead.Field
	body     *bytes.Reader // of the request, for the plugin to read; nil: not asked for
	text     []byte        // all of it
	newBody  *bytes.Buffer // nil: it stays
	status   int
	header   http.Header // of the response; nil: what is set goes before it
	response *bytes.Reader
	written  *bytes.Buffer // the body of the response; nil: it stays
	lines    int           // in the log
}

// refusal is an answer that is not about a mistake of the plugin.
type refusal struct {
	status int
	cause  string
}

// key is where a context has its exchange.
type key struct{}

func of(ctx context.Context) *exchange {
	x, _ := ctx.Value(key{}).(*exchange)
	return x
}

func (x *exchange) context() context.Context { return context.WithValue(x.r.Context(), key{}, x) }

// end puts back what was edited in its place, and gives the instance back.
func (x *exchange) end() {
	if x.instance != nil {
		x.instance.give()
	}
	for _, f := range slices.Backward(x.undo) {
		f.PutBack()
	}
}

// request calls handle_request. It tells whether the request goes on to the next one.
func (x *exchange) request() (goesOn bool, err error) {
	results, err := x.instance.call(x.context(), x.instance.onRequest)
	if err != nil {
		return false, err
	}
	x.state = uint32(results[0] >> 32)
	return uint32(results[0]) != 0, nil
}

// answer sends what the plugin has answered.
func (x *exchange) answer() {
	status, h := x.status, x.client.Header()
	if status == 0 {
		status = http.StatusOK
	}
	var text []byte
	if x.written != nil {
		text = x.written.Bytes()
	}
	send(x.client, x.r, status, h, text)
}

func hasBody(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

func send(w http.ResponseWriter, r *http.Request, status int, h http.Header, text []byte) {
	delete(h, "Content-Length")
	if hasBody(status) && (r.Method != http.MethodHead || len(text) > 0) {
		h["Content-Length"] = []string{strconv.Itoa(len(text))}
	}
	w.WriteHeader(status)
	if hasBody(status) && r.Method != http.MethodHead && len(text) > 0 {
		_, _ = w.Write(text)
	}
}

// serve has the request served, and calls handle_response.
func (x *exchange) serve() {
	buffers := x.features&bufferResponse != 0
	if x.newBody != nil {
		x.replaceBody()
	} else if x.body != nil {
		x.changed().Body = io.NopCloser(bytes.NewReader(x.text))
	}
	if buffers { // what is packed, or only a part, cannot be read
		x.undo = append(x.undo, requesthead.Remove(x.r.Header, "Range"), requesthead.Remove(x.r.Header, "If-Range"),
			requesthead.Set(x.r.Header, "Accept-Encoding", []string{"identity"}))
	}
	out := holdback.New(x.client, holdback.Rules{Hold: func(status int, contentType string) bool { return buffers && x.holds(status, contentType) }, Most: x.handler.most})
	x.handler.next.ServeHTTP(out, x.r)
	held := out.Held()
	x.after, x.status, x.header = true, out.Status(), out.Header()
	if !held {
		x.features &^= bufferResponse
		if _, err := x.instance.call(x.context(), x.instance.onResponse, uint64(x.state), 0); err != nil {
			x.handler.note(x.r, err)
		}
		return
	}
	text, tooLong := out.Body()
	if tooLong {
		middlewares.Refuse(x.client, x.r, http.StatusBadGateway, "wasm: response: "+holdback.ErrTooLong.Error())
		return
	}
	x.response = bytes.NewReader(text)
	if _, err := x.instance.call(x.context(), x.instance.onResponse, uint64(x.state), 0); err != nil {
		x.handler.note(x.r, err)
		middlewares.Refuse(x.client, x.r, http.StatusInternalServerError, "wasm: response: "+err.Error())
		return
	}
	if x.written != nil {
		text = x.written.Bytes()
		for _, name := range ofBody {
			delete(x.header, name)
		}
	}
	length := x.header["Content-Length"]
	out.Give()
	if x.r.Method == http.MethodHead && x.written == nil { // it has none to be read, and stays as long as it was
		x.client.Header()["Content-Length"] = length
		x.client.WriteHeader(x.status)
		return
	}
	send(x.client, x.r, x.status, x.client.Header(), text)
}

// holds tells whether a response is one that the plugin gets as a whole. Streams and calls by gRPC are
// none, and neither is the gateway's own answer that something has failed.
func (x *exchange) holds(status int, contentType string) bool {
	if rec := record.From(x.r.Context()); rec != nil && rec.Cause != "" {
		return false
	}
	return status != http.StatusSwitchingProtocols && !strings.HasPrefix(contentType, "text/event-stream") && !strings.HasPrefix(contentType, "application/grpc")
}

// ofBody are the headers that tell something of the bytes of a body. They are not true of another one.
var ofBody = []string{"Content-Encoding", "Content-Md5", "Content-Digest", "Repr-Digest", "Digest", "Etag", "Accept-Ranges", "Content-Range", "Trailer"}

// changed is the request of the next one, to be changed; its header map is still the one that came.
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

func (x *exchange) setURI(uri string) error {
	if uri == "" {
		uri = "/"
	}
	u, err := url.ParseRequestURI(uri)
	if err != nil || !strings.HasPrefix(uri, "/") {
		return errors.New("set_uri: it does not begin with a slash")
	}
	r := x.changed()
	r.URL.Path, r.URL.RawPath, r.URL.RawQuery = u.Path, u.RawPath, u.RawQuery
	r.RequestURI = r.URL.RequestURI()
	return nil
}

// readBody reads the body of the request, for the plugin and for the next one.
func (x *exchange) readBody() error {
	x.body = bytes.NewReader(nil)
	if x.r.Body == nil || x.r.Body == http.NoBody {
		return nil
	}
	text, err := io.ReadAll(http.MaxBytesReader(nil, x.r.Body, x.handler.most))
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		x.refusal = &refusal{http.StatusRequestEntityTooLarge, "the body is longer than maxBodyBytes"}
	} else if err != nil {
		x.refusal = &refusal{http.StatusBadRequest, "the body cannot be read: " + err.Error()}
	}
	x.text, x.body = text, bytes.NewReader(text)
	return err
}

func (x *exchange) replaceBody() {
	r := x.changed()
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(x.newBody), int64(x.newBody.Len()), nil
	for _, name := range append([]string{"Expect", "Transfer-Encoding"}, ofBody...) {
		if _, has := r.Header[name]; has {
			x.undo = append(x.undo, requesthead.Remove(r.Header, name))
		}
	}
	x.undo = append(x.undo, requesthead.Set(r.Header, "Content-Length", []string{strconv.Itoa(x.newBody.Len())}))
}
