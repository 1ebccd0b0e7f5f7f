package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// workload is one kind of load.
type workload struct {
	name    string
	tool    string // wrk or h2load
	args    []string
	path    string
	secure  bool
	target  float64 // ratio that fairway has promised
	against string  // compare with fairway's own figure for another workload, not with nginx
	rival   string  // the proxy that fairway is compared with; default: nginx
	only    string  // the only proxy that takes part
	without string  // a proxy that does not take part
	setup   string  // variant of fairway's configuration: many routers, or middlewares
}

var workloads = []workload{
	{name: "get-1k", tool: "wrk", args: []string{"-c64"}, path: "/1k", target: 0.85},
	{name: "connection-per-request", tool: "wrk", args: []string{"-c64", "-H", "Connection: close"}, path: "/1k", target: 0.6},
	{name: "get-100k", tool: "wrk", args: []string{"-c64"}, path: "/100k", target: 2},
	{name: "post-16k", tool: "wrk", args: []string{"-c64", "-s", "POST"}, path: "/post", target: 0.9},
	{name: "https-keepalive", tool: "wrk", args: []string{"-c64"}, path: "/1k", secure: true, target: 0.8},
	{name: "tls-handshake", tool: "wrk", args: []string{"-c32", "-H", "Connection: close"}, path: "/1k", secure: true, target: 0.9},
	{name: "http2-16x16", tool: "h2load", args: []string{"-c16", "-m16"}, path: "/1k", secure: true, target: 0.35},
	{name: "10000-routers", tool: "wrk", args: []string{"-c64", "-H", "Host: r5000.test"}, path: "/1k", target: 0.95, against: "get-1k", only: "fairway", setup: "many"},
	{name: "headers-ratelimit-compress", tool: "wrk", args: []string{"-c64"}, path: "/1k", target: 0.85, against: "get-1k", only: "fairway", setup: "headers, limit, compress"},
	{name: "in-flight", tool: "wrk", args: []string{"-c64"}, path: "/1k", target: 0.97, against: "get-1k", only: "fairway", setup: "inflight"},
	{name: "rate-limit", tool: "wrk", args: []string{"-c64"}, path: "/1k", target: 0.97, against: "get-1k", only: "fairway", setup: "limit"},
	{name: "rate-limit-window", tool: "wrk", args: []string{"-c64"}, path: "/1k", target: 0.97, against: "get-1k", only: "fairway", setup: "window"},
	{name: "circuit-breaker", tool: "wrk", args: []string{"-c64"}, path: "/1k", target: 0.97, against: "get-1k", only: "fairway", setup: "breaker"},
	{name: "access-log", tool: "wrk", args: []string{"-c64"}, path: "/1k", target: 0.85, without: "haproxy", setup: "logged"},
	{name: "access-log-cost", tool: "wrk", args: []string{"-c64"}, path: "/1k", against: "get-1k", only: "fairway", setup: "logged"},
	{name: "log-and-metrics", tool: "wrk", args: []string{"-c64"}, path: "/1k", target: 0.92, against: "get-1k", only: "fairway", setup: "observed"},
	{name: "tracing-1-percent", tool: "wrk", args: []string{"-c64"}, path: "/1k", target: 0.97, against: "log-and-metrics", only: "fairway", setup: "traced"},
	{name: "get-1k-token", tool: "wrk", args: []string{"-c64", "-H", "TOKEN"}, path: "/1k", only: "fairway"},
	{name: "jwt-es256-known", tool: "wrk", args: []string{"-c64", "-H", "TOKEN"}, path: "/1k", target: 0.95, against: "get-1k-token", only: "fairway", setup: "jwt"},
	{name: "api-key", tool: "wrk", args: []string{"-c64", "-H", "X-API-Key: key"}, path: "/1k", target: 0.95, against: "get-1k", only: "fairway", setup: "keys"},
	{name: "dashboard-closed", tool: "wrk", args: []string{"-c64"}, path: "/1k", target: 0.97, against: "get-1k", only: "fairway", setup: "page"},
	{name: "dashboard-open", tool: "wrk", args: []string{"-c64"}, path: "/1k", target: 0.97, against: "dashboard-closed", only: "fairway", setup: "open page"},
	{name: "cache-hit-1k", tool: "wrk", args: []string{"-c64"}, path: "/cached/1k", target: 1.3, setup: "cache"},
	{name: "cache-not-stored", tool: "wrk", args: []string{"-c64"}, path: "/1k", target: 0.9, against: "get-1k", only: "fairway", setup: "nothing"},
	{name: "cache-hit-http2", tool: "h2load", args: []string{"-c16", "-m16"}, path: "/cached/1k", secure: true, setup: "cache"},
	{name: "lua", tool: "wrk", args: []string{"-c64", "-H", "X-Id: 7"}, path: "/lua/1k", without: "haproxy", setup: "lua"},
	{name: "lua-cost", tool: "wrk", args: []string{"-c64", "-H", "X-Id: 7"}, path: "/1k", against: "get-1k", only: "fairway", setup: "lua"},
	{name: "tcp-stream", tool: "wrk", args: []string{"-c64"}, path: "/100k", target: 0.9, rival: "haproxy", without: "nginx", setup: "stream"},
	{name: "tcp-stream-small", tool: "wrk", args: []string{"-c64"}, path: "/1k", rival: "haproxy", without: "nginx", setup: "stream"},
	{name: "tcp-connections", tool: "wrk", args: []string{"-c64", "-H", "Connection: close"}, path: "/1k", rival: "haproxy", without: "nginx", setup: "stream"},
	{name: "tcp-tls-ended", tool: "wrk", args: []string{"-c64"}, path: "/100k", secure: true, rival: "haproxy", without: "nginx", setup: "stream"},
	{name: "retry", tool: "wrk", args: []string{"-c64"}, path: "/1k", target: 0.97, against: "get-1k", only: "fairway", setup: "retry"},
}

// measurement is one run of one workload against one proxy.
type measurement struct {
	micros float64
	failed int
}

// measure starts a proxy, warms it up, and measures.
func (b *bench) measure(peer string, w workload) (measurement, error) {
	p, err := b.start(peer, w.setup)
	if err != nil {
		return measurement{}, err
	}
	defer p.stop()
	if w.setup == "open page" {
		look, err := p.look()
		if err != nil {
			return measurement{}, err
		}
		defer look()
	}
	if _, _, err := b.load(p, w, time.Second); err != nil {
		return measurement{}, err
	}
	before, err := p.cpu()
	if err != nil {
		return measurement{}, err
	}
	requests, failed, err := b.load(p, w, b.duration)
	if err != nil {
		return measurement{}, err
	}
	after, err := p.cpu()
	if err != nil {
		return measurement{}, err
	}
	if requests == 0 {
		return measurement{}, fmt.Errorf("no request was completed")
	}
	return measurement{micros: float64((after - before).Microseconds()) / float64(requests), failed: failed}, nil
}

// load runs the load tool on the core that the proxy is not on.
func (b *bench) load(p *peer, w workload, d time.Duration) (requests, failed int, err error) {
	url := p.plain + w.path
	if w.secure {
		url = p.secure + w.path
	}
	args := []string{"-c", loadCore, w.tool}
	switch w.tool {
	case "wrk":
		args = append(args, "-t1", fmt.Sprintf("-d%dms", d.Milliseconds()))
		args[len(args)-1] = fmt.Sprintf("-d%ds", max(1, int(d.Seconds())))
	case "h2load":
		args = append(args, "-t1", "-D", strconv.Itoa(max(1, int(d.Seconds()))))
	}
	for _, a := range w.args {
		switch a {
		case "POST":
			a = b.dir + "/post.lua"
		case "TOKEN":
			a = "Authorization: Bearer " + b.token
		}
		args = append(args, a)
	}
	ctx, cancel := context.WithTimeout(context.Background(), d+30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "taskset", append(args, url)...).CombinedOutput()
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w\n%s", w.tool, err, out)
	}
	return counts(w.tool, string(out))
}

var (
	wrkRequests = regexp.MustCompile(`(\d+) requests in`)
	wrkErrors   = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
	wrkSockets  = regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`)
	h2Requests  = regexp.MustCompile(`(\d+) succeeded, (\d+) failed`)
)

// counts reads the numbers of completed and failed requests from a tool's report.
func counts(tool, out string) (requests, failed int, err error) {
	number := func(s string) int { n, _ := strconv.Atoi(s); return n }
	if tool == "h2load" {
		m := h2Requests.FindStringSubmatch(out)
		if m == nil {
			return 0, 0, fmt.Errorf("h2load's report cannot be read:\n%s", out)
		}
		return number(m[1]), number(m[2]), nil
	}
	m := wrkRequests.FindStringSubmatch(out)
	if m == nil {
		return 0, 0, fmt.Errorf("wrk's report cannot be read:\n%s", out)
	}
	requests = number(m[1])
	if e := wrkErrors.FindStringSubmatch(out); e != nil {
		failed += number(e[1])
	}
	if s := wrkSockets.FindStringSubmatch(out); s != nil {
		failed += number(s[1]) + number(s[3]) + number(s[4])
	}
	return requests - failed, failed, nil
}
