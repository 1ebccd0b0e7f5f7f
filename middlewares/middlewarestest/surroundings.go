package middlewarestest

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// surroundings are what an example has beside the gateway: files, and servers that
// listen while the test runs.
type surroundings struct {
	servers []*neighbour
}

// neighbour is a server that the middleware itself may call.
type neighbour struct {
	name    string // as the labels have it
	address string // as it listens
	service *service
}

// enter makes the example's own files the working directory, and starts its servers.
func enter(t testing.TB, ar *txtar.Archive) *surroundings {
	t.Helper()
	around := &surroundings{}
	dir := t.TempDir()
	for _, f := range ar.Files {
		if name, ok := strings.CutPrefix(f.Name, "server "); ok {
			s := &service{answer: string(f.Data)}
			server := httptest.NewServer(s)
			t.Cleanup(server.Close)
			around.servers = append(around.servers, &neighbour{name, server.Listener.Addr().String(), s})
			continue
		}
		if slices.Contains([]string{"labels", "request", "upstream", "response", "service", "error", "asked"}, f.Name) {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(f.Name)), f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	return around
}

// inside puts the addresses of the servers in the place of their names.
func (around *surroundings) inside(text string) string {
	for _, n := range around.servers {
		text = strings.ReplaceAll(text, n.name, n.address)
	}
	return text
}

// outside undoes what inside does.
func (around *surroundings) outside(text string) string {
	for _, n := range around.servers {
		text = strings.ReplaceAll(text, n.address, n.name)
	}
	return text
}

// asked is what the servers have been asked.
func (around *surroundings) asked() string {
	var text strings.Builder
	for _, n := range around.servers {
		text.WriteString(n.service.seen())
	}
	return around.outside(text.String())
}
