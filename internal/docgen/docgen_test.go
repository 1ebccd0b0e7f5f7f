package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/traefik/paerser/types"

	"fairway/config"
	"fairway/config/dynamic"
	"fairway/config/labels"
	"fairway/internal/moving"
)

func generated(t *testing.T) (root string, pages Pages) {
	t.Helper()
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	if pages, err = Generate(root); err != nil {
		t.Fatal(err)
	}
	return root, pages
}

func TestReference_IsUpToDate(t *testing.T) {
	root, pages := generated(t)
	stale, err := differences(filepath.Join(root, folder), pages)
	if err != nil {
		t.Fatal(err)
	}
	if len(stale) > 0 {
		t.Errorf("%s says something else than the code; run `make generate`:\n%s", folder, strings.Join(stale, "\n"))
	}
}

var link = regexp.MustCompile(`\]\(([^)#:\s]+)(?:#[^)]*)?\)`)

// TestPages_LinkToWhatIsThere follows the links between the pages of the project,
// the generated ones and the others.
func TestPages_LinkToWhatIsThere(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "docs/*/*/*.md", "examples/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 10 {
		t.Fatalf("found %d pages only", len(files))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", file, m[1])
			}
		}
	}
}

// TestDefaults_AreWhatTheCommentsSay compares "Default: x." in a comment with the
// value that SetDefaults makes.
func TestDefaults_AreWhatTheCommentsSay(t *testing.T) {
	root, _ := generated(t)
	g := &generator{root: root, comments: newComments(root), pages: Pages{}}
	for name, v := range g.described() {
		options, err := g.options(v)
		if err != nil {
			t.Fatal(err)
		}
		checkDefaults(t, name, options)
	}
}

func checkDefaults(t *testing.T, path string, options []*option) {
	t.Helper()
	for _, o := range options {
		said := o.spokenDefault()
		if set := o.defaultText(); said != "" && !strings.Contains(said, " ") && !sameValue(said, set) {
			t.Errorf("%s.%s: the comment says %q, SetDefaults %q", path, o.Name, said, set)
		}
		checkDefaults(t, path+"."+o.Name, o.Children)
	}
}

// TestControls_AreThoseTheProgramReads decodes the labels that the page shows.
func TestControls_AreThoseTheProgramReads(t *testing.T) {
	all := map[string]string{}
	for _, c := range controls {
		all[c.key] = "true"
	}
	got := labels.ReadControl(all)
	if len(got.Problems) > 0 {
		t.Errorf("got problems: %v", got.Problems)
	}
	if got.Enable == nil || !*got.Enable || got.Network != "true" || !got.AllowNonRunning || !got.LBSwarm {
		t.Errorf("not all labels were read: %+v", got)
	}
}

func TestEveryOption_IsExplained(t *testing.T) {
	root, _ := generated(t)
	g := &generator{root: root, comments: newComments(root), pages: Pages{}}
	var check func(path string, options []*option)
	check = func(path string, options []*option) {
		for _, o := range options {
			if o.Comment == "" {
				t.Errorf("%s.%s has no comment", path, o.Name)
			}
			check(path+"."+o.Name, o.Children)
		}
	}
	for name, v := range g.described() {
		options, err := g.options(v)
		if err != nil {
			t.Fatal(err)
		}
		check(name, options)
	}
}

func TestProse(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "a <b> *c* d_e", `a &lt;b> \*c\* d\_e`},
		{"code", "write `a*b` here", "write `a*b` here"},
		{"rule", "as in Host(`a`) && !Path(`/b`).", "as in ``Host(`a`) && !Path(`/b`)``."},
		{"two arguments", "Label(`key`, `value`)", "``Label(`key`, `value`)``"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := prose(tt.in); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestDefaultText(t *testing.T) {
	tests := []struct {
		name string
		in   option
		want string
	}{
		{"duration", option{Default: reflect.ValueOf(types.Duration(90 * time.Minute))}, "1h30m"},
		{"seconds stay", option{Default: reflect.ValueOf(10 * time.Second)}, "10s"},
		{"list", option{Shape: list, Default: reflect.ValueOf([]string{"a", "b"})}, "a,b"},
		{"off", option{Type: reflect.TypeFor[bool](), Default: reflect.ValueOf(false)}, "false"},
		{"nothing", option{Type: reflect.TypeFor[string](), Default: reflect.ValueOf("")}, ""},
		{"spoken", option{Type: reflect.TypeFor[string](), Comment: "Port of it. Default: the\nlowest. More.", Default: reflect.ValueOf("")}, "the lowest"},
		{"more than a value", option{Type: reflect.TypeFor[string](), Comment: "Default: 0s, no limit.", Default: reflect.ValueOf("")}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.in.defaultText(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAsYAML_SaysWhatTheLabelsSay(t *testing.T) {
	got, err := asYAML("fairway.http.middlewares.staff.basicauth.users=ann:$x\nfairway.http.middlewares.staff.basicauth.removeheader=true\n")
	want := "http:\n  middlewares:\n    staff:\n      basicAuth:\n        users:\n          - ann:$x\n        removeHeader: true\n"
	if err != nil || got != want {
		t.Errorf("%v (-want +got):\n%s", err, cmp.Diff(want, got))
	}
	if _, err := asYAML("fairway.http.middlewares.staff.basicauth.user=ann:$x\n"); err == nil {
		t.Error("a mistyped label in an example was accepted")
	}
}

func TestSchema_MarksSecretsAndKinds(t *testing.T) {
	root, _ := generated(t)
	g := &generator{root: root, comments: newComments(root), pages: Pages{}}
	options, err := g.options(fresh(reflect.TypeFor[dynamic.HTTP]()))
	if err != nil {
		t.Fatal(err)
	}
	kinds := objectSchema(options).Properties["middlewares"].More.(*schema)
	if kinds.Min != 1 || kinds.Max != 1 {
		t.Errorf("a middleware may have %d to %d kinds, want one", kinds.Min, kinds.Max)
	}
	users := kinds.Properties["basicAuth"].Properties["users"]
	if users == nil || users.Items == nil || !users.Items.WriteOnly {
		t.Errorf("the users of basicAuth are not marked as secret: %+v", users)
	}
}

func TestWrite_LeavesExactlyThePages(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "old.md"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	pages := Pages{"a.md": []byte("a"), "sub/b.md": []byte("b")}
	stale, err := differences(dir, pages)
	if want := []string{"a.md", "old.md", "sub/b.md"}; err != nil || !slices.Equal(stale, want) {
		t.Errorf("got %v, %v; want %v", stale, err, want)
	}
	if err := write(dir, pages); err != nil {
		t.Fatal(err)
	}
	if stale, err = differences(dir, pages); err != nil || len(stale) > 0 {
		t.Errorf("after writing: got %v, %v", stale, err)
	}
}

// The table of Traefik's options has every one of its reference, and says nothing that is not so: what is the same is read,
// and what is not supported is named in a warning when fairway starts, and does not keep it from starting.
func TestTraefik_TheTableIsTrue(t *testing.T) {
	text, err := os.ReadFile("../../docs/reference/traefik.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(strings.TrimSpace(line), " | "); strings.HasPrefix(line, "| `") {
			rows[strings.Trim(cells[0], "|` ")] = cells
		}
	}
	looked := 0
	for _, section := range []struct {
		names   []string
		of      func(string) (moving.Status, string)
		install bool
	}{{moving.Install(), moving.OfInstall, true}, {moving.Routing(), moving.OfRouting, false}} {
		for _, name := range section.names {
			looked++
			row := rows[name]
			if len(row) < 2 {
				t.Errorf("%s has no row", name)
				continue
			}
			if status, _ := section.of(name); row[1] != string(status) {
				t.Errorf("%s: the table says %q, and it is %q", name, row[1], status)
			}
			if row[1] == "not supported" && section.install {
				flag := "--" + strings.NewReplacer("NAME", "name", "[n]", "[0]").Replace(name) + "=true"
				if l, err := config.Load([]string{flag, "--entrypoints.name.address=:1"}, nil); err != nil || !strings.Contains(strings.Join(l.Warnings, " "), "option ") {
					t.Errorf("%s: fairway does not start with a warning: %v", flag, err)
				}
			}
		}
	}
	if looked != len(rows) || looked < 700 {
		t.Errorf("the table has %d rows, the reference %d options", len(rows), looked)
	}
}
