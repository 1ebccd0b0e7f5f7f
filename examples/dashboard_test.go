package examples

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"fairway/telemetry/metrics"
)

const observability = "observability/"

// served are the metrics that there are, with their labels; those of Go and of the process
// have none here.
func served(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, m := range metrics.All() {
		name, labels := "fairway_"+m.Name, append(slices.Clip(m.Labels), "job", "instance")
		all[name] = labels
		if strings.HasSuffix(name, "_request_duration_seconds") {
			labels = append(labels, "le") // of the buckets: a dashboard asks for these as well, in the same expression
			all[name], all[name+"_bucket"], all[name+"_count"], all[name+"_sum"] = labels, labels, labels, labels
		}
	}
	c := &metrics.Config{}
	c.SetDefaults()
	m, err := c.New(metrics.State{})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, sample := range regexp.MustCompile(`(?m)^((?:go|process)_\w+)`).FindAllStringSubmatch(string(text), -1) {
		all[sample[1]] = []string{"job", "instance"}
	}
	return all
}

var (
	ofDashboard  = regexp.MustCompile(`^label_values\((.*), *(\w+)\)$`)
	quoted       = regexp.MustCompile(`"[^"]*"`)
	window       = regexp.MustCompile(`\[[^\]]*\]`)
	grouping     = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	matchers     = regexp.MustCompile(`(\w*)\{([^}]*)\}`)
	wordOfPromQL = regexp.MustCompile(`[a-zA-Z_]\w*\s*\(?`)
)

// named takes an expression of PromQL apart: which metrics are in it, each with the labels
// that are looked at, those of groups included.
func named(expr string) map[string][]string {
	label := ""
	if parts := ofDashboard.FindStringSubmatch(expr); parts != nil {
		expr, label = parts[1], parts[2]
	}
	expr = window.ReplaceAllString(quoted.ReplaceAllString(expr, ""), "")
	var groups []string
	for _, group := range grouping.FindAllStringSubmatch(expr, -1) {
		groups = append(groups, strings.FieldsFunc(group[1], func(r rune) bool { return r == ',' || r == ' ' })...)
	}
	if label != "" {
		groups = append(groups, label)
	}
	expr = grouping.ReplaceAllString(expr, "")
	all := map[string][]string{}
	for _, m := range matchers.FindAllStringSubmatch(expr, -1) {
		for matcher := range strings.SplitSeq(m[2], ",") {
			all[m[1]] = append(all[m[1]], strings.TrimRight(strings.TrimSpace(matcher), "=~!"))
		}
	}
	for _, word := range wordOfPromQL.FindAllString(matchers.ReplaceAllString(expr, "$1"), -1) {
		switch name := strings.TrimSpace(word); {
		case strings.HasSuffix(name, "("), slices.Contains([]string{"or", "and", "unless", "bool", "offset"}, name): // functions, operators
		default:
			all[name] = append(all[name], groups...)
		}
	}
	return all
}

func TestNamed(t *testing.T) {
	got := named(`histogram_quantile(0.9, sum by (le, service) (rate(a_bucket{service=~"$s", code!~"5.."}[$__rate_interval]))) or - b{x="{y}"} > bool 0 * time()`)
	for name, want := range map[string]string{"a_bucket": "service code le service", "b": "x le service"} {
		if strings.Join(got[name], " ") != want {
			t.Errorf("%s: got %q, want %q", name, got[name], want)
		}
	}
	if len(got) != 2 {
		t.Errorf("got %v", got)
	}
	if got := named("label_values(c{d=~\"e\"}, f)"); len(got) != 1 || strings.Join(got["c"], " ") != "d f" {
		t.Errorf("got %v", got)
	}
}

// texts are those that a document has under one of the keys, wherever that is.
func texts(value any, keys ...string) (all []string) {
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			if text, ok := inner.(string); ok && slices.Contains(keys, key) {
				all = append(all, text)
			}
			all = append(all, texts(inner, keys...)...)
		}
	case []any:
		for _, inner := range value {
			all = append(all, texts(inner, keys...)...)
		}
	}
	return all
}

// panel is as much of a dashboard's panel as is looked at here.
type panel struct {
	ID         int
	Type       string
	Title      string
	Datasource struct{ UID string }
	GridPos    struct{ X, Y, W, H int }
}

type board struct {
	Panels     []panel
	Templating struct{ List []struct{ Name string } }
}

func dashboard(t *testing.T) (text string, b board, tree any) {
	t.Helper()
	raw, err := os.ReadFile(observability + "grafana/dashboards/fairway.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, into := range []any{&b, &tree} {
		if err := json.Unmarshal(raw, into); err != nil {
			t.Fatal(err)
		}
	}
	return string(raw), b, tree
}

// TestObservability_AsksForWhatIsServed finds names that no metric has, or has any more.
func TestObservability_AsksForWhatIsServed(t *testing.T) {
	_, _, tree := dashboard(t)
	rules, err := os.ReadFile(observability + "rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	var alarms any
	if err := yaml.Unmarshal(rules, &alarms); err != nil {
		t.Fatal(err)
	}
	there := served(t)
	for file, tree := range map[string]any{"the dashboard": tree, "rules.yml": alarms} {
		asked := texts(tree, "expr", "definition")
		if len(asked) < 4 {
			t.Fatalf("%s has %d expressions", file, len(asked))
		}
		for _, expr := range asked {
			names := named(expr)
			if len(names) == 0 {
				t.Errorf("%s: there is no metric in %s", file, expr)
			}
			for name, labels := range names {
				known, is := there[name]
				if !is {
					t.Errorf("%s: there is no metric %q: %s", file, name, expr)
					continue
				}
				for _, label := range labels {
					if !slices.Contains(known, label) {
						t.Errorf("%s: %s has no label %q: %s", file, name, label, expr)
					}
				}
			}
		}
	}
}

// TestDashboard_IsWhole finds panels that lie on each other, data sources that are not
// chosen, and variables that are not there.
func TestDashboard_IsWhole(t *testing.T) {
	text, b, _ := dashboard(t)
	known := map[string]bool{"__rate_interval": true, "__interval": true, "__all": true}
	for _, v := range b.Templating.List {
		known[v.Name] = true
	}
	for _, used := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(text, -1) {
		if !known[used[1]] {
			t.Errorf("there is no variable %s", used[0])
		}
	}
	ids, places := map[int]string{}, map[[2]int]string{}
	for _, p := range b.Panels {
		if other, twice := ids[p.ID]; twice {
			t.Errorf("%s and %s have the same id", p.Title, other)
		}
		ids[p.ID] = p.Title
		if p.Type != "row" && p.Datasource.UID != "${datasource}" {
			t.Errorf("%s has the data source %q", p.Title, p.Datasource.UID)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := places[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%s lies on %q, or beyond the edge", p.Title, other)
				}
				places[[2]int{x, y}] = p.Title
			}
		}
	}
}

// TestObservability_IsWired looks for what the compose file mounts, and where Grafana looks
// for it.
func TestObservability_IsWired(t *testing.T) {
	var stack struct {
		Services map[string]struct{ Volumes []string }
	}
	text, err := os.ReadFile(observability + "compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &stack); err != nil {
		t.Fatal(err)
	}
	var mounted []string
	for _, name := range slices.Sorted(maps.Keys(stack.Services)) {
		for _, volume := range stack.Services[name].Volumes {
			from, rest, _ := strings.Cut(volume, ":")
			to, _, _ := strings.Cut(rest, ":")
			mounted = append(mounted, to)
			if strings.HasPrefix(from, ".") && !exists(filepath.Join(observability, from)) {
				t.Errorf("%s: there is no %s", name, from)
			}
		}
	}
	var provided struct {
		Providers []struct{ Options struct{ Path string } }
	}
	text, err = os.ReadFile(observability + "grafana/provisioning/dashboards/fairway.yml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &provided); err != nil {
		t.Fatal(err)
	}
	for _, p := range provided.Providers {
		if !slices.Contains(mounted, p.Options.Path) {
			t.Errorf("Grafana looks for dashboards in %s, where nothing is mounted", p.Options.Path)
		}
	}
}
