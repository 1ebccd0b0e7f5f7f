package server

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"fairway/config/dynamic"
	"fairway/dashboard"
)

// show reads what the API has at a path.
func show(t *testing.T, r *running, path string, into any) {
	t.Helper()
	res, err := http.Get("http://" + r.Addresses()["traefik"] + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %v %s", path, res.StatusCode, err, text)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v in %s", path, err, text)
	}
}

func TestServer_Explain(t *testing.T) {
	r := start(t, routeTo("http://127.0.0.1:1"), "--api.insecure", "--entrypoints.traefik.address=127.0.0.1:0", "--entrypoints.web.http.encodedcharacters.allowencodedslash=false")
	var e dashboard.Explained
	show(t, r, "/api/explain?entryPoint=web&url="+url.QueryEscape("http://any.test/a//b/../c"), &e)
	if e.Winner == nil || e.Winner.Router != "all@file" || len(e.Winner.Servers) != 1 {
		t.Errorf("got %+v", e)
	}
	e = dashboard.Explained{}
	show(t, r, "/api/explain?entryPoint=web&url="+url.QueryEscape("http://any.test/a%2fb"), &e)
	if e.Winner != nil || !strings.Contains(e.Refused, "%2") {
		t.Errorf("got %+v", e)
	}
}

func TestServer_ChangesAndProviders(t *testing.T) {
	r := start(t, routeTo("http://127.0.0.1:1"), "--api.insecure", "--entrypoints.traefik.address=127.0.0.1:0")
	var changes []dashboard.Change
	show(t, r, "/api/changes", &changes)
	if len(changes) == 0 || changes[len(changes)-1].Objects[0].What != "added" {
		t.Errorf("got %+v", changes)
	}
	var states []dashboard.ProviderState
	show(t, r, "/api/providers", &states)
	if states == nil {
		t.Error("no list of providers")
	}
	r.apply(&dynamic.Configuration{HTTP: &dynamic.HTTP{}})
	if all := r.changes.All(); all[0].Objects[0].What != "removed" {
		t.Errorf("got %+v", all[0])
	}
}

// TestServer_StopsThoughPagesAreOpen, since a stream of events has no end of its own.
func TestServer_StopsThoughPagesAreOpen(t *testing.T) {
	r := start(t, routeTo("http://127.0.0.1:1"), "--api.insecure", "--entrypoints.traefik.address=127.0.0.1:0", "--entrypoints.traefik.transport.lifecycle.gracetimeout=1h")
	res, err := http.Get("http://" + r.Addresses()["traefik"] + "/api/events")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewScanner(res.Body)
	if !lines.Scan() {
		t.Fatal(lines.Err())
	}
	r.stop()
	for lines.Scan() {
	}
	if lines.Err() != nil {
		t.Errorf("the stream ended by %v", lines.Err())
	}
}
