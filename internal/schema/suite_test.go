//go:build e2e

package schema

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// suite is a module that has a copy of the JSON Schema Test Suite; it is fetched, not built.
const suite = "github.com/google/jsonschema-go@v0.4.3"

// TestSuite runs the required tests of the JSON Schema Test Suite for 2020-12. Documents that it takes to be
// on the network are given to the compiler, which has none of them in the gateway.
func TestSuite(t *testing.T) {
	at := filepath.Join(fetched(t), "jsonschema", "testdata")
	files, err := filepath.Glob(filepath.Join(at, "draft2020-12", "*.json"))
	if err != nil || len(files) < 40 {
		t.Fatalf("there are %d files, %v", len(files), err)
	}
	ran := 0
	for _, file := range files {
		for _, g := range groups(t, file) {
			d, err := in(g.Schema, remotes(filepath.Join(at, "remotes")))
			if err != nil {
				t.Fatalf("%s: %s: %v", file, g.Description, err)
			}
			s, err := d.At("")
			if err != nil {
				t.Errorf("%s: %s: %v", filepath.Base(file), g.Description, err)
				continue
			}
			for _, tt := range g.Tests {
				ran++
				if found := s.CheckValue(tt.Data); (len(found) == 0) != tt.Valid {
					t.Errorf("%s: %s: %s: got %v", filepath.Base(file), g.Description, tt.Description, found)
				}
			}
		}
	}
	if t.Logf("%d tests", ran); ran < 1000 {
		t.Errorf("only %d tests ran", ran)
	}
}

type group struct {
	Description string
	Schema      any
	Tests       []struct {
		Description string
		Data        any
		Valid       bool
	}
}

func groups(t *testing.T, file string) (all []group) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	if err := d.Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

func fetched(t *testing.T) string {
	t.Helper()
	get := exec.Command("go", "mod", "download", "-json", suite)
	get.Dir, get.Env = t.TempDir(), append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	out, err := get.Output()
	var module struct{ Dir, Error string }
	if json.Unmarshal(out, &module) != nil || err != nil || module.Dir == "" {
		t.Fatalf("fetch %s: %v: %s", suite, err, module.Error)
	}
	return module.Dir
}

// remotes are the documents of the suite, which has them at localhost:1234.
type remotes string

// Load implements jsonschema.URLLoader.
func (r remotes) Load(url string) (any, error) {
	path, ok := strings.CutPrefix(url, "http://localhost:1234/")
	if !ok {
		return nil, fmt.Errorf("%s is not of the suite", url)
	}
	f, err := os.Open(filepath.Join(string(r), filepath.FromSlash(path)))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return jsonschema.UnmarshalJSON(f)
}
