package lua

import (
	"maps"
	"net/http"
	"slices"

	glua "github.com/yuin/gopher-lua"

	"fairway/internal/headername"
	"fairway/internal/requesthead"
	"fairway/internal/sandbox"
)

// fields are names with values: headers, or parameters of a query.
type fields interface {
	values(name string) []string
	// put makes values all that a name has; none: it is taken away.
	put(name string, values []string)
	names() []string
	// isHeader tells whether names and values have to be those of headers.
	isHeader() bool
}

// fields has the methods that a script calls: get, values, set, add, remove and names.
func (a *api) fields(of func(x *exchange) fields) glua.LValue {
	name := func(l *glua.LState, f fields) string {
		l.CheckUserData(1)
		given := l.CheckString(2)
		if f.isHeader() {
			return a.headerName(given, "headers")
		}
		return given
	}
	reading := func() fields { return of(a.exchange("request and response")) }
	writing := func() fields { return of(a.exchange("a change", inRequest, inResponse, inBody)) }
	return a.run.Namespace(sandbox.Functions{
		"get": func(l *glua.LState) int {
			f := reading()
			if all := f.values(name(l, f)); len(all) > 0 {
				l.Push(glua.LString(all[0]))
			} else {
				l.Push(glua.LNil)
			}
			return 1
		},
		"values": func(l *glua.LState) int {
			f := reading()
			l.Push(a.run.Value(f.values(name(l, f))))
			return 1
		},
		"names": func(l *glua.LState) int {
			l.Push(a.run.Value(reading().names()))
			return 1
		},
		"set": func(l *glua.LState) int {
			f := writing()
			a.put(f, name(l, f), a.values(l.Get(3), "set"))
			return 0
		},
		"add": func(l *glua.LState) int {
			f := writing()
			n := name(l, f)
			a.put(f, n, append(slices.Clip(f.values(n)), a.values(l.Get(3), "add")...))
			return 0
		},
		"remove": func(l *glua.LState) int {
			f := writing()
			a.put(f, name(l, f), nil)
			return 0
		},
	})
}

// headerName is the canonical form of a name that scripts may use.
func (a *api) headerName(given, what string) string {
	if err := headername.Settable(given); err != nil {
		a.run.Fail("%s: %s", what, err.Error())
	}
	return http.CanonicalHeaderKey(given)
}

// values are those of a text, a number, or a list of them; nil has none.
func (a *api) values(v glua.LValue, what string) (all []string) {
	if v == glua.LNil {
		return nil
	}
	if t, ok := v.(*glua.LTable); ok {
		for i := 1; i <= t.Len(); i++ {
			all = append(all, a.value(t.RawGetInt(i), what))
		}
		return all
	}
	return []string{a.value(v, what)}
}

func (a *api) value(v glua.LValue, what string) string {
	if !glua.LVCanConvToString(v) {
		a.run.Fail("%s: a %s is no value", what, v.Type())
	}
	return glua.LVAsString(v)
}

// mostFields is how many values of a name a script may make.
const mostFields = 100

func (a *api) put(f fields, name string, values []string) {
	if len(values) > mostFields {
		a.run.Fail("%s: has more than %d values", name, mostFields)
	}
	for _, v := range values {
		a.run.Take(len(v) + 64)
		if f.isHeader() && !headername.ValidValue(v) {
			a.run.Fail("%s: %q is no value of a header", name, v)
		}
	}
	f.put(name, values)
}

// requestHeaders are those of the request.
type requestHeaders struct{ x *exchange }

func (f requestHeaders) values(name string) []string { return f.x.r.Header[name] }
func (f requestHeaders) isHeader() bool              { return true }
func (f requestHeaders) names() []string             { return slices.Sorted(maps.Keys(f.x.r.Header)) }

func (f requestHeaders) put(name string, values []string) {
	x := f.x
	switch {
	case x.at != inRequest:
		x.run.Fail("request.headers cannot be changed any more")
	case len(values) == 0:
		x.edit(requesthead.Remove(x.r.Header, name))
	default:
		x.edit(requesthead.Set(x.r.Header, name, values))
	}
}

// query are the parameters of the request.
type query struct{ x *exchange }

func (f query) all() map[string][]string {
	if f.x.query == nil {
		f.x.query = f.x.r.URL.Query()
	}
	return f.x.query
}

func (f query) values(name string) []string { return f.all()[name] }
func (f query) isHeader() bool              { return false }
func (f query) names() []string             { return slices.Sorted(maps.Keys(f.all())) }

func (f query) put(name string, values []string) {
	if f.x.at != inRequest {
		f.x.run.Fail("request.query cannot be changed any more")
	}
	f.x.edited = true
	if len(values) == 0 {
		delete(f.all(), name)
		return
	}
	f.all()[name] = values
}

// responseHeaders are those of the response.
type responseHeaders struct{ x *exchange }

func (f responseHeaders) isHeader() bool { return true }

func (f responseHeaders) values(name string) []string {
	if f.x.head.Header == nil {
		return nil
	}
	return f.x.head.Values(name)
}

func (f responseHeaders) names() []string {
	all := map[string]bool{}
	if f.x.head.Header != nil {
		f.x.head.Each(func(name, _ string) { all[name] = true })
	}
	return slices.Sorted(maps.Keys(all))
}

func (f responseHeaders) put(name string, values []string) {
	switch {
	case f.x.at != inResponse && f.x.at != inBody:
		f.x.run.Fail("response.headers cannot be changed any more")
	case len(values) == 0:
		f.x.head.Del(name)
	default:
		f.x.head.Put(name, values)
	}
}
