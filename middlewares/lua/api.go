package lua

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	glua "github.com/yuin/gopher-lua"

	"fairway/internal/clientip"
	"fairway/internal/headername"
	"fairway/internal/record"
	"fairway/internal/sandbox"
)

// library has what scripts know, beside Lua itself:
//
//	request    method, host, path, scheme, client, query, headers, claims, consumer, user, body(), set_body(text)
//	response   status, headers, body(), set_body(text)
//	respond(status, body, headers)
//	call(service, {method, path, headers, body})
//	log.debug(text), log.info(text), log.warn(text), log.error(text)
//	now()
//
// It is made once for each interpreter, and finds the request by what that is at work for.
func library(r *sandbox.Run) {
	a := &api{run: r}
	a.headers = a.fields(func(x *exchange) fields { return requestHeaders{x} })
	a.query = a.fields(func(x *exchange) fields { return query{x} })
	a.responseHeaders = a.fields(func(x *exchange) fields { return responseHeaders{x} })
	a.body, a.setBody = r.L.NewFunction(a.requestBody), r.L.NewFunction(a.setRequestBody)
	a.resBody, a.setResBody = r.L.NewFunction(a.responseBody), r.L.NewFunction(a.setResponseBody)
	r.Define("request", r.Object(a.requestMember, a.setRequestMember))
	r.Define("response", r.Object(a.responseMember, a.setResponseMember))
	r.Define("respond", r.L.NewFunction(a.respond))
	r.Define("call", r.L.NewFunction(a.call))
	r.Define("now", r.L.NewFunction(func(l *glua.LState) int {
		l.Push(glua.LNumber(float64(time.Now().UnixMicro()) / 1e6))
		return 1
	}))
	levels := sandbox.Functions{}
	for name, level := range map[string]logrus.Level{"debug": logrus.DebugLevel, "info": logrus.InfoLevel, "warn": logrus.WarnLevel, "error": logrus.ErrorLevel} {
		levels[name] = a.log(level)
	}
	r.Define("log", r.Namespace(levels))
}

// api are the functions of the library in one interpreter.
type api struct {
	run                             *sandbox.Run
	headers, query, responseHeaders glua.LValue
	body, setBody                   glua.LValue
	resBody, setResBody             glua.LValue
}

// exchange is the request that the script is about now.
func (a *api) exchange(what string, places ...place) *exchange {
	x, _ := a.run.Of.(*exchange)
	if x == nil || x.at == nowhere {
		a.run.Fail("%s is there only while a request is served: inside of on_request and the like", what)
	}
	if len(places) > 0 && !slices.Contains(places, x.at) {
		a.run.Fail("%s cannot be used here: it is too early, or too late", what)
	}
	return x
}

// requestMember looks a member of request up.
func (a *api) requestMember(l *glua.LState) int {
	name := l.CheckString(2)
	x := a.exchange("request")
	var v glua.LValue
	switch name {
	case "method":
		v = glua.LString(x.r.Method)
	case "host":
		v = glua.LString(x.r.Host)
	case "path":
		v = glua.LString(x.r.URL.Path)
	case "scheme":
		v = glua.LString(scheme(x.r))
	case "client":
		v = glua.LString(clientip.Peer(x.r).String())
	case "headers":
		v = a.headers
	case "query":
		v = a.query
	case "body":
		v = a.body
	case "set_body":
		v = a.setBody
	default:
		v = a.identity(x, name)
	}
	l.Push(v)
	return 1
}

// identity is what is known of who sends the request; nil: nothing.
func (a *api) identity(x *exchange, name string) glua.LValue {
	who := record.IdentityOf(x.r)
	switch {
	case name != "claims" && name != "consumer" && name != "user":
		a.run.Fail("request has no %q", name)
	case who == nil:
	case name == "claims" && who.Claims != nil:
		return a.run.Value(who.Claims)
	case name == "consumer" && who.Consumer != nil:
		labels := map[string]any{}
		for label, value := range who.Consumer.Labels {
			labels[label] = value
		}
		return a.run.Value(map[string]any{"name": who.Consumer.Name, "plan": who.Consumer.Plan, "groups": who.Groups, "labels": labels})
	case name == "user" && who.Subject != "":
		return glua.LString(who.Subject)
	}
	return glua.LNil
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// setRequestMember changes the request, as the service gets it.
func (a *api) setRequestMember(l *glua.LState) int {
	name, value := l.CheckString(2), l.CheckString(3)
	x := a.exchange("request."+name+" = …", inRequest)
	switch name {
	case "method":
		if !headername.Valid(value) {
			a.run.Fail("request.method: %q is none", value)
		}
		x.changed().Method = value
	case "path":
		if !strings.HasPrefix(value, "/") {
			a.run.Fail("request.path: %q does not begin with a slash", value)
		}
		r := x.changed()
		r.URL.Path, r.URL.RawPath = value, ""
		if _, err := url.ParseRequestURI(r.URL.RequestURI()); err != nil {
			a.run.Fail("request.path: %q is none", value)
		}
		r.RequestURI = r.URL.RequestURI()
	default:
		a.run.Fail("request.%s cannot be set", name)
	}
	return 0
}

// responseMember looks a member of response up.
func (a *api) responseMember(l *glua.LState) int {
	name := l.CheckString(2)
	x := a.exchange("response", inResponse, inBody, inLog)
	var v glua.LValue
	switch name {
	case "status":
		v = glua.LNumber(x.status)
	case "headers":
		v = a.responseHeaders
	case "body":
		v = a.resBody
	case "set_body":
		v = a.setResBody
	default:
		a.run.Fail("response has no %q", name)
	}
	l.Push(v)
	return 1
}

func (a *api) setResponseMember(l *glua.LState) int {
	name := l.CheckString(2)
	x := a.exchange("response."+name+" = …", inResponse, inBody)
	if name != "status" {
		a.run.Fail("response.%s cannot be set", name)
	}
	status := l.CheckInt(3)
	if status < 200 || status > 599 {
		a.run.Fail("response.status: %d is not from 200 to 599", status)
	}
	x.status = status
	return 0
}

// respond answers the request, and ends the function.
func (a *api) respond(l *glua.LState) int {
	x := a.exchange("respond", inRequest)
	status := l.CheckInt(1)
	if status < 200 || status > 599 {
		a.run.Fail("respond: %d is not from 200 to 599", status)
	}
	x.reply = &reply{status: status, body: l.OptString(2, ""), header: a.headerOf(l.OptTable(3, nil), "respond")}
	a.run.Stop()
	return 0
}

// headerOf makes a header map of a table: names, with a text or a list of texts.
func (a *api) headerOf(t *glua.LTable, what string) http.Header {
	h := http.Header{}
	if t == nil {
		return h
	}
	t.ForEach(func(key, value glua.LValue) {
		name := a.headerName(key.String(), what)
		h[name] = a.values(value, what)
	})
	return h
}

// Limits for what is written into the log.
const (
	mostLines   = 20
	longestLine = 1000
)

// log writes a line into the log.
func (a *api) log(level logrus.Level) glua.LGFunction {
	return func(l *glua.LState) int {
		text := l.ToStringMeta(l.CheckAny(1)).String()
		x := a.exchange("log")
		if x.lines++; x.lines <= mostLines {
			if len(text) > longestLine {
				text = strings.ToValidUTF8(text[:longestLine], "") + "…"
			}
			x.handler.log.WithFields(logrus.Fields{"method": x.r.Method, "path": x.r.URL.Path}).Log(level, "script: "+text)
		}
		return 0
	}
}
