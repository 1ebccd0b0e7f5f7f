package expression

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"

	"fairway/internal/identity"
	"fairway/internal/record"
)

// sharedEnv is made when the first expression is compiled: that takes as long as many of them.
var sharedEnv = sync.OnceValues(newEnv)

// newEnv has all that expressions may be about, each with its type: a name that is not there
// is a mistake of the expression, and no value that is missing.
func newEnv() (*cel.Env, error) {
	texts := cel.MapType(cel.StringType, cel.StringType)
	return cel.NewEnv(
		ext.Strings(), ext.Sets(), cel.OptionalTypes(),
		cel.Variable("request.method", cel.StringType), cel.Variable("request.path", cel.StringType), cel.Variable("request.host", cel.StringType),
		cel.Variable("request.scheme", cel.StringType), cel.Variable("request.ip", cel.StringType), cel.Variable("request.size", cel.IntType),
		cel.Variable("request.headers", texts), cel.Variable("request.query", texts),
		cel.Variable("identity.known", cel.BoolType), cel.Variable("identity.subject", cel.StringType), cel.Variable("identity.method", cel.StringType),
		cel.Variable("identity.groups", cel.ListType(cel.StringType)),
		cel.Variable("consumer.name", cel.StringType), cel.Variable("consumer.plan", cel.StringType), cel.Variable("consumer.labels", texts),
		cel.Variable("claims", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("tls.used", cel.BoolType), cel.Variable("tls.serverName", cel.StringType), cel.Variable("tls.clientSubject", cel.StringType),
		cel.Variable("now", cel.TimestampType),
		cel.Function("inNetwork", cel.Overload("inNetwork_string_string", []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType, cel.BinaryBinding(inNetwork))),
	)
}

func inNetwork(address, network ref.Val) ref.Val {
	ip, err := netip.ParseAddr(fmt.Sprint(address.Value()))
	if err != nil {
		return types.NewErr("%v is no address", address.Value())
	}
	prefix, err := netip.ParsePrefix(fmt.Sprint(network.Value()))
	if err != nil {
		return types.NewErr("%v is no network", network.Value())
	}
	return types.Bool(prefix.Contains(ip.Unmap()))
}

// facts are those of a request, made when an expression asks for them. It is a cel.Activation.
type facts struct {
	r   *http.Request
	who *identity.Identity
}

// Parent implements cel.Activation.
func (f *facts) Parent() cel.Activation { return nil }

// ResolveName implements cel.Activation.
func (f *facts) ResolveName(name string) (any, bool) {
	section, rest, _ := strings.Cut(name, ".")
	switch section {
	case "request":
		return f.request(rest)
	case "identity":
		return f.identity(rest)
	case "consumer":
		return f.consumer(rest)
	case "tls":
		return f.tls(rest)
	case "claims":
		if rest != "" {
			return nil, false
		}
		if f.who == nil || f.who.Claims == nil {
			return map[string]any{}, true
		}
		return plain(f.who.Claims), true
	case "now":
		return time.Now(), rest == ""
	}
	return nil, false
}

// plain is a claim with numbers that expressions can compare.
func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		n, _ := v.Float64()
		return n
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			out[name] = plain(member)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plain(v[i])
		}
		return out
	}
	return v
}

func (f *facts) request(name string) (any, bool) {
	r := f.r
	switch name {
	case "method":
		return r.Method, true
	case "path":
		return r.URL.Path, true
	case "host":
		return hostOf(r), true
	case "scheme":
		if r.TLS != nil {
			return "https", true
		}
		return "http", true
	case "ip":
		if rec := record.From(r.Context()); rec != nil && rec.ClientIP.IsValid() {
			return rec.ClientIP.Unmap().String(), true
		}
		return "", true
	case "size":
		return r.ContentLength, true
	case "headers":
		return joined(r.Header, strings.ToLower), true
	case "query":
		return joined(r.URL.Query(), func(s string) string { return s }), true
	}
	return nil, false
}

func hostOf(r *http.Request) string {
	if rec := record.From(r.Context()); rec != nil && rec.Host != "" {
		return rec.Host
	}
	return r.Host
}

func joined(all map[string][]string, name func(string) string) map[string]string {
	out := make(map[string]string, len(all))
	for key, values := range all {
		out[name(key)] = strings.Join(values, ", ")
	}
	return out
}

func (f *facts) identity(name string) (any, bool) {
	who := f.who
	if who == nil {
		who = &identity.Identity{}
	}
	switch name {
	case "known":
		return f.who != nil, true
	case "subject":
		return who.Subject, true
	case "method":
		return who.Method, true
	case "groups":
		return append([]string{}, who.Groups...), true
	}
	return nil, false
}

func (f *facts) consumer(name string) (any, bool) {
	c := &identity.Consumer{}
	if f.who != nil && f.who.Consumer != nil {
		c = f.who.Consumer
	}
	switch name {
	case "name":
		return c.Name, true
	case "plan":
		return c.Plan, true
	case "labels":
		if c.Labels == nil {
			return map[string]string{}, true
		}
		return c.Labels, true
	}
	return nil, false
}

func (f *facts) tls(name string) (any, bool) {
	state := f.r.TLS
	switch name {
	case "used":
		return state != nil, true
	case "serverName":
		if state == nil {
			return "", true
		}
		return state.ServerName, true
	case "clientSubject":
		if state == nil || len(state.PeerCertificates) == 0 {
			return "", true
		}
		return state.PeerCertificates[0].Subject.String(), true
	}
	return nil, false
}
