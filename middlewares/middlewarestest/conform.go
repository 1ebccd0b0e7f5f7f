package middlewarestest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"fairway/middlewares"
)

// Conform checks what every middleware owes its neighbours. name is its field in
// the catalog, cfg an empty Config. What a service may do with its response is tried
// with every example of the folder whose request reaches it.
func Conform(t *testing.T, name string, cfg middlewares.Config) {
	t.Helper()
	typ := reflect.TypeOf(cfg).Elem()
	folder := path.Base(typ.PkgPath())
	if want := strings.ToLower(name); folder != want {
		t.Errorf("%s is built in folder %s, want %s", name, folder, want)
	}
	module := moduleRoot(t)
	t.Run("documented", func(t *testing.T) { documented(t, module, typ, map[reflect.Type]bool{}) })
	t.Run("builds or explains", func(t *testing.T) { buildsOrExplains(t, fresh(typ)) })

	dir := filepath.Join(module, strings.TrimPrefix(typ.PkgPath(), "fairway/"), "testdata")
	if _, err := os.Stat(filepath.Join(dir, "example.txtar")); err != nil {
		t.Fatalf("no example for the reference page: %v", err)
	}
	for _, ex := range passingExamples(t, dir, typ) {
		t.Run(ex.name, func(t *testing.T) {
			t.Run("flush", ex.flush)
			t.Run("informational", ex.informational)
			t.Run("hijack", ex.hijack)
			t.Run("response sent on as it came", ex.forwards)
			t.Run("request left alone", ex.leavesTheRequest)
			t.Run("no goroutine left", ex.leavesNothing)
		})
	}
}

// fresh returns a Config with its defaults, as the decoder makes it.
func fresh(typ reflect.Type) middlewares.Config {
	cfg := reflect.New(typ).Interface().(middlewares.Config)
	if d, ok := cfg.(interface{ SetDefaults() }); ok {
		d.SetDefaults()
	}
	return cfg
}

func buildsOrExplains(t *testing.T, cfg middlewares.Config) {
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	handler, err := cfg.New(t.Context(), Env("empty"), next)
	if err == nil {
		if handler == nil {
			t.Error("neither a handler nor an error")
		}
		return
	}
	for f := range reflect.TypeOf(cfg).Elem().Fields() {
		if option, _, _ := strings.Cut(f.Tag.Get("json"), ","); strings.Contains(err.Error(), option) {
			return
		}
	}
	t.Errorf("the error names no option: %v", err)
}

// example is a working configuration and a request it lets pass.
type example struct {
	name, labels, request string
	archive               *txtar.Archive
	typ                   reflect.Type
}

func passingExamples(t *testing.T, dir string, typ reflect.Type) []*example {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	var passing []*example
	for _, file := range files {
		ar, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if upstream, ok := find(ar, "upstream"); !ok || strings.TrimSpace(upstream) == "none" {
			continue
		}
		passing = append(passing, &example{
			name:    strings.TrimSuffix(filepath.Base(file), ".txtar"),
			labels:  section(t, ar, "labels"),
			request: section(t, ar, "request"),
			archive: ar,
			typ:     typ,
		})
	}
	if len(passing) == 0 {
		t.Fatalf("no example in %s reaches the service", dir)
	}
	return passing
}

func (ex *example) build(ctx context.Context, t *testing.T, next http.Handler) http.Handler {
	t.Helper()
	return ex.buildFrom(ctx, t, enter(t, ex.archive), next)
}

func (ex *example) buildFrom(ctx context.Context, t *testing.T, around *surroundings, next http.Handler) http.Handler {
	t.Helper()
	env, cfg := decode(t, around.inside(ex.labels), reflect.New(ex.typ).Interface().(middlewares.Config))
	handler, err := cfg.New(ctx, env, next)
	if err != nil {
		t.Fatal(err)
	}
	return withRecord(t, ex.archive, withCertificate(t, ex.archive, handler))
}

// leavesNothing checks that an instance ends with its context.
func (ex *example) leavesNothing(t *testing.T) {
	around := enter(t, ex.archive)
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	handler := ex.buildFrom(ctx, t, around, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	_, r := parseRequest(t, signed(t, handler, ex.request))
	r.RemoteAddr = "127.0.0.1:1"
	handler.ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
	cancel()
	for range 200 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	stacks := make([]byte, 1<<16)
	t.Errorf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
}

func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("no go.mod above the working directory")
	return ""
}
