package config

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/traefik/paerser/types"
)

// TestLoad_AllFormsSayTheSame writes one configuration in every way.
func TestLoad_AllFormsSayTheSame(t *testing.T) {
	nowhere(t)
	files := map[string]string{
		"c.yml": `
entryPoints:
  web:
    address: ":80"
    http:
      redirections: {entryPoint: {to: secure}}
      middlewares: [a@file, b@file]
  secure:
    address: ":443"
    asDefault: true
    forwardedHeaders: {trustedIPs: [10.0.0.0/8, 192.0.2.1]}
    transport: {respondingTimeouts: {readTimeout: 60, idleTimeout: 2m}}
    http: {tls: {}}
providers:
  docker: {endpoint: ["unix:///a.sock", "tcp://b:2375"], exposedByDefault: false, network: front}
  file: {directory: /etc/routes}
api: {insecure: true}
ping: {}
log: {level: DEBUG, format: json}
`,
		"c.toml": `
[entryPoints.web]
  address = ":80"
  [entryPoints.web.http]
    middlewares = ["a@file", "b@file"]
    [entryPoints.web.http.redirections.entryPoint]
      to = "secure"
[entryPoints.secure]
  address = ":443"
  asDefault = true
  [entryPoints.secure.forwardedHeaders]
    trustedIPs = ["10.0.0.0/8", "192.0.2.1"]
  [entryPoints.secure.transport.respondingTimeouts]
    readTimeout = 60
    idleTimeout = "2m"
  [entryPoints.secure.http.tls]
[providers.docker]
  endpoint = ["unix:///a.sock", "tcp://b:2375"]
  exposedByDefault = false
  network = "front"
[providers.file]
  directory = "/etc/routes"
[api]
  insecure = true
[ping]
[log]
  level = "DEBUG"
  format = "json"
`,
		"c.json": `{"entryPoints": {"web": {"address": ":80", "http": {"redirections": {"entryPoint": {"to": "secure"}}, "middlewares": ["a@file", "b@file"]}},
"secure": {"address": ":443", "asDefault": true, "forwardedHeaders": {"trustedIPs": ["10.0.0.0/8", "192.0.2.1"]},
"transport": {"respondingTimeouts": {"readTimeout": "60s", "idleTimeout": "2m"}}, "http": {"tls": {}}}},
"providers": {"docker": {"endpoint": ["unix:///a.sock", "tcp://b:2375"], "exposedByDefault": false, "network": "front"}, "file": {"directory": "/etc/routes"}},
"api": {"insecure": true}, "ping": {}, "log": {"level": "DEBUG", "format": "json"}}`,
	}
	options := map[string]string{
		"entryPoints.web.address": ":80", "entryPoints.web.http.redirections.entryPoint.to": "secure", "entryPoints.web.http.middlewares": "a@file,b@file",
		"entryPoints.secure.address": ":443", "entryPoints.secure.asDefault": "true", "entryPoints.secure.forwardedHeaders.trustedIPs": "10.0.0.0/8,192.0.2.1",
		"entryPoints.secure.transport.respondingTimeouts.readTimeout": "60", "entryPoints.secure.transport.respondingTimeouts.idleTimeout": "2m",
		"entryPoints.secure.http.tls": "true", "providers.docker.endpoint": "unix:///a.sock,tcp://b:2375", "providers.docker.exposedByDefault": "false",
		"providers.docker.network": "front", "providers.file.directory": "/etc/routes", "api.insecure": "true", "ping": "true", "log.level": "DEBUG", "log.format": "json",
	}
	got := map[string]*Loaded{}
	for name, text := range files {
		got[name] = load(t, []string{"--configFile=" + write(t, name, text)}, nil)
	}
	var flags, spaced, lower, fairway, traefik []string
	for key, value := range options {
		flags = append(flags, "--"+key+"="+value)
		lower = append(lower, "-"+strings.ToLower(key)+"="+value)
		switch value {
		case "true":
			spaced = append(spaced, "--"+key)
		case "false":
			spaced = append(spaced, "--"+key+"="+value)
		default:
			spaced = append(spaced, "--"+key, value)
		}
		variable := strings.ToUpper(strings.ReplaceAll(key, ".", "_")) + "=" + value
		fairway, traefik = append(fairway, "FAIRWAY_"+variable), append(traefik, "TRAEFIK_"+variable)
	}
	got["flags"] = load(t, flags, nil)
	got["flags in lower case"] = load(t, lower, nil)
	got["flags with blanks"] = load(t, spaced, nil)
	got["variables"] = load(t, nil, fairway)
	got["Traefik's variables"] = load(t, nil, traefik)

	want := printed(t, got["c.yml"].Configuration)
	for name, l := range got {
		if diff := cmp.Diff(want, printed(t, l.Configuration)); diff != "" {
			t.Errorf("%s (-yaml +it):\n%s", name, diff)
		}
		if len(l.Warnings)+len(l.Implied) > 0 || l.Nothing {
			t.Errorf("%s: got warnings %q, implied %q, nothing %v", name, l.Warnings, l.Implied, l.Nothing)
		}
	}
	c := got["c.yml"]
	if d := c.Providers.Docker; d.ExposedByDefault || !d.Watch || d.DefaultRule == "" || len(d.Endpoint) != 2 {
		t.Errorf("docker: got %+v", d)
	}
	if to := c.EntryPoints["secure"].Transport.RespondingTimeouts; to.ReadTimeout != types.Duration(time.Minute) || to.ReadHeaderTimeout != types.Duration(10*time.Second) {
		t.Errorf("timeouts: got %+v", to)
	}
	if r := c.EntryPoints["web"].HTTP.Redirections.EntryPoint; r.Scheme != "https" || !r.Permanent || r.Priority != RedirectPriority {
		t.Errorf("redirection: got %+v", r)
	}
	if c.EntryPoints["traefik"].Address != ":8080" || c.Ping.EntryPoint != "traefik" || !c.API.Dashboard {
		t.Errorf("API: got %+v, ping %+v", c.API, c.Ping)
	}
}

func printed(tb testing.TB, c *Configuration) string {
	tb.Helper()
	text, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

func TestLoad_FlagsWinOverVariablesOverTheFile(t *testing.T) {
	nowhere(t)
	file := "--configfile=" + write(t, "c.yml", "log: {level: ERROR, format: json}\nentryPoints: {web: {address: ':1', http: {middlewares: [x@file, y@file, z@file]}}, admin: {address: ':2'}}\nping: {terminatingStatusCode: 200}\nproviders: {docker: {network: file}}\n")
	l := load(t, []string{file, "--log.level=DEBUG", "--entrypoints.web.http.middlewares=f@file", "--providers.docker"}, []string{
		"FAIRWAY_LOG_LEVEL=WARN", "FAIRWAY_ENTRYPOINTS_ADMIN_ADDRESS=:3", "TRAEFIK_ENTRYPOINTS_ADMIN_ADDRESS=:4", "TRAEFIK_PING=true", "OTHER_LOG_LEVEL=x",
	})
	if l.Log.Level != "DEBUG" || l.Log.Format != "json" {
		t.Errorf("log: got %+v", l.Log)
	}
	if diff := cmp.Diff([]string{"f@file"}, l.EntryPoints["web"].HTTP.Middlewares); diff != "" {
		t.Errorf("a list is replaced, not mixed: %s", diff)
	}
	if got := l.EntryPoints["web"].Address + l.EntryPoints["admin"].Address; got != ":1:3" {
		t.Errorf("addresses: got %s", got)
	}
	if l.Ping == nil || l.Ping.TerminatingStatusCode != 200 || l.Providers.Docker.Network != "file" {
		t.Errorf("a bare switch keeps what the file says below it: got %+v, %+v", l.Ping, l.Providers.Docker)
	}
}

func TestLoad_SwitchesAreTurnedOffAgain(t *testing.T) {
	nowhere(t)
	file := "--configfile=" + write(t, "c.yml", "ping: {}\napi: {insecure: true}\nproviders: {docker: {network: x}}\n")
	l := load(t, []string{file, "--ping=false", "--api.insecure=false", "--providers.docker=false"}, nil)
	if l.Ping != nil || l.API == nil || l.API.Insecure || l.Providers.Docker != nil {
		t.Errorf("got ping %v, api %+v, docker %+v", l.Ping, l.API, l.Providers.Docker)
	}
}

func TestLoad_Flags(t *testing.T) {
	nowhere(t)
	tests := map[string]struct {
		args     []string
		check    func(*Loaded) bool
		warnings int
	}{
		"a bare switch":                            {[]string{"--ping"}, func(l *Loaded) bool { return l.Ping != nil }, 0},
		"bare switches in a row":                   {[]string{"--ping", "--api.insecure", "--api.debug"}, func(l *Loaded) bool { return l.Ping != nil && l.API.Insecure && l.API.Debug }, 0},
		"one that is to come swallows none":        {[]string{"--spiffe", "--ping"}, func(l *Loaded) bool { return l.Ping != nil }, 1},
		"a list in several flags":                  {[]string{"--entrypoints.web.address=:80", "--entryPoints.web.forwardedHeaders.trustedIPs=10.0.0.1", "--entrypoints.web.forwardedheaders.trustedips=10.0.0.2,10.0.0.3"}, func(l *Loaded) bool { return len(l.EntryPoints["web"].ForwardedHeaders.TrustedIPs) == 3 }, 0},
		"the last of two":                          {[]string{"--log.level=DEBUG", "--log.level=ERROR"}, func(l *Loaded) bool { return l.Log.Level == "ERROR" }, 0},
		"a value with an equals sign":              {[]string{"--providers.docker.constraints=Label(`a`,`b=c`)"}, func(l *Loaded) bool { return l.Providers.Docker.Constraints == "Label(`a`,`b=c`)" }, 0},
		"an empty value":                           {[]string{"--providers.docker.network="}, func(l *Loaded) bool { return l.Providers.Docker != nil && l.Providers.Docker.Network == "" }, 0},
		"options of Traefik's that change nothing": {[]string{"--global.checknewversion", "--global.sendanonymoususage=false"}, func(l *Loaded) bool { return l.Global.CheckNewVersion }, 0},
		"options to come":                          {[]string{"--metrics.datadog=true", "--ocsp.responderoverrides.a=x", "--ocsp.responderoverrides.b=y"}, func(*Loaded) bool { return true }, 2},
		"headers of a collector":                   {[]string{"--metrics.otlp.grpc.headers.x-team=key"}, func(l *Loaded) bool { return l.Metrics.OTLP.GRPC.Headers["x-team"] == "key" }, 0},
		"one dash":                                 {[]string{"-ping"}, func(l *Loaded) bool { return l.Ping != nil }, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := load(t, tt.args, nil)
			if !tt.check(l) || len(l.Warnings) != tt.warnings {
				t.Errorf("got %s\nwarnings %q", printed(t, l.Configuration), l.Warnings)
			}
		})
	}
}

func TestLoad_Errors(t *testing.T) {
	dir := nowhere(t)
	yml := func(text string) []string { return []string{"--configFile=" + write(t, "c.yml", text)} }
	toml := func(text string) []string { return []string{"--configFile=" + write(t, "c.toml", text)} }
	tests := map[string]struct {
		args    []string
		environ []string
		want    []string
	}{
		"an unknown flag":                   {args: []string{"--providers.docker.netwrok=x"}, want: []string{`flag --providers.docker.netwrok: there is no option "netwrok" here (did you mean "--providers.docker.network"?)`}},
		"an unknown section":                {args: []string{"--provider.docker"}, want: []string{`flag --provider.docker: there is no option "provider" here (did you mean "--providers.docker"?)`}},
		"an unknown variable":               {environ: []string{"FAIRWAY_LOG_LEVLE=x"}, want: []string{`variable FAIRWAY_LOG_LEVLE: there is no option "levle" here (did you mean "FAIRWAY_LOG_LEVEL"?)`}},
		"several at once":                   {args: []string{"--lgo.level=x", "--api.insecure=maybe"}, want: []string{"flag --lgo.level: ", `flag --api.insecure: "maybe" is neither true nor false`}},
		"a line of a YAML file":             {args: yml("log:\n  level: INFO\nentryPoints:\n  web:\n    adress: ':80'\n"), want: []string{`c.yml:5: option entryPoints.web.adress: there is no option "adress" here (did you mean "entryPoints.web.address"?)`}},
		"a line of a TOML file":             {args: toml("[log]\n  level = \"INFO\"\n[entryPoints.web]\n  adress = \":80\"\n"), want: []string{`c.toml:4: option entryPoints.web.adress: `}},
		"a YAML file that cannot be read":   {args: yml("log:\n  level: \"INFO\n"), want: []string{"read the configuration file ", "c.yml: line "}},
		"a TOML file that cannot be read":   {args: toml("[log]\nlevel = @\n"), want: []string{"c.toml: line 2: "}},
		"a file of another kind":            {args: []string{"--configFile=" + write(t, "c.ini", "")}, want: []string{`files ending in ".ini" are not read`}},
		"a file that is missing":            {args: []string{"--configFile=" + dir + "/none.yml", "--ping"}, want: []string{"read the configuration file: open ", "none.yml"}},
		"a file named by a variable":        {environ: []string{"TRAEFIK_CONFIGFILE=" + dir + "/none.yml"}, want: []string{"none.yml"}},
		"no value for a text":               {args: []string{"--log.level", "--ping"}, want: []string{"option --log.level needs a value"}},
		"no value for the file":             {args: []string{"--configFile"}, want: []string{"option --configFile needs a value"}},
		"no value for a duration":           {args: []string{"--providers.providersThrottleDuration"}, want: []string{"option --providers.providersThrottleDuration needs a value"}},
		"no option at all":                  {args: []string{"web"}, want: []string{`unexpected argument "web": options are written --name=value`}},
		"nothing behind the dashes":         {args: []string{"--"}, want: []string{`unexpected argument "--"`}},
		"a switch with a blank":             {args: []string{"--api.insecure", "true"}, want: []string{`unexpected argument "true"`}},
		"a duration":                        {args: []string{"--providers.providersthrottleduration=soon"}, want: []string{`"soon" is not a duration like 10s`}},
		"an entry point without an address": {args: []string{"--entrypoints.web.asdefault"}, want: []string{`option entryPoints.web.address: "" is not of the form [host]:port`}},
		"an address without a port":         {args: []string{"--entrypoints.web.address=80"}, want: []string{`flag --entrypoints.web.address: "80" is not of the form [host]:port`}},
		"another protocol":                  {args: []string{"--entrypoints.web.address=:80/sctp"}, want: []string{`"sctp" is neither tcp nor udp`}},
		"a redirection to nowhere":          {args: []string{"--entrypoints.web.address=:80", "--entrypoints.web.http.redirections.entrypoint.to=wesecure"}, want: []string{`flag --entrypoints.web.http.redirections.entrypoint.to: there is no entry point "wesecure"`}},
		"a ping at no entry point":          {args: []string{"--ping.entrypoint=nowhere"}, want: []string{`flag --ping.entrypoint: there is no entry point "nowhere"`}},
		"a format":                          {args: []string{"--log.format=xml"}, want: []string{`flag --log.format: "xml" is neither common nor json`}},
		"a provider":                        {args: []string{"--providers.precedence=file,dokcer"}, want: []string{`flag --providers.precedence: there is no provider "dokcer" (did you mean "docker"?)`}},
		"a level":                           {args: []string{"--log.level=LOUD"}, want: []string{`flag --log.level: "LOUD" is none of TRACE, DEBUG, INFO, WARN, ERROR, FATAL and PANIC`}},
		"a bad index":                       {args: []string{"--entrypoints.web.http.tls.domains[x].main=a"}, want: []string{`has a bad index in "domains[x]"`}},
		"an option without its section":     {args: []string{"--docker"}, want: []string{`flag --docker: there is no option "docker" here (did you mean "--providers.docker"?)`}},
		"a mistyped section in a variable":  {environ: []string{"FAIRWAY_LOGG_LEVEL=x"}, want: []string{`variable FAIRWAY_LOGG_LEVEL: there is no option "logg" here (did you mean "FAIRWAY_LOG_LEVEL"?)`}},
		"a key that is there twice":         {args: yml("log:\n  level: INFO\n  level: DEBUG\n"), want: []string{"c.yml:3: option log.level: is given twice: line 2 has it already, and that one stays"}},
		"a second document":                 {args: yml("log: {}\n---\nping: {}\n"), want: []string{"c.yml:2: a second document begins here"}},
		"routes":                            {args: yml("http:\n  routers:\n    r: {rule: x, service: s}\n"), want: []string{"c.yml:1: option http: is routing: it belongs into a file of the file provider"}},
		"an option of Traefik v2":           {args: []string{"--providers.docker.swarmmode"}, want: []string{"flag --providers.docker.swarmmode: was removed in Traefik v3: Swarm is a provider of its own there"}},
		"a section of Traefik v2":           {args: yml("log: {}\npilot: {token: x, dashboard: true}\n"), want: []string{"c.yml:2: option pilot: was removed in Traefik v3"}},
		"all that is wrong":                 {args: yml("log: {levle: x, format: xml}\nping: {entryPoint: nowhere}\n"), want: []string{"c.yml:1: option log.levle: ", `c.yml:1: option log.format: "xml" is neither`, `c.yml:2: option ping.entryPoint: there is no entry point "nowhere"`}},
		"an entry point without options":    {args: yml("entryPoints:\n  web:\n"), want: []string{"c.yml:2: option entryPoints.web: has no options"}},
		"a section that is a number":        {args: yml("ping: 5\n"), want: []string{`c.yml:1: option ping: "5" is not an object`}},
		"pages without a provider":          {args: []string{"--errorpages=pages"}, want: []string{`flag --errorpages: "pages" needs the provider of the middleware, as in pages@docker`}},
		"two dots":                          {args: []string{"--log..level=x"}, want: []string{"flag --log..level: has an empty part"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Load(tt.args, tt.environ)
			if err == nil {
				t.Fatal("got no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %q in it", err, want)
				}
			}
		})
	}
}

// TestLoad_NamesTheSourceOfWhatCounts has a file whose options are overridden.
func TestLoad_NamesTheSourceOfWhatCounts(t *testing.T) {
	nowhere(t)
	file := func(name, text string) string { return "--configFile=" + write(t, name, text) }
	yml := file("c.yml", "log:\n  level: INFO\napi:\n  insecure: false\n")
	toml := file("c.toml", "[log]\nlevel = \"INFO\"\n[api]\ninsecure = false\n")
	tests := map[string]struct {
		args, environ []string
		want          string
	}{
		"a flag":                      {[]string{yml, "--API.insecure=maybe"}, nil, `flag --API.insecure: "maybe" is neither true nor false`},
		"a variable":                  {[]string{yml}, []string{"TRAEFIK_API_INSECURE=maybe"}, `variable TRAEFIK_API_INSECURE: "maybe" is neither true nor false`},
		"a flag over a variable":      {[]string{yml, "--api.insecure=maybe"}, []string{"FAIRWAY_API_INSECURE=true"}, `flag --api.insecure: "maybe" is neither true nor false`},
		"a flag over TOML":            {[]string{toml, "--api.insecure=maybe"}, nil, `flag --api.insecure: "maybe" is neither true nor false`},
		"a flag below an option":      {[]string{yml, "--log.level.x=1"}, nil, `flag --log.level.x: takes one value, not options below it`},
		"what the table makes of it":  {[]string{yml, "--log.level=LOUD"}, nil, `flag --log.level: "LOUD" is none of`},
		"what nobody wrote":           {[]string{"--entrypoints.web.asdefault"}, nil, `option entryPoints.web.address: "" is not of the form`},
		"nothing that follows":        {[]string{"--entrypoints.web.adress=:80", "--entrypoints.b.address=:81", "--entrypoints.b.http.redirections.entrypoint.to=web"}, nil, `flag --entrypoints.web.adress: there is no option "adress" here`},
		"the file, beside the others": {[]string{file("d.yml", "log:\n  levle: INFO\n"), "--log.level=DEBUG"}, nil, `d.yml:2: option log.levle: there is no option`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Load(tt.args, tt.environ)
			if err == nil || !strings.HasPrefix(err.Error()[strings.LastIndexByte(err.Error(), '/')+1:], tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestLoad_IgnoresUnrelatedVariables(t *testing.T) {
	nowhere(t)
	l := load(t, nil, []string{"FAIRWAY_VERSION=1", "TRAEFIK_VERSION=3", "TRAEFIK_TAG=x", "TRAEFIK_HTTP_PORT=80", "FAIRWAY_=x", "TRAEFIK_IMAGE=traefik", "TRAEFIK_LGO_LEVEL=DEBUG"})
	want := []string{
		"variable FAIRWAY_ is no option of fairway; it is ignored",
		"variable TRAEFIK_HTTP_PORT is no option of fairway; it is ignored",
		"variable TRAEFIK_IMAGE is no option of fairway; it is ignored",
		`variable TRAEFIK_LGO_LEVEL is no option of fairway; it is ignored (did you mean "FAIRWAY_LOG_LEVEL"?)`,
		"variable TRAEFIK_TAG is no option of fairway; it is ignored",
		"variable FAIRWAY_VERSION is no option of fairway; it is ignored",
	}
	if diff := cmp.Diff(want, l.Warnings); diff != "" || !l.Nothing {
		t.Errorf("nothing %v, warnings (-want +got):\n%s", l.Nothing, diff)
	}
}

func TestLoadOptions_ReadsNoFile(t *testing.T) {
	nowhere(t)
	if err := os.WriteFile("fairway.yml", []byte("log: {level: ERROR}"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := LoadOptions([]string{"--configFile=/nowhere.yml", "--ping.entrypoint=of-the-file"}, nil)
	if err != nil || l.File != "" || l.Log.Level != "INFO" {
		t.Errorf("got %+v, %v", l, err)
	}
	if _, err := LoadOptions([]string{"--ping.entrypoint=nowhere"}, nil); err == nil {
		t.Error("an entry point that is missing without any file: no error")
	}
}

func TestLoad_OptionsToComeAreOneWarningEach(t *testing.T) {
	nowhere(t)
	file := "--configFile=" + write(t, "c.yml", "hostResolver: {cnameFlattening: true, resolvDepth: 5}\ntcpServersTransport: {tls: {spiffe: {ids: x, trustDomain: y}}}\nexperimental: {http3: true}\n")
	l := load(t, []string{file, "--metrics.datadog=true", "--ping"}, nil)
	const later = " is an option of Traefik's that fairway does not have yet; it is ignored"
	want := []string{
		"option hostResolver" + later, "option tcpServersTransport.tls.spiffe" + later,
		"option experimental.http3 was removed in Traefik v3: HTTP/3 is an option of the entry point there, entryPoints.NAME.http3; it is ignored",
		"option metrics.datadog" + later,
	}
	if diff := cmp.Diff(want, l.Warnings); diff != "" || l.Ping == nil {
		t.Error(diff)
	}
}

func TestLoad_CollectorsOfAFile(t *testing.T) {
	nowhere(t)
	l := load(t, []string{"--configFile=" + write(t, "c.yml", `
accessLog: {otlp: {grpc: {endpoint: "c:4317", headers: {x-team: key}}}}
metrics: {otlp: {}, statsD: {}}
`)}, nil)
	if c := l.AccessLog.OTLP; c.GRPC.Headers["x-team"] != "key" || c.ServiceName != "fairway" || l.Metrics.OTLP.PushInterval == 0 || l.Metrics.StatsD.Prefix != "fairway" || l.Metrics.Prometheus != nil {
		t.Errorf("got %s", printed(t, l.Configuration))
	}
}

func TestLoad_OptionsThatAreNotNeeded(t *testing.T) {
	nowhere(t)
	l := load(t, []string{"--experimental.otlpLogs=true", "--ping"}, nil)
	want := []string{"option experimental.otlpLogs is not needed here: log.otlp and accessLog.otlp work without it; it is ignored"}
	if diff := cmp.Diff(want, l.Warnings); diff != "" {
		t.Error(diff)
	}
}

func TestLoad_IgnoresVariablesOfServiceLinks(t *testing.T) {
	nowhere(t)
	l := load(t, nil, []string{
		"TRAEFIK_PORT=tcp://10.0.0.1:80", "TRAEFIK_PORT_80_TCP=tcp://10.0.0.1:80", "TRAEFIK_PORT_80_TCP_ADDR=10.0.0.1", "FAIRWAY_SERVICE_HOST=10.0.0.1",
		"FAIRWAY_SERVICE_PORT_HTTP=80", "FAIRWAY_NAME=/app/fairway", "FAIRWAY_ENV_PATH=/bin", "fairway_log_level=DEBUG",
	})
	if l.Log.Level != "DEBUG" {
		t.Errorf("got %+v", l.Log)
	}
}

func TestLoad_Defaults(t *testing.T) {
	nowhere(t)
	l := load(t, nil, nil)
	if !l.Nothing || l.File != "" || !cmp.Equal(l.Implied, []string{"web", "websecure"}) {
		t.Errorf("got nothing %v, file %q, implied %q", l.Nothing, l.File, l.Implied)
	}
	if got := l.EntryPoints["web"].Address + l.EntryPoints["websecure"].Address; got != ":80:443" || len(l.EntryPoints) != 2 {
		t.Errorf("entry points: got %s", printed(t, l.Configuration))
	}
	if l.Log.Level != "INFO" || l.Providers.ProvidersThrottleDuration != types.Duration(100*time.Millisecond) || l.API != nil || l.Ping != nil || l.Providers.Docker != nil {
		t.Errorf("got %s", printed(t, l.Configuration))
	}
	l.AddDocker()
	if !l.Providers.Docker.ExposedByDefault || len(l.Providers.Docker.Endpoint) != 1 {
		t.Errorf("docker: got %+v", l.Providers.Docker)
	}
}

func TestLoad_ImpliesEntryPointsOnlyWhenNoneIsGiven(t *testing.T) {
	nowhere(t)
	l := load(t, []string{"--entrypoints.web.address=:8000", "--ping.manualrouting"}, nil)
	if len(l.EntryPoints) != 1 || len(l.Implied) != 0 || l.Nothing {
		t.Errorf("got %s, implied %q", printed(t, l.Configuration), l.Implied)
	}
	l = load(t, []string{"--api.insecure", "--entrypoints.traefik.address=:9000"}, nil)
	if l.EntryPoints["traefik"].Address != ":9000" {
		t.Errorf("the API's own entry point: got %s", l.EntryPoints["traefik"].Address)
	}
}

func TestLoad_LooksInTheUsualPlaces(t *testing.T) {
	nowhere(t)
	for _, name := range []string{"traefik.yml", "fairway.toml"} {
		text := "log: {level: ERROR}"
		if strings.HasSuffix(name, "toml") {
			text = "[log]\nlevel = \"DEBUG\""
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		l := load(t, nil, nil)
		if l.File != name || l.Nothing {
			t.Errorf("got file %q, want %q", l.File, name)
		}
	}
}

func TestEntryPoint_ListenAddress(t *testing.T) {
	for address, want := range map[string]string{":80": ":80", "127.0.0.1:80/tcp": "127.0.0.1:80", "[::1]:80/TCP": "[::1]:80", ":53/udp": ":53", "localhost:0": "localhost:0", ":http": ":http"} {
		if got, err := (&EntryPoint{Address: address}).ListenAddress(); err != nil || got != want {
			t.Errorf("%s: got %s, %v", address, got, err)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("--ping\n--entrypoints.web.address=:80", "FAIRWAY_LOG_LEVEL=DEBUG")
	f.Add("--entrypoints.web.http.tls.domains[0].main=a\n-x", "TRAEFIK_PROVIDERS_DOCKER=false")
	f.Add("--entrypoints=true\n--entrypoints.web=true\n--entrypoints.web.http.tls=false", "FAIRWAY__=\nFAIRWAY_=x")
	f.Add("--providers.docker.endpoint\na\n--providers.docker.endpoint=b]", "FAIRWAY_API=x")
	f.Fuzz(func(t *testing.T, args, environ string) {
		if strings.Contains(strings.ToLower(args+environ), "configfile") {
			t.Skip("would read files")
		}
		l, err := Load(strings.Split(args, "\n"), strings.Split(environ, "\n"))
		if err != nil {
			return
		}
		for name, e := range l.EntryPoints {
			if e.Transport.LifeCycle == nil || e.Transport.RespondingTimeouts == nil || e.HTTP == nil || e.HTTP2 == nil || e.ForwardedHeaders == nil {
				t.Errorf("entry point %s has holes", name)
			}
		}
	})
}
