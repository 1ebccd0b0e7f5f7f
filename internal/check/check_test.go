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
		{"a missing service", "r.yml", strings.Replace(good, "service: s", "service: t", 1), "error r.yml:2: router a@file: the service \"t@file\" does not exist (did you mean \"s@file\"?)\n"},
		{"a mistyped option with its line", "r.yml", strings.Replace(good, "servers:", "server:", 1), "error r.yml:2: router a@file: its service \"s@file\" is out of use: r.yml:3: http.services.s.loadBalancer.server[0].url: there is no option \"server\" here (did you mean \"http.services.s.loadBalancer.servers[0].url\"?)\n"},
		{"a file that cannot be read", "r.yml", "http: {\n", "error r.yml:1: "},
		{"an install configuration", "fairway.yml", "entryPoints: {web: {address: ':80'}}\nproviders: {docker: {}}\n", ""},
		{"an install configuration with a mistake", "fairway.yml", "entryPoints: {web: {adress: ':80'}}\n", "error fairway.yml:1: entryPoints.web.adress: there is no option \"adress\" here (did you mean \"entryPoints.web.address\"?)\n"},
		{"several mistakes", "fairway.yml", "log: {level: LOUD}\napi: {insecure: maybe}\nping:\n  x: 1\n", "error fairway.yml:2: api.insecure: \"maybe\" is neither true nor false\nerror fairway.yml:4: ping.x: there is no option \"x\" here\nerror fairway.yml:1: log.level: \"LOUD\" is none of TRACE, DEBUG, INFO, WARN, ERROR, FATAL and PANIC\n"},
		{"an install configuration without entry points and providers", "fairway.yml", "log: {level: INFO}\n", ""},
		{"one of options to come", "traefik.yml", "tcpServersTransport: {tls: {spiffe: {ids: x, trustDomain: y}}}\n", "warning traefik.yml: option tcpServersTransport.tls.spiffe is an option of Traefik's"},
		{"one with routes", "fairway.yml", "providers: {docker: {}}\nhttp:\n  routers: {}\n", "error fairway.yml:2: http: is routing: it belongs into a file of the file provider"},
		{"routes with an option of the install configuration", "r.yml", good + "log: {level: INFO}\n", "error r.yml:4: log.level: there is no option \"log\" here"},
		{"a key that is there twice", "r.yml", good + "http: {}\n", "error r.yml:4: http: is given twice: line 1 has it already"},
		{"a router without options", "r.yml", good + "  routers: {c: }\n", "error r.yml:4: "},
		{"a second document", "r.yml", good + "---\nhttp: {}\n", "error r.yml:4: a second document begins here"},
		{"a compose file", "compose.yml", "services: {web: {image: x, labels: [traefik.http.routers.w.rules=x]}}\n", "error compose.yml: service web: traefik.http.routers.w.rules: there is no option"},
		{"a provider with a mistake", "fairway.yml", "providers: {docker: {constraints: 'Label('}}\n", "error fairway.yml: providers.docker: constraints"},
		{"an option to come", "fairway.yml", "providers: {docker: {}}\nhostResolver: {cnameFlattening: true}\n", "warning fairway.yml: option hostResolver.cnameFlattening is an option of Traefik's"},
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
	unset := func(name string) string {
		return "notice c.yml: the variable FAIRWAY_TEST_" + name + " is not set and has no default: what it stands for is not judged\n"
	}
	tests := []struct{ name, text, want string }{
		{"list form", service("      - traefik.http.routers.w.rule=Host(`a`)\n"), ""},
		{"map form, with an escaped dollar", service("      traefik.http.routers.w.rule: HostRegexp(`^a$$`)\n"), ""},
		{"variables with defaults", service("      - traefik.http.routers.w.rule=Host(`w.${FAIRWAY_TEST_TLD:-test}`)\n"), ""},
		{"a variable without a value", service("      - traefik.http.routers.w.rule=Host(`${FAIRWAY_TEST_UNSET}.${FAIRWAY_TEST_UNSET}`)\n"), unset("UNSET")},
		{"a required variable", service("      - traefik.http.routers.w.rule=Host(`${FAIRWAY_TEST_UNSET:?say which}`)\n"), unset("UNSET")},
		{"a whole rule in a variable", service("      - traefik.http.routers.w.rule=$FAIRWAY_TEST_UNSET\n"), unset("UNSET")},
		{"a port in a variable", service("      - traefik.http.services.w.loadbalancer.server.port=${FAIRWAY_TEST_UNSET}\n"), unset("UNSET")},
		{"an address of variables", service("      - traefik.http.services.w.loadbalancer.server.url=${FAIRWAY_TEST_A}://${FAIRWAY_TEST_B}:${FAIRWAY_TEST_C}\n"), unset("A") + unset("B") + unset("C")},
		{"users in a variable", service("      - traefik.http.middlewares.m.basicauth.users=${FAIRWAY_TEST_UNSET}\n      - traefik.http.routers.w.middlewares=m\n"), unset("UNSET")},
		{"a middleware in a variable", service("      - traefik.http.routers.w.middlewares=${FAIRWAY_TEST_UNSET}\n"), unset("UNSET")},
		{
			"a mistake beside a variable", service("      - traefik.enable=${FAIRWAY_TEST_UNSET}\n      - traefik.http.routers.w.priority=high\n"),
			"error c.yml: service web: traefik.http.routers.w.priority: \"high\" is not a whole number\n" + unset("UNSET"),
		},
		{"services without labels are left alone", "services:\n  db: {image: x}\n", ""},
		{
			"a mistyped label", service("      - traefik.http.routers.w.rules=Host(`a`)\n"),
			"error c.yml: service web: traefik.http.routers.w.rules: there is no option \"rules\" here (did you mean \"traefik.http.routers.w.rule\"?)\n",
		},
		{
			"a mistyped label of a stack", "services:\n  web:\n    image: x\n    labels: [traefik.http.routers.w.rules=x]\n    deploy:\n      labels:\n        - traefik.http.routers.w.ruel=Host(`a`)\n",
			"error c.yml: service web: traefik.http.routers.w.ruel: there is no option \"ruel\" here (did you mean \"traefik.http.routers.w.rule\"?)\n",
		},
		{"a wrong rule", service("      - fairway.http.routers.w.rule=Host(a)\n"), "error c.yml: service web: router w@docker: rule Host(a): at byte 5:"},
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

func TestCompose_LooksAtTheOptionsOfFairwayAndTraefik(t *testing.T) {
	tests := []struct{ name, service, want string }{
		{"a list", "{image: 'traefik:v3', command: [--providers.docker, '--entrypoints.web.address=:80']}", ""},
		{"a mistyped flag", "{image: 'fairway/fairway:1', command: [--providers.docker.netwrok=x]}", "error c.yml: service p: flag --providers.docker.netwrok: there is no option \"netwrok\" here (did you mean \"--providers.docker.network\"?)\n"},
		{"one line, with the name of the program", "{image: traefik, command: \"traefik --log.level 'LOUD' --ping\"}", "error c.yml: service p: flag --log.level: \"LOUD\" is none of TRACE, DEBUG, INFO, WARN, ERROR, FATAL and PANIC\n"},
		{"no flag", "{image: traefik, command: [--ping, x]}", "error c.yml: service p: unexpected argument \"x\": options are written --name=value\n"},
		{"a variable in a mapping", "{image: traefik, environment: {TRAEFIK_API_INSECURE: maybe, TRAEFIK_PING: true, OTHER: x, FAIRWAY_LOG_LEVEL: }}", "error c.yml: service p: variable TRAEFIK_API_INSECURE: \"maybe\" is neither true nor false\n"},
		{"a variable in a list", "{image: traefik, environment: [FAIRWAY_LOG_LEVLE=x, FAIRWAY_LOG_LEVEL]}", "error c.yml: service p: variable FAIRWAY_LOG_LEVLE: there is no option \"levle\" here (did you mean \"FAIRWAY_LOG_LEVEL\"?)\n"},
		{"an option to come", "{image: traefik, command: [--spiffe]}", "warning c.yml: service p: option spiffe is an option of Traefik's that fairway does not have yet; it is ignored\n"},
		{"an option of a file that cannot be seen", "{image: traefik, command: [--configFile=/etc/traefik/traefik.yml, --ping.entrypoint=admin]}", ""},
		{"a file that is mounted", "{image: traefik, command: [--ping.entrypoint=admin], volumes: ['./t.yml:/etc/traefik/traefik.yml:ro']}", ""},
		{"no file", "{image: traefik, command: [--ping.entrypoint=admin]}", "error c.yml: service p: flag --ping.entrypoint: there is no entry point \"admin\"\n"},
		{"a variable that is not known", "{image: traefik, command: ['--log.level=${FAIRWAY_TEST_UNSET}', '--entrypoints.web.address=${FAIRWAY_TEST_UNSET}', --ping.entrypoint=web, '--entrypoints.a.address=:1']}", "notice c.yml: the variable FAIRWAY_TEST_UNSET is not set and has no default: what it stands for is not judged\n"},
		{"another image of Traefik's", "{image: traefik/whoami, command: [--port=2001]}", ""},
		{"another command", "{image: traefik, command: [sh, -c, x]}", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, "c.yml", "services: {p: "+tt.service+"}\n")
			problems, err := Configuration(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := texts(path, problems); got != tt.want {
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
