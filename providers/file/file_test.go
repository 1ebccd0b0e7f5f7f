package file

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"fairway/config/dynamic"
)

func TestLoad_ReadsEachFormat(t *testing.T) {
	formats := map[string]string{
		"a.yml":  "http:\n  routers:\n    r:\n      rule: Host(`a`)\n      service: s\n      entryPoints: [web, 'b,c']\n      tls: {}\n",
		"a.yaml": "HTTP: {Routers: {r: {RULE: Host(`a`), service: s, entrypoints: [web, \"b,c\"], tls: {}}}}",
		"a.json": "{\"http\": {\"routers\": {\"r\": {\"rule\": \"Host(`a`)\", \"service\": \"s\", \"entryPoints\": [\"web\", \"b,c\"], \"tls\": {}}}}}",
		"a.toml": "[http.routers.r]\nrule = \"Host(`a`)\"\nservice = \"s\"\nentryPoints = [\"web\", \"b,c\"]\n[http.routers.r.tls]\n",
		"A.YML":  "x-anchors: &e {entryPoints: [web, 'b,c'], tls: {}}\nhttp: {routers: {r: {<<: *e, rule: Host(`a`), service: s}}}",
	}
	want := &dynamic.Router{Rule: "Host(`a`)", Service: "s", EntryPoints: []string{"web", "b,c"}, TLS: &dynamic.RouterTLS{}}
	for name, text := range formats {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			put(t, path, text)
			if diff := cmp.Diff(want, load(t, path).HTTP.Routers["r"]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLoad_Directory(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/a.yml", routers("a"))
	put(t, dir+"/below/deep/b.yaml", routers("b"))
	put(t, dir+"/c.toml", "[http.routers.c]\nrule = \"Host(`c`)\"\nservice = \"s\"")
	put(t, dir+"/.hidden.yml", routers("hidden"))
	put(t, dir+"/.git/d.yml", routers("git"))
	put(t, dir+"/..2026/e.yml", routers("linked")) // as Kubernetes mounts a ConfigMap
	put(t, dir+"/notes.txt", routers("text"))
	put(t, dir+"/f.yml~", routers("backup"))
	put(t, dir+"/empty.yml", "")
	put(t, dir+"/comment.yml", "# nothing\n")
	if err := os.Symlink("..2026/e.yml", dir+"/e.yml"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(dir+"/pipe.yml", 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, link} {
		c := load(t, path)
		if diff := cmp.Diff([]string{"a", "b", "c", "linked"}, names(c)); diff != "" || len(c.Problems) > 0 {
			t.Errorf("%s, problems %v", diff, c.Problems)
		}
	}
}

func TestLoad_Problems(t *testing.T) {
	tests := map[string]struct {
		file, text string
		want       string
		disables   bool
		keeps      bool // the router "fine" of the same file
	}{
		"a mistyped option":            {"a.yml", routers("fine") + "    r:\n      rul: x\n", `a.yml:5: http.routers.r.rul: there is no option "rul" here (did you mean "http.routers.r.rule"?)`, true, true},
		"one in TOML":                  {"a.toml", "[http.routers.fine]\nrule = \"x\"\n[http.routers.r]\nrul = \"x\"\n", `a.toml:4: http.routers.r.rul: there is no option`, true, true},
		"one in JSON":                  {"a.json", "{\"http\": {\"routers\": {\"fine\": {\"rule\": \"x\"},\n\"r\": {\"rul\": \"x\"}}}}", `a.json:2: http.routers.r.rul: there is no option`, true, true},
		"a bad value":                  {"a.yml", routers("fine") + "    r:\n      priority: high\n", `a.yml:5: http.routers.r.priority: "high" is not a whole number`, true, true},
		"an option of labels":          {"a.yml", routers("fine") + "  services: {s: {loadBalancer: {server: {port: 80}}}}\n", `a.yml:4: http.services.s.loadBalancer.server.port: there is no option "server" here (did you mean "http.services.s.loadBalancer.servers.port"?)`, false, true},
		"an option to come":            {"a.yml", routers("fine") + "tcp: {serversTransports: {t: {tls: {spiffe: {ids: [x]}}}}}\n", "a.yml:4: tcp.serversTransports.t.tls.spiffe.ids: is an option of Traefik's that fairway does not have yet", false, true},
		"a bad value of TCP":           {"a.yml", routers("fine") + "tcp: {routers: {r: {rule: x, priority: high}}}\n", `a.yml:4: tcp.routers.r.priority: "high" is not a whole number`, true, true},
		"an option of TLS options":     {"a.yml", routers("fine") + "tls: {options: {o: {minVersion: VersionTLS12, sniStict: true}}}\n", `a.yml:4: tls.options.o.sniStict: there is no option "sniStict" here (did you mean "tls.options.o.sniStrict"?)`, true, true},
		"an unknown section":           {"a.yml", routers("fine") + "htp: {x: {y: 1}}\n", `a.yml:4: htp.x.y: there is no option "htp" here (did you mean "http.x.y"?)`, false, true},
		"a document that is broken":    {"a.yml", "http:\n  routers: {\n", "a.yml:2: ", false, false},
		"a document of another kind":   {"a.yml", "- a\n- b\n", "a.yml:1: the document is not a mapping of options", false, false},
		"a broken TOML document":       {"a.toml", "[http.routers.r]\nrule = @\n", "a.toml:2: ", false, false},
		"one key twice":                {"a.yml", "http: {routers: {}}\nhttp: {routers: {}}\n", "a.yml:2: ", false, false},
		"tabs":                         {"a.yml", "http:\n\trouters: x\n", "a.yml:2: ", false, false},
		"too much from few lines":      {"a.yml", bomb(), "too large or too deeply nested", false, false},
		"a template that is broken":    {"a.yml", "http:\n  routers:\n{{ range }}\n", "a.yml:3: template: missing value for range", false, false},
		"a template that fails":        {"a.yml", "http:\n{{ fail \"because\" }}\n", "a.yml:2: template: ", false, false},
		"a function that is not there": {"a.yml", "\n\n{{ nosuch }}\n", `a.yml:3: template: function "nosuch" not defined`, false, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, filepath.Join(dir, tt.file), tt.text)
			put(t, filepath.Join(dir, "z-other.yml"), routers("other"))
			c := load(t, dir)
			if len(c.Problems) != 1 || !strings.Contains(c.Problems[0].String(), tt.want) || c.Problems[0].Disables != tt.disables {
				t.Errorf("got %v", c.Problems)
			}
			if c.HTTP.Routers["other"] == nil || (c.HTTP.Routers["fine"] != nil) != tt.keeps {
				t.Errorf("got routers %v", names(c))
			}
		})
	}
}

// bomb is a small document that aliases make large.
func bomb() string {
	var b strings.Builder
	b.WriteString("a0: &a0 {x: {y: 1}}\n")
	for i := range 30 {
		last, next := string(rune('0'+i/10))+string(rune('0'+i%10)), string(rune('0'+(i+1)/10))+string(rune('0'+(i+1)%10))
		if i == 0 {
			last = "0"
		}
		b.WriteString("a" + next + ": &a" + next + " {l: *a" + last + ", r: *a" + last + "}\n")
	}
	return b.String()
}

func TestLoad_Templates(t *testing.T) {
	t.Setenv("ZONE", "example.com")
	dir := t.TempDir()
	put(t, dir+"/a.yml", "http:\n  routers:\n{{ range $i := until 2 }}    r{{ $i }}: {rule: 'Host(`{{ normalize \"a b\" }}-{{ $i }}.{{ env \"ZONE\" | upper }}`)'}\n{{ end }}")
	c := load(t, dir)
	got := []string{c.HTTP.Routers["r0"].Rule, c.HTTP.Routers["r1"].Rule}
	if diff := cmp.Diff([]string{"Host(`a-b-0.EXAMPLE.COM`)", "Host(`a-b-1.EXAMPLE.COM`)"}, got); diff != "" || len(c.Problems) > 0 {
		t.Errorf("%s, problems %v", diff, c.Problems)
	}
}

// A template within a file, as those of transform, loses its names to the template that the file is: that is said.
func TestLoad_TemplatesWithinFiles(t *testing.T) {
	const service = "# {{ .comment }}\nhttp: # {{ .other }}\n  services: {{ range until 2 }}\n{{ end }}\n    a: {respond: {template: true, body: '%s'}}\n"
	const within = "; the file is a template itself, and one within it is written {{`{{ … }}`}}"
	for body, want := range map[string]string{
		"{{ .Path }}":                        "a.yml:5: template: .Path has no value" + within,
		"{{ range .Query }}{{ . }}{{ end }}": "a.yml:5: template: .Query has no value" + within,
		"{{ json . }}":                       "a.yml:5: template: function \"json\" not defined" + within,
		"{{`{{ .Path }}`}}":                  "",
		"{{ with dict \"a\" 1 }}{{ .a }}{{ .b }}{{ end }}": "",
	} {
		dir := t.TempDir()
		put(t, dir+"/a.yml", fmt.Sprintf(service, body))
		said := ""
		for _, p := range load(t, dir).Problems {
			said += p.String()
		}
		if !strings.HasSuffix(said, want) || want == "" && said != "" {
			t.Errorf("%s: got %s", body, said)
		}
	}
}

func TestLoad_OneNameInTwoFiles(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/a.yml", routers("same", "a"))
	put(t, dir+"/b.yml", strings.Replace(routers("same", "b"), "rule: 'Host(`same`)'", "bogus: 1", 1))
	c := load(t, dir)
	if diff := cmp.Diff([]string{"a", "b", "same"}, names(c)); diff != "" || c.HTTP.Routers["same"].Rule != "Host(`same`)" {
		t.Errorf("%s, %+v", diff, c.HTTP.Routers["same"])
	}
	said := ""
	for _, p := range c.Problems {
		said += p.String() + "\n"
		if p.Disables {
			t.Errorf("a mistake in what is not used disables: %s", p)
		}
	}
	if !strings.Contains(said, `b.yml: router same: the router "same" is not used: `+dir+`/a.yml has one of the same name`) {
		t.Errorf("got %s", said)
	}
}

func TestLoad_MissingFile(t *testing.T) {
	if _, err := Load("/nowhere/routes.yml"); err == nil {
		t.Error("got no error")
	}
}

func TestNew_FilenameOrDirectory(t *testing.T) {
	for want, c := range map[string]Config{
		"filename and directory are both given: use one of them": {Filename: "a", Directory: "b"},
		"neither filename nor directory is given":                {},
	} {
		if _, err := c.New(logrus.New()); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func FuzzFile(f *testing.F) {
	for _, seed := range []string{
		routers("a", "b"), "http: {routers: {r: {tls: true}}}", "a: &a [*a]", "<<: {<<: {http: }}", "http: [a, {b: c}]", "{{ .x }}", "? : \n? [a]: b",
		"[http.routers.r]\nrule=1", "[[http]]\na=1", "{\"http\": null}", "http: {services: {s: {loadBalancer: {servers: [{url: x, weight: 1.5}]}}}}", "http: !!binary eA==",
	} {
		for ext := range 3 {
			f.Add(seed, ext)
		}
	}
	f.Fuzz(func(t *testing.T, text string, ext int) {
		if strings.Contains(text, "{{") {
			t.Skip("templates may do anything, as slowly as they like")
		}
		d := &document{}
		if err := d.decode("x"+[]string{".yml", ".toml", ".json"}[uint(ext)%3], []byte(text), &folder{config: &Config{}}); err != nil {
			return
		}
		for name, r := range d.http.Routers {
			if r == nil {
				t.Errorf("the router %q is nil", name)
			}
		}
		for name, s := range d.http.Services {
			if s == nil {
				t.Errorf("the service %q is nil", name)
			}
		}
		for name, m := range d.http.Middlewares {
			if m == nil {
				t.Errorf("the middleware %q is nil", name)
			}
		}
	})
}

func TestLoad_TLSOfSeveralFiles(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "a.yml"), "tls:\n  certificates: [{certFile: a.pem, keyFile: a.key}]\n  options:\n    default: {sniStrict: true}\n")
	put(t, filepath.Join(dir, "b.toml"), "[[tls.certificates]]\ncertFile = \"b.pem\"\nkeyFile = \"b.key\"\n[tls.options.default]\nminVersion = \"VersionTLS13\"\n[tls.options.other]\nminVersion = \"VersionTLS13\"\n[tls.stores.default.defaultGeneratedCert]\nresolver = \"le\"\n")
	c := load(t, dir)
	if n := len(c.TLS.Certificates); n != 2 || c.TLS.Certificates[1].CertFile != "b.pem" || c.TLS.Certificates[0].KeyFile.Reveal() != "a.key" {
		t.Errorf("got %d certificates: %v", n, c.TLS.Certificates)
	}
	if !c.TLS.Options["default"].SniStrict || c.TLS.Options["other"].MinVersion != "VersionTLS13" || c.TLS.Stores["default"].DefaultGeneratedCert.Resolver != "le" {
		t.Errorf("got %+v", c.TLS)
	}
	if len(c.Problems) != 1 || !strings.Contains(c.Problems[0].String(), `b.toml: tlsOptions default: the tlsOptions "default" is not used: `) {
		t.Errorf("got %v", c.Problems)
	}
}
