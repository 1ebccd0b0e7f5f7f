//go:build e2e

package test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestOpenAPI_IsDiscoveredFromTheService has a service publish the document that its requests and responses are
// held to, and change it.
func TestOpenAPI_IsDiscoveredFromTheService(t *testing.T) {
	const one = `{"openapi": "3.1.0", "servers": [{"url": "/"}], "paths": {"/pets/{id}": {"get": {
		"parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}}],
		"responses": {"200": {"description": "a pet", "content": {"application/json": {"schema": {"type": "object", "required": ["name"]}}}}}}}}}`
	var document, asked atomic.Value
	document.Store("")
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Path == "/openapi.json" && document.Load() == "":
			w.WriteHeader(http.StatusNotFound)
		case r.URL.Path == "/openapi.json":
			asked.Store(r.Host)
			_, _ = io.WriteString(w, document.Load().(string))
		case r.URL.Path == "/pets/2":
			_, _ = io.WriteString(w, `{"nam": "drift"}`)
		default:
			_, _ = io.WriteString(w, `{"name": "rex"}`)
		}
	}))
	defer service.Close()
	f := startFairway(t, "--metrics.prometheus=true", "--providers.file.filename="+writeFile(t, "pets.yml", strings.ReplaceAll(`http:
  routers: {pets: {rule: 'Host("pets.test")', service: pets, middlewares: [pets]}}
  services: {pets: {loadBalancer: {servers: [{url: AT}]}}}
  middlewares: {pets: {validate: {openapi: {url: /openapi.json, refresh: 1s}}}}
`, "AT", service.URL)))
	f.awaitStatus("pets.test", http.StatusOK)
	f.problem("the OpenAPI document /openapi.json of pets@file: the answer is 404")
	document.Store(one)
	f.await("the document", func() bool { return f.get("pets.test", "/").status == http.StatusNotFound })
	for path, want := range map[string]int{"/pets/1": 200, "/pets/2": 502, "/pets/x": 400, "/cats": 404} {
		if got := f.get("pets.test", path); got.status != want {
			t.Errorf("%s: got %d, want %d", path, got.status, want)
		}
	}
	if asked.Load() != "localhost" {
		t.Errorf("the service is asked by %v", asked.Load())
	}
	if text := f.metrics(); !strings.Contains(text, `fairway_validation_violations_total{direction="response",middleware="pets@file"} 1`) {
		t.Errorf("the drift is not counted")
	}
	if text := f.problemsText(); strings.Contains(text, "OpenAPI") {
		t.Errorf("the problem stays: %s", text)
	}
	document.Store(strings.ReplaceAll(one, "/pets/", "/cats/"))
	f.await("the new document", func() bool { return f.get("pets.test", "/cats/1").status == http.StatusOK })
}
