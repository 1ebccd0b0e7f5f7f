package server

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestServer_WhatMiddlewaresDecided asks guarded and limited routes, and looks for what
// became of the requests in the metrics and in the log.
func TestServer_WhatMiddlewaresDecided(t *testing.T) {
	url, file := backend(t, func(*http.Request) {}), filepath.Join(t.TempDir(), "access.log")
	routes := strings.Replace(routeTo(url), "service: all}", "service: all, middlewares: [slow, few, cut]}, known: {rule: 'PathPrefix(`/known`)', service: all, middlewares: [known]}", 1) + `  middlewares:
    slow: {rateLimit: {average: 1, period: 1h, burst: 2}}
    few: {inFlightReq: {amount: 5}}
    known: {basicAuth: {users: ['ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=']}}
    cut: {circuitBreaker: {expression: 'NetworkErrorRatio() > 0.5'}}
`
	r := start(t, routes, "--entrypoints.traefik.address=127.0.0.1:0", "--metrics.prometheus", "--accesslog.filepath="+file, "--accesslog.format=json", "--accesslog.flushinterval=10ms")
	// A line may be written after the client has its answer: the next request waits for it.
	var text []byte
	lines := 0
	awaitLine := func() {
		lines++
		await(t, "a line in the log", func() bool { text, _ = os.ReadFile(file); return strings.Count(string(text), "\n") == lines })
	}
	for _, user := range []string{"", "ann:secret@"} {
		res, err := http.Get("http://" + user + r.Addresses()["web"] + "/known")
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		awaitLine()
	}
	for range 3 {
		r.get(t, "any.test", "/")
		awaitLine()
	}
	for _, want := range []string{
		`fairway_limit_decisions_total{decision="passed",kind="rateLimit",middleware="slow@file"} 2`,
		`fairway_limit_decisions_total{decision="refused",kind="rateLimit",middleware="slow@file"} 1`,
		`fairway_limit_decisions_total{decision="passed",kind="inFlightReq",middleware="few@file"} 2`,
		`fairway_circuit_breaker_state{middleware="cut@file",service="all@file",state="closed"} 1`,
	} {
		scrapeWith(t, r, want)
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		var entry struct {
			Auth  string
			Limit string `json:"rate_limit"`
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		got = append(got, entry.Auth+"/"+entry.Limit)
	}
	if all := strings.Join(got, " "); all != "refused/ passed/ /passed /passed /refused" {
		t.Errorf("got %s", all)
	}
}
