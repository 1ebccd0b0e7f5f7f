package archtest

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// room is a folder, or all folders directly below one ("middlewares/*"), with
// the rooms that its code may enter. A name allows the folder itself, "name/..."
// the folder and all below it.
type room struct {
	dir  string
	may  []string
	why  string
	free bool // may enter every room
}

// plan has the more special rooms first: the first that fits a folder counts.
var plan = []room{
	{dir: "cmd/*", free: true, why: "the program puts everything together"},
	{dir: "test/...", free: true, why: "tests of the whole program"},
	{dir: "bench/...", free: true, why: "measures the whole program"},
	{dir: "examples/plugin/...", may: []string{"middlewares/...", "internal/..."}, why: "is a middleware, as one below middlewares"},
	{dir: "examples/...", may: []string{"config/...", "providers/...", "internal/..."}},
	{dir: "server/...", free: true, why: "wires all rooms"},

	{dir: "internal/docgen", may: []string{"config/...", "proxy", "telemetry/...", "tls/certs", "internal/..."}, why: "prints the reference of the configuration types"},
	{dir: "internal/check", may: []string{"config/...", "providers/...", "router/...", "proxy/...", "middlewares/...", "tls/certs", "internal/..."}, why: "the command builds what the server would build"},
	{dir: "internal/demo", may: []string{"config/...", "providers", "internal/..."}, why: "the command is a provider of its own"},
	{dir: "internal/moving", may: []string{"config/...", "internal/..."}, why: "it tries whether options are read"},
	{dir: "internal/importer/*", may: []string{"internal/..."}, why: "an importer writes what a file says, and knows no configuration but the other gateway's"},
	{dir: "internal/*", may: []string{"internal/..."}, why: "answer, record and the like are what middlewares and proxy both need"},

	{dir: "http1/...", may: []string{"http1/...", "internal/..."}},
	{dir: "tls/acme/...", may: []string{"tls/certs", "internal/..."}},
	{dir: "tls/*", may: []string{"internal/..."}},
	{dir: "telemetry/otlp", may: []string{"internal/..."}, why: "options of collectors; it knows nothing of what is sent"},
	{dir: "telemetry/metrics/*", may: []string{"telemetry", "telemetry/metrics", "telemetry/otlp", "internal/..."}, why: "ways to push what is counted"},
	{dir: "telemetry/accesslog", may: []string{"telemetry", "telemetry/otlplogs", "internal/..."}, why: "a collector is one of its outputs"},
	{dir: "telemetry/*", may: []string{"telemetry", "telemetry/otlp", "internal/..."}},
	{dir: "telemetry", may: []string{"internal/..."}},

	{dir: "middlewares/*", may: []string{"middlewares", "tls/certs", "internal/..."}, why: "a middleware knows no other middleware and no configuration but its own"},
	{dir: "middlewares", may: []string{"internal/..."}},
	{dir: "proxy/*", may: []string{"proxy", "http1", "telemetry", "tls/certs", "internal/..."}},
	{dir: "proxy", may: []string{"http1", "telemetry", "tls/certs", "internal/..."}},

	{dir: "config/dynamic", may: []string{"middlewares/...", "proxy/...", "tls/certs", "internal/..."}, why: "the catalog points down, so no cycle can form"},
	{dir: "config/labels", may: []string{"config/dynamic", "proxy", "proxy/loadbalancer", "proxy/tcp", "proxy/udp", "tls/certs", "internal/..."}, why: "it gives every load balancer its server"},
	{dir: "config", may: []string{"config/dynamic", "providers/...", "proxy", "proxy/tcp", "tls/...", "telemetry", "telemetry/...", "internal/..."}},
	{dir: "providers/consulcatalog", may: []string{"providers", "config/dynamic", "config/labels", "proxy", "tls/certs", "internal/..."}, why: "services of the mesh have a way of their own to be talked to"},
	{dir: "providers/*", may: []string{"providers", "config/dynamic", "config/labels", "tls/certs", "internal/..."}},
	{dir: "providers", may: []string{"config/dynamic", "internal/..."}},

	{dir: "router/rule", may: nil, why: "the language of rules stands alone"},
	{dir: "router/index", may: []string{"router/rule"}},
	{dir: "router/tcp", may: []string{"router/rule", "config/dynamic", "proxy/tcp", "tls/certs", "internal/..."}},
	{dir: "router/udp", may: []string{"config/dynamic", "proxy/udp", "internal/..."}},
	{dir: "router/*", may: []string{"router/rule", "router/index", "config/dynamic", "middlewares", "proxy", "telemetry", "tls/certs", "internal/..."}},
	{dir: "router", may: []string{"router/rule", "router/index", "config/dynamic", "middlewares", "proxy", "telemetry", "tls/certs", "internal/..."}},
	{dir: "dashboard/...", may: []string{"router", "router/rule", "router/tcp", "router/udp", "config", "config/dynamic", "telemetry/...", "internal/..."}, why: "it shows the entry points as they are configured"},
}

// TestRooms_AreEnteredAsPlanned checks the imports of everything but tests.
func TestRooms_AreEnteredAsPlanned(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		at := slices.IndexFunc(plan, func(r room) bool { return fits(r.dir, s.dir) })
		if at < 0 {
			t.Errorf("%s: the folder %s has no row in the plan", s.name, s.dir)
			continue
		}
		for _, spec := range s.file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			dir, ours := strings.CutPrefix(imported, "fairway/")
			if !ours || plan[at].free {
				continue
			}
			if !slices.ContainsFunc(plan[at].may, func(pattern string) bool { return fits(pattern, dir) }) {
				t.Errorf("%s:%d: %s may not import %s, but only %s (%s)", s.name, s.line(spec.Pos()), s.dir, dir,
					strings.Join(plan[at].may, ", "), orElse(plan[at].why, "docs/architecture.md"))
			}
		}
	}
}

// fits tells whether a folder is meant by a pattern: the folder itself, "x/*" for
// those directly below x, "x/..." for x and all below.
func fits(pattern, dir string) bool {
	if above, ok := strings.CutSuffix(pattern, "/..."); ok {
		return dir == above || strings.HasPrefix(dir, above+"/")
	}
	if above, ok := strings.CutSuffix(pattern, "/*"); ok {
		rest, below := strings.CutPrefix(dir, above+"/")
		return below && !strings.Contains(rest, "/")
	}
	return pattern == dir
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// TestEveryRoomOfThePlan_IsReachable finds rows that an earlier row hides.
func TestEveryRoomOfThePlan_IsReachable(t *testing.T) {
	for i, r := range plan {
		dir := strings.NewReplacer("/...", "", "/*", "/x").Replace(r.dir)
		for _, earlier := range plan[:i] {
			if fits(earlier.dir, dir) && fits(earlier.dir, dir+"/x") {
				t.Errorf("the row %s is never used: %s comes first", r.dir, earlier.dir)
			}
		}
	}
}

func TestFits(t *testing.T) {
	tests := []struct {
		pattern, dir string
		want         bool
	}{
		{"router", "router", true},
		{"router", "router/rule", false},
		{"router/*", "router/rule", true},
		{"router/*", "router", false},
		{"router/*", "router/tcp/x", false},
		{"router/...", "router/tcp/x", true},
		{"router/...", "router", true},
		{"router/...", "routers", false},
	}
	for _, tt := range tests {
		if got := fits(tt.pattern, tt.dir); got != tt.want {
			t.Errorf("fits(%q, %q) = %v", tt.pattern, tt.dir, got)
		}
	}
}
