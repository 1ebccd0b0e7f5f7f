// Package middlewarestest tests any middleware from its files: Golden runs the
// examples of a folder, Conform checks what every middleware owes its neighbours.
//
// An example is a txtar file: a comment that tells the behaviour, then
//
//	-- labels --       the options, as an operator writes them
//	-- request --      what the client sends
//	-- upstream --     the request that reaches the service, or "none"
//	-- response --     what the client gets
//
// Optional are "-- service --", the raw response of the service (else 200 "ok"),
// "-- error --", the error of New, which replaces request, upstream and response, and
// "-- server NAME --", the raw response of another server, which the labels name so;
// what it was asked is then in "-- asked --". "-- consumer --" is who sends the request, one
// of the consumers that the labels name, too. "-- client.pem --" is the certificate of
// a client over TLS. A section of any other name is a file that lies in the working
// directory, which is a temporary one. `go test -update` writes asked, upstream,
// response and error.
//
// A chain finds middlewares under every name; they note their name in the header
// X-Passed. Any service name leads to a service that answers with that name.
package middlewarestest

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"fairway/middlewares"
)

var update = flag.Bool("update", false, "rewrite the results in testdata/*.txtar")

// Golden runs every example in testdata. newConfig returns an empty Config.
func Golden(t *testing.T, newConfig func() middlewares.Config) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			abs, err := filepath.Abs(file)
			if err != nil {
				t.Fatal(err)
			}
			ar, err := txtar.ParseFile(abs)
			if err != nil {
				t.Fatal(err)
			}
			check(t, abs, ar, run(t, ar, newConfig))
		})
	}
}

// check compares the results with the file, or writes them there.
func check(t *testing.T, file string, ar *txtar.Archive, results map[string]string) {
	t.Helper()
	changed := false
	for _, name := range []string{"asked", "upstream", "response", "error"} {
		got, ok := results[name]
		if want, there := find(ar, name); ok != there || got != want {
			if !*update {
				t.Errorf("%s (-want +got):\n%s", name, cmp.Diff(want, got))
			}
			changed = true
			replace(ar, name, got, ok)
		}
	}
	if changed && *update {
		if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// run builds the middleware of the example and sends the request through it.
func run(t *testing.T, ar *txtar.Archive, newConfig func() middlewares.Config) map[string]string {
	t.Helper()
	around := enter(t, ar)
	env, cfg := decode(t, around.inside(section(t, ar, "labels")), newConfig())
	service := &service{answer: "HTTP/1.1 200 OK\n\nok"}
	if answer, ok := find(ar, "service"); ok {
		service.answer = answer
	}
	handler, err := cfg.New(t.Context(), env, service)
	if err != nil {
		return map[string]string{"error": err.Error() + "\n"}
	}
	handler = withRecord(t, ar, withCertificate(t, ar, handler))
	response := exchange(t, handler, signed(t, handler, section(t, ar, "request")))
	results := map[string]string{"upstream": unsigned(service.seen()), "response": unsigned(around.outside(response))}
	if len(around.servers) > 0 {
		results["asked"] = around.asked()
	}
	return results
}

func find(ar *txtar.Archive, name string) (string, bool) {
	for _, f := range ar.Files {
		if f.Name == name {
			return string(f.Data), true
		}
	}
	return "", false
}

func section(t testing.TB, ar *txtar.Archive, name string) string {
	t.Helper()
	text, ok := find(ar, name)
	if !ok {
		t.Fatalf("the example has no section %q", name)
	}
	return text
}

func replace(ar *txtar.Archive, name, text string, keep bool) {
	at := slices.IndexFunc(ar.Files, func(f txtar.File) bool { return f.Name == name })
	switch {
	case at >= 0 && keep:
		ar.Files[at].Data = []byte(text)
	case at >= 0:
		ar.Files = slices.Delete(ar.Files, at, at+1)
	case keep:
		ar.Files = append(ar.Files, txtar.File{Name: name, Data: []byte(text)})
	}
}
