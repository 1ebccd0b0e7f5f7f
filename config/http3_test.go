package config

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLoad_HTTP3(t *testing.T) {
	file := func(text string) []string {
		name := filepath.Join(t.TempDir(), "fairway.yml")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{"--configfile=" + name}
	}
	const address = "--entrypoints.websecure.address=:443"
	for name, tt := range map[string]struct {
		args, environ []string
		on            bool
		port          int
	}{
		"off":                  {args: []string{address}},
		"flag":                 {args: []string{address, "--entrypoints.websecure.http3"}, on: true},
		"flag with true":       {args: []string{address, "--entryPoints.websecure.http3=true"}, on: true},
		"flag with false":      {args: []string{address, "--entrypoints.websecure.http3=false"}},
		"port by flag":         {args: []string{address, "--entrypoints.websecure.http3.advertisedport=8443"}, on: true, port: 8443},
		"both flags":           {args: []string{address, "--entrypoints.websecure.http3", "--entrypoints.websecure.http3.advertisedport=8443"}, on: true, port: 8443},
		"variable":             {args: []string{address}, environ: []string{"FAIRWAY_ENTRYPOINTS_WEBSECURE_HTTP3=true"}, on: true},
		"port by variable":     {args: []string{address}, environ: []string{"FAIRWAY_ENTRYPOINTS_WEBSECURE_HTTP3_ADVERTISEDPORT=8443"}, on: true, port: 8443},
		"file":                 {args: file("entryPoints: {websecure: {address: ':443', http3: {}}}"), on: true},
		"port by file":         {args: file("entryPoints: {websecure: {address: ':443', http3: {advertisedPort: 8443}}}"), on: true, port: 8443},
		"nothing in the files": {args: file("entryPoints: {websecure: {address: ':443'}}")},
	} {
		t.Run(name, func(t *testing.T) {
			loaded, err := Load(tt.args, tt.environ)
			if err != nil {
				t.Fatal(err)
			}
			h := loaded.EntryPoints["websecure"].HTTP3
			if (h != nil) != tt.on || h != nil && h.AdvertisedPort != tt.port {
				t.Errorf("got %+v", h)
			}
			if len(loaded.Warnings) > 0 {
				t.Errorf("warnings: %q", loaded.Warnings)
			}
		})
	}
}
