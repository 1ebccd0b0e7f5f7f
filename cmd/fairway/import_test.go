package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fairway/internal/check"
)

// TestImport_MakesWhatIsReadWithoutProblems imports what the importers are tested with, and builds the table of it.
func TestImport_MakesWhatIsReadWithoutProblems(t *testing.T) {
	for _, tt := range []struct {
		args []string
		file string
		want int
		says string
	}{
		{[]string{"openapi", "-host", "pets.example"}, "../../internal/importer/openapi/testdata/aws.yaml", 1, "lost     /paths/~1pets~1{id}/delete/x-amazon-apigateway-auth: "},
		{[]string{"openapi", "-tls"}, "../../internal/importer/openapi/testdata/plain.yaml", 0, "differs  /servers: "},
		{[]string{"kong"}, "../../internal/importer/kong/testdata/shop.yaml", 1, "lost     services[queue].routes[queue].protocols: tcp "},
	} {
		to := filepath.Join(t.TempDir(), "out.yml")
		var out, said bytes.Buffer
		if got := runImport(append(tt.args, tt.file, "-o", to), &out, &said); got != tt.want || out.Len() > 0 || !strings.Contains(said.String(), tt.says) {
			t.Errorf("%s: got %d, %s", tt.file, got, said.String())
		}
		problems, err := check.Configuration(to)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s", tt.file, p)
		}
	}
}

func TestImport_SaysWhatItNeeds(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("openapi: 2"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		says string
	}{
		{nil, "say what to import"},
		{[]string{"openapi"}, "say which FILE to import"},
		{[]string{"kong", bad, bad}, "say which FILE to import"},
		{[]string{"nginx", bad}, `"nginx" cannot be imported`},
		{[]string{"openapi", bad}, "bad.yaml: /openapi: "},
		{[]string{"openapi", bad + "x"}, "no such file"},
		{[]string{"openapi", "-x"}, "flag provided but not defined"},
	} {
		var out, said bytes.Buffer
		if got := runImport(tt.args, &out, &said); got != 2 || out.Len() > 0 || !strings.Contains(said.String(), tt.says) {
			t.Errorf("%q: got %d, %s", tt.args, got, said.String())
		}
	}
}
