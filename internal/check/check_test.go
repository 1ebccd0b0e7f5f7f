package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fairway/config/dynamic"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// texts are the problems as the command prints them, without the folder.
func texts(path string, problems []dynamic.Problem) string {
	var b strings.Builder
	for _, p := range problems {
		b.WriteString(string(p.Severity) + " " + p.String() + "\n")
	}
	return strings.ReplaceAll(b.String(), filepath.Dir(path)+"/", "")
}

const good = "http:\n  routers: {a: {rule: 'Host(`a`)', service: s, entryPoints: [any], middlewares: [auth@docker]}}\n  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:1'}]}}}\n"

func TestConfiguration(t *testing.T) {
	tests := []struct{ name, file, text, want string }{
		{"nothing wrong; other providers and entry points are taken to be there", "r.yml", good, ""},
		{"a missing service", "r.yml", strings.Replace(good, "service: s", "service: t", 1), "error router a@file: the service \"t@file\" does not exist (did you mean \"s@file\"?)\n"},
		{"a mistyped option with its line", "r.yml", strings.Replace(good, "servers:", "server:", 1), "error r.yml:3: http.services.s.loadBalancer.server[0].url: there is no option \"server\" here (did you mean \"http.services.s.loadBalancer.servers[0].url\"?)\n"},
		{"a file that cannot be read", "r.yml", "http: {\n", "error r.yml:1: "},
		{"an install configuration", "fairway.yml", "entryPoints: {web: {address: ':80'}}\nproviders: {docker: {}}\n", ""},
		{"an install configuration with a mistake", "fairway.yml", "entryPoints: {web: {adress: ':80'}}\n", "error fairway.yml: fairway.yml:1: option entryPoints.web.adress: there is no option \"adress\" here (did you mean \"entryPoints.web.address\"?)\n"},
		{"a provider with a mistake", "fairway.yml", "providers: {docker: {constraints: 'Label('}}\n", "error fairway.yml: providers.docker: constraints"},
		{"an option to come", "fairway.yml", "providers: {docker: {}}\naccessLog: {filePath: x}\n", "warning fairway.yml: option accessLog.filePath is an option of Traefik's"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, tt.file, tt.text)
			problems, err := Configuration(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := texts(path, problems); got != tt.want && (tt.want == "" || !strings.HasPrefix(got, tt.want)) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestConfiguration_AnInstallFileLeadsToItsRoutes(t *testing.T) {
	routes := write(t, "routes.yml", strings.Replace(good, "entryPoints: [any]", "entryPoints: [wbe]", 1))
	install := write(t, "fairway.yml", "entryPoints: {web: {address: ':80'}}\nproviders: {file: {filename: '"+routes+"'}}\n")
	problems, err := Configuration(install)
	if err != nil {
		t.Fatal(err)
	}
	if len(problems) != 1 || problems[0].Nearest != "web" {
		t.Errorf("got %v", problems)
	}
}

func TestConfiguration_ADirectory(t *testing.T) {
	dir := filepath.Dir(write(t, "a.yml", good))
	if err := os.WriteFile(filepath.Join(dir, "b.yml"), []byte("http: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	problems, err := Configuration(dir)
	if err != nil || len(problems) != 1 || !strings.HasSuffix(problems[0].Source, "b.yml") {
		t.Errorf("got %v, %v", problems, err)
	}
}

func TestConfiguration_AMissingFileIsAnError(t *testing.T) {
	if _, err := Configuration("/nowhere"); err == nil {
		t.Error("no error")
	}
}

func TestCompose(t *testing.T) {
	service := func(labels string) string { return "services:\n  web:\n    image: x\n    labels:\n" + labels }
	tests := []struct{ name, text, want string }{
		{"list form", service("      - traefik.http.routers.w.rule=Host(`a`)\n"), ""},
		{"map form, with an escaped dollar", service("      traefik.http.routers.w.rule: HostRegexp(`^a$$`)\n"), ""},
		{"variables with and without values", service("      - traefik.http.routers.w.rule=Host(`${FAIRWAY_TEST_UNSET}.${FAIRWAY_TEST_TLD:-test}`)\n"), ""},
		{"services without labels are left alone", "services:\n  db: {image: x}\n", ""},
		{
			"a mistyped label", service("      - traefik.http.routers.w.rules=Host(`a`)\n"),
			"error c.yml: service web: traefik.http.routers.w.rules: there is no option \"rules\" here (did you mean \"traefik.http.routers.w.rule\"?)\n",
		},
		{"a wrong rule", service("      - fairway.http.routers.w.rule=Host(a)\n"), "error router w@docker: rule Host(a): at byte 5:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, "c.yml", tt.text)
			problems, err := Compose(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := texts(path, problems); got != tt.want && (tt.want == "" || !strings.HasPrefix(got, tt.want)) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestCompose_RefusesWhatIsNoComposeFile(t *testing.T) {
	for _, text := range []string{"http: {}\n", "- a\n", "services: {web: {labels: 3}}\n"} {
		if _, err := Compose(write(t, "c.yml", text)); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

func FuzzCompose(f *testing.F) {
	f.Add("services:\n  web:\n    image: x\n    ports: ['80:80', {target: 1}]\n    labels: [traefik.http.routers.w.rule=Host(`${A:-b}$$`)]\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = Compose(write(t, "c.yml", text))
	})
}
