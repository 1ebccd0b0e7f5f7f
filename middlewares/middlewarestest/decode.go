package middlewarestest

import (
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/traefik/paerser/parser"
	"golang.org/x/tools/txtar"

	"fairway/internal/consumers"
	"fairway/internal/identity"
	"fairway/internal/plans"
	"fairway/internal/record"
	"fairway/middlewares"
)

const labelRoot = "fairway"

// decode reads labels of the form "fairway.http.middlewares.NAME.KIND.option=value"
// and returns the name and a Config of the type of empty. The kind is whatever the
// labels say; that the catalog knows it under this name is for Conform to check. Consumers
// and plans may be there as well.
func decode(t testing.TB, text string, empty middlewares.Config) (env middlewares.Env, cfg middlewares.Config) {
	t.Helper()
	labels, known, offered := map[string]string{}, map[string]string{}, map[string]string{}
	name, kind := "", ""
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if strings.HasPrefix(key, labelRoot+".http.consumers.") {
			known[key] = value
			continue
		}
		if strings.HasPrefix(key, labelRoot+".http.plans.") {
			offered[key] = value
			continue
		}
		parts := strings.Split(key, ".")
		if !ok || len(parts) < 5 || !strings.HasPrefix(key, labelRoot+".http.middlewares.") {
			t.Fatalf("not a label of a middleware: %q", line)
		}
		labels[key] = value
		name, kind = parts[3], parts[4]
	}
	root := catalogOf(kind, reflect.TypeOf(empty))
	if err := parser.Decode(labels, root.Interface(), labelRoot); err != nil {
		t.Fatalf("decode labels: %v", err)
	}
	entry := root.Elem().FieldByName("HTTP").FieldByName("Middlewares").MapIndex(reflect.ValueOf(name))
	env = Env(name)
	env.Consumers.Store(registry(t, known))
	env.Plans.Store(plansOf(t, offered))
	return env, entry.Elem().Field(0).Interface().(middlewares.Config)
}

// registry has the consumers of labels.
func registry(t testing.TB, labels map[string]string) *consumers.Registry {
	t.Helper()
	return consumers.New(consumersOf(t, labels), func(name string, err error) { t.Fatalf("consumer %s: %v", name, err) })
}

// plansOf has the plans of labels.
func plansOf(t testing.TB, labels map[string]string) *plans.Set {
	t.Helper()
	var root struct {
		HTTP struct {
			Plans map[string]*plans.Config
		}
	}
	if err := parser.Decode(labels, &root, labelRoot); err != nil {
		t.Fatalf("decode labels: %v", err)
	}
	all := map[string]*plans.Config{}
	for name, p := range root.HTTP.Plans {
		all[name+"@docker"] = p
	}
	return plans.NewSet(all, func(name string, err error) { t.Fatalf("plan %s: %v", name, err) })
}

func consumersOf(t testing.TB, labels map[string]string) map[string]*consumers.Config {
	t.Helper()
	var root struct {
		HTTP struct {
			Consumers map[string]*consumers.Config
		}
	}
	if err := parser.Decode(labels, &root, labelRoot); err != nil {
		t.Fatalf("decode labels: %v", err)
	}
	all := map[string]*consumers.Config{}
	for name, c := range root.HTTP.Consumers {
		all[name+"@docker"] = c
	}
	return all
}

// identityIn is who the section consumer of an example says that sends the request: the name
// of a consumer of its labels. nil: it does not say.
func identityIn(t testing.TB, ar *txtar.Archive) *identity.Identity {
	t.Helper()
	text, ok := find(ar, "consumer")
	if !ok {
		return nil
	}
	labels := map[string]string{}
	for line := range strings.Lines(section(t, ar, "labels")) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && strings.HasPrefix(key, labelRoot+".http.consumers.") {
			labels[key] = value
		}
	}
	name := strings.TrimSpace(text) + "@docker"
	c := consumersOf(t, labels)[name]
	if c == nil {
		t.Fatalf("the labels have no consumer %q", name)
	}
	return (&identity.Consumer{Name: name, Groups: c.Groups, Plan: c.Plan, Labels: c.Labels}).Of("apiKey", "")
}

// withRecord has requests come with a record, as those of the gateway do.
func withRecord(t testing.TB, ar *txtar.Archive, next http.Handler) http.Handler {
	t.Helper()
	who := identityIn(t, ar)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if record.From(r.Context()) == nil {
			rec := &record.Record{Start: time.Now(), Host: r.Host}
			rec.ClientIP = clientAddress(r)
			rec.SetIdentity(who)
			r = r.WithContext(record.With(r.Context(), rec))
		}
		next.ServeHTTP(w, r)
	})
}

func clientAddress(r *http.Request) netip.Addr {
	at, _ := netip.ParseAddrPort(r.RemoteAddr)
	return at.Addr()
}

// catalogOf returns a new *struct{ HTTP struct{ Middlewares map[string]*struct{ Kind
// config } } }: as much of the real catalog as one kind needs.
func catalogOf(kind string, config reflect.Type) reflect.Value {
	entry := structOf(strings.ToUpper(kind[:1])+kind[1:], config)
	byName := reflect.MapOf(reflect.TypeFor[string](), reflect.PointerTo(entry))
	return reflect.New(structOf("HTTP", structOf("Middlewares", byName)))
}

func structOf(field string, typ reflect.Type) reflect.Type {
	return reflect.StructOf([]reflect.StructField{{Name: field, Type: typ, Tag: `label:"allowEmpty"`}})
}
