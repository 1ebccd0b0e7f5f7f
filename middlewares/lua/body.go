package lua

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"

	glua "github.com/yuin/gopher-lua"

	"fairway/internal/requesthead"
)

// ofBody are the headers that tell something of the bytes of a body. They are not true of another one.
var ofBody = []string{"Content-Encoding", "Content-Md5", "Content-Digest", "Repr-Digest", "Digest", "Etag", "Accept-Ranges", "Content-Range", "Trailer"}

// requestBody is request:body(): the whole body, which is read when it is first asked for.
func (a *api) requestBody(l *glua.LState) int {
	x := a.exchange("request:body()", inRequest)
	if !x.read {
		a.readBody(x)
	}
	l.Push(a.run.Text(string(x.body)))
	return 1
}

func (a *api) readBody(x *exchange) {
	x.read = true
	if x.r.Body == nil || x.r.Body == http.NoBody {
		return
	}
	var err error
	a.run.Waiting(func() { x.body, err = io.ReadAll(http.MaxBytesReader(nil, x.r.Body, x.handler.most)) })
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		x.refusal = &refusal{http.StatusRequestEntityTooLarge, "the body is longer than maxBodyBytes"}
		a.run.Stop()
	}
	if err != nil {
		x.refusal = &refusal{http.StatusBadRequest, "the body cannot be read: " + err.Error()}
		a.run.Stop()
	}
	x.changed().Body = io.NopCloser(bytes.NewReader(x.body))
}

// setRequestBody is request:set_body(text).
func (a *api) setRequestBody(l *glua.LState) int {
	text := l.CheckString(2)
	x := a.exchange("request:set_body()", inRequest)
	x.body, x.read = []byte(text), true
	r := x.changed()
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(x.body)), int64(len(x.body)), nil
	for _, name := range append([]string{"Expect", "Transfer-Encoding"}, ofBody...) {
		if _, has := r.Header[name]; has {
			x.edit(requesthead.Remove(r.Header, name))
		}
	}
	x.edit(requesthead.Set(r.Header, "Content-Length", []string{strconv.Itoa(len(x.body))}))
	return 0
}

// responseBody is response:body().
func (a *api) responseBody(l *glua.LState) int {
	x := a.exchange("response:body()", inBody)
	l.Push(a.run.Text(string(x.responseBody)))
	return 1
}

// setResponseBody is response:set_body(text).
func (a *api) setResponseBody(l *glua.LState) int {
	text := l.CheckString(2)
	x := a.exchange("response:set_body()", inBody)
	x.responseBody = []byte(text)
	for _, name := range ofBody {
		x.head.Del(name)
	}
	return 0
}
