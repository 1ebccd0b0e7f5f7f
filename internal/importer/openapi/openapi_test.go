package openapi

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the results in testdata")

// golden compares what is made of a document with what is known.
func golden(t *testing.T, name string, o Options) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := Import(text, o)
	if err != nil {
		t.Fatal(err)
	}
	got, err := out.YAML(name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	at := filepath.Join("testdata", name+".out.yaml")
	if *update {
		if err := os.WriteFile(at, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestImport_OfAmazonAPIGateway(t *testing.T) {
	golden(t, "aws", Options{Document: "/etc/fairway/aws.yaml", Host: "pets.example"})
}

func TestImport_OfAPlainDocument(t *testing.T) {
	golden(t, "plain", Options{Document: "/etc/fairway/plain.yaml", TLS: true})
}

func TestImport_OperationsThatAreTreatedAlikeHaveOneRouter(t *testing.T) {
	var b strings.Builder
	b.WriteString("openapi: 3.1.0\nservers: [{url: 'http://a:1/v1'}]\npaths:\n")
	for i := range 100 {
		fmt.Fprintf(&b, "  /r%d/{id}: {parameters: [{name: id, in: path, required: true}], get: {responses: {}}}\n", i)
	}
	b.WriteString("components: {securitySchemes: {k: {type: apiKey, in: header, name: x}}}\n")
	out, err := Import([]byte(b.String()), Options{Document: "x"})
	if err != nil || out.Lost() {
		t.Fatalf("got %v, %v", err, out.Report())
	}
	text, err := out.YAML("x")
	if n := strings.Count(string(text), "rule:"); err != nil || n != 1 {
		t.Errorf("got %d routers, %v", n, err)
	}
}

func TestImport_WhatCannotDecideRefuses(t *testing.T) {
	out, err := Import([]byte(`{"openapi": "3.0.0", "info": {"title": "a"}, "servers": [{"url": "http://a"}], "security": [{"o": []}],
		"paths": {"/a": {"get": {"responses": {}}}}, "components": {"securitySchemes": {"o": {"type": "oauth2"}}}}`), Options{Document: "x"})
	if err != nil || !out.Lost() {
		t.Fatalf("got %v", err)
	}
	text, err := out.YAML("x")
	if err != nil || !strings.Contains(string(text), "- a-undecided") || !strings.Contains(string(text), `deny: "true"`) {
		t.Errorf("got %s", text)
	}
}

func FuzzImport(f *testing.F) {
	f.Add(`{"openapi": "3.0.0", "servers": [{"url": "http://a"}], "paths": {"/{a}/{b+}": {"get": {"security": [{"k": ["s"]}], "x-amazon-apigateway-integration": {"type": "http_proxy", "uri": "http://a/{x}?y", "requestParameters": {"integration.request.path.x": "method.request.path.a"}}}}}, "components": {"securitySchemes": {"k": {"x-amazon-apigateway-authorizer": {"type": "token"}}}}}`)
	f.Add("openapi: 3.1.0\ninfo: {title: \"a\\nb: {{ x }}\"}\npaths: {/a: {get: {x-amazon-apigateway-integration: {type: mock, responses: {'(': {}}}}}}")
	f.Fuzz(func(t *testing.T, text string) {
		out, err := Import([]byte(text), Options{Document: "x"})
		if err != nil {
			return
		}
		if _, err := out.YAML("x"); err != nil {
			t.Error(err)
		}
	})
}
