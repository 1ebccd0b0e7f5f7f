package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// kinds are answers that middlewares have something to do with.
func kinds(mux *http.ServeMux) {
	mux.HandleFunc("/auth", auth)
	mux.HandleFunc("/introspect", func(w http.ResponseWriter, r *http.Request) {
		if clientIn(r) && r.PostFormValue("token") == "good" {
			_, _ = fmt.Fprint(w, `{"active":true,"sub":"17"}`)
			return
		}
		_, _ = fmt.Fprint(w, `{"active":false}`)
	})
	mux.HandleFunc("POST /2015-03-31/functions/function/invocations", func(w http.ResponseWriter, r *http.Request) {
		var e struct{ PathParameters map[string]string }
		_ = json.NewDecoder(r.Body).Decode(&e)
		_, _ = fmt.Fprintf(w, `{"statusCode": 200, "body": "hello %s"}`, e.PathParameters["id"])
	})
	mux.HandleFunc("POST /authorize", func(w http.ResponseWriter, r *http.Request) {
		var q struct{ IdentitySource []string }
		_ = json.NewDecoder(r.Body).Decode(&q)
		_, _ = fmt.Fprintf(w, `{"isAuthorized": %t, "context": {"user": "17"}}`, slices.Contains(q.IdentitySource, "Bearer good"))
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		if !clientIn(r) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = fmt.Fprint(w, `{"access_token":"t0ken","token_type":"Bearer","expires_in":60}`)
	})
	mux.HandleFunc("/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"openapi": "3.1.0", "paths": {"/a": {"get": {"parameters": [{"name": "n", "in": "query", "schema": {"type": "integer"}}], "responses": {"200": {"description": "a"}}}}}}`)
	})
	mux.HandleFunc("/text", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("worth compressing ", 500)) })
	mux.HandleFunc("/untyped", func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		fmt.Fprint(w, "<!doctype html><title>no type</title>")
	})
	mux.HandleFunc("/status/{status}", func(w http.ResponseWriter, r *http.Request) {
		if status, err := strconv.Atoi(r.PathValue("status")); err == nil && status >= 200 && status < 600 {
			w.WriteHeader(status)
		}
		fmt.Fprint(w, "as you like")
	})
	mux.Handle("/flaky", &flaky{tries: map[string]int{}})
}

// clientIn tells whether a client of OAuth has shown who it is.
func clientIn(r *http.Request) bool {
	id, password, _ := r.BasicAuth()
	return id == "gateway" && password == "s3cret"
}

// auth lets those pass who say the word.
func auth(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Word please" {
		w.Header().Set("WWW-Authenticate", "Word")
		http.Error(w, "who is "+r.Header.Get("X-Forwarded-Host")+r.Header.Get("X-Forwarded-Uri")+" for?", http.StatusUnauthorized)
		return
	}
	w.Header().Set("X-User", "ann")
}

// flaky fails the first two requests of each query: with 503, or, with drop in it, by
// hanging up.
type flaky struct {
	mu    sync.Mutex
	tries map[string]int
}

func (f *flaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.tries[r.URL.RawQuery]++
	try := f.tries[r.URL.RawQuery]
	f.mu.Unlock()
	w.Header().Set("X-Try", strconv.Itoa(try))
	switch {
	case try > 2:
		echo(w, r)
	case strings.Contains(r.URL.RawQuery, "drop"):
		panic(http.ErrAbortHandler)
	default:
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}
