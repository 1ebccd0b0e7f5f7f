package server

import (
	"expvar"
	"fmt"
	"net/http"
	"net/http/pprof"
	"runtime"
	"strings"
)

// debugHandler serves what Go tells of a running program.
func debugHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("/debug/vars", showVariables)
	return mux
}

// showVariables is expvar.Handler, with the number of goroutines under the name that Traefik
// gives it.
func showVariables(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = fmt.Fprintf(w, "{\n\"Goroutines2\": %d", runtime.NumGoroutine())
	expvar.Do(func(v expvar.KeyValue) { _, _ = fmt.Fprintf(w, ",\n%q: %s", v.Key, v.Value) })
	_, _ = fmt.Fprint(w, "\n}\n")
}

// withDebug serves the API with what debug has, as api@internal does in Traefik.
func withDebug(api, debug http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/debug/") {
			debug.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}
