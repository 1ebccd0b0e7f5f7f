package config

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/traefik/paerser/types"
)

// entryPointOptions are the options of one entry point, each other than by default.
var entryPointOptions = [][2]string{
	{"address", "127.0.0.1:80/tcp"},
	{"reusePort", "true"},
	{"engine", "std"},
	{"proxyProtocol.insecure", "true"},
	{"proxyProtocol.trustedIPs", "10.0.0.0/8,192.0.2.1"},
	{"forwardedHeaders.connection", "X-A,X-B"},
	{"forwardedHeaders.notAppendXForwardedFor", "true"},
	{"transport.keepAliveMaxRequests", "7"},
	{"transport.keepAliveMaxTime", "90s"},
	{"transport.respondingTimeouts.minBodyRate", "0"},
	{"http.maxHeaderBytes", "1048576"},
	{"http.sanitizePath", "false"},
	{"http.encodeQuerySemicolons", "true"},
	{"http.underscoreHeadersStrategy", "reject"},
	{"http.encodedCharacters.allowEncodedSlash", "true"},
	{"http.encodedCharacters.allowEncodedBackSlash", "true"},
	{"http.encodedCharacters.allowEncodedNullCharacter", "true"},
	{"http.encodedCharacters.allowEncodedSemicolon", "true"},
	{"http.encodedCharacters.allowEncodedPercent", "true"},
	{"http.encodedCharacters.allowEncodedQuestionMark", "true"},
	{"http.encodedCharacters.allowEncodedHash", "true"},
	{"http2.maxConcurrentStreams", "9"},
	{"http2.maxDecoderHeaderTableSize", "512"},
	{"http2.maxEncoderHeaderTableSize", "1024"},
}

func TestLoad_EntryPointOptionsInAllForms(t *testing.T) {
	nowhere(t)
	want := newEntryPoint("127.0.0.1:80/tcp")
	want.ReusePort, want.Engine = true, "std"
	want.ProxyProtocol = &ProxyProtocol{Insecure: true, TrustedIPs: []string{"10.0.0.0/8", "192.0.2.1"}}
	want.ForwardedHeaders = &ForwardedHeaders{Connection: []string{"X-A", "X-B"}, NotAppendXForwardedFor: true}
	want.Transport.KeepAliveMaxRequests, want.Transport.KeepAliveMaxTime = 7, types.Duration(90*time.Second)
	want.Transport.RespondingTimeouts.MinBodyRate = 0
	want.HTTP = &EntryPointHTTP{
		MaxHeaderBytes: 1 << 20, EncodeQuerySemicolons: true, UnderscoreHeadersStrategy: "reject",
		EncodedCharacters: &EncodedCharacters{true, true, true, true, true, true, true},
	}
	want.HTTP2 = &HTTP2{9, 512, 1024}

	var flags, variables []string
	for _, o := range entryPointOptions {
		key := "entryPoints.web." + o[0]
		flags = append(flags, "--"+strings.ToLower(key)+"="+o[1])
		variables = append(variables, "TRAEFIK_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_"))+"="+o[1])
	}
	yml := write(t, "c.yml", `
entryPoints:
  web:
    address: 127.0.0.1:80/tcp
    reusePort: true
    engine: std
    proxyProtocol: {insecure: true, trustedIPs: [10.0.0.0/8, 192.0.2.1]}
    forwardedHeaders: {connection: [X-A, X-B], notAppendXForwardedFor: true}
    transport: {keepAliveMaxRequests: 7, keepAliveMaxTime: 90, respondingTimeouts: {minBodyRate: 0}}
    http:
      maxHeaderBytes: 1048576
      sanitizePath: false
      encodeQuerySemicolons: true
      underscoreHeadersStrategy: reject
      encodedCharacters:
        allowEncodedSlash: true
        allowEncodedBackSlash: true
        allowEncodedNullCharacter: true
        allowEncodedSemicolon: true
        allowEncodedPercent: true
        allowEncodedQuestionMark: true
        allowEncodedHash: true
    http2: {maxConcurrentStreams: 9, maxDecoderHeaderTableSize: 512, maxEncoderHeaderTableSize: 1024}
`)
	for name, l := range map[string]*Loaded{
		"file": load(t, []string{"--configFile=" + yml}, nil), "flags": load(t, flags, nil), "variables": load(t, nil, variables),
	} {
		if diff := cmp.Diff(asText(t, want), asText(t, l.EntryPoints["web"])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if len(l.Warnings) > 0 {
			t.Errorf("%s: got warnings %q", name, l.Warnings)
		}
	}
}

func asText(t *testing.T, e *EntryPoint) string {
	t.Helper()
	text, err := json.MarshalIndent(e, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Sections that are given in part keep the defaults of the rest.
func TestLoad_EntryPointDefaults(t *testing.T) {
	nowhere(t)
	for name, args := range map[string][]string{
		"nothing":     {"--entrypoints.web.address=:80"},
		"in part":     {"--entrypoints.web.address=:80", "--entrypoints.web.http.middlewares=", "--entrypoints.web.http2.maxconcurrentstreams=250", "--entrypoints.web.transport.respondingtimeouts.readtimeout=0s"},
		"from a file": {"--configfile=" + write(t, "c.yml", "entryPoints: {web: {address: ':80', http: {middlewares: []}, http2: {maxConcurrentStreams: 250}, transport: {respondingTimeouts: {readTimeout: 0}}}}")},
	} {
		e := load(t, args, nil).EntryPoints["web"]
		h := e.HTTP
		if h.MaxHeaderBytes != 65536 || !h.SanitizePath || h.EncodedCharacters != nil || h.EncodeQuerySemicolons || h.UnderscoreHeadersStrategy != "keep" {
			t.Errorf("%s: http: got %+v", name, h)
		}
		if *e.HTTP2 != (HTTP2{250, 4096, 4096}) {
			t.Errorf("%s: http2: got %+v", name, e.HTTP2)
		}
		if r := e.Transport.RespondingTimeouts; r.MinBodyRate != 240 || r.ReadTimeout != 0 || r.IdleTimeout != types.Duration(180*time.Second) {
			t.Errorf("%s: timeouts: got %+v", name, r)
		}
		if e.ProxyProtocol != nil || e.ReusePort || e.Transport.KeepAliveMaxRequests != 0 || e.Transport.KeepAliveMaxTime != 0 {
			t.Errorf("%s: got %s", name, asText(t, e))
		}
	}
}

func TestLoad_EntryPointFaults(t *testing.T) {
	nowhere(t)
	tests := map[string]struct{ option, want string }{
		"a port that is too high":        {"address=:65536", `":65536" has no port from 0 to 65535`},
		"a port that is none":            {"address=:x1", `":x1" has no port`},
		"no port":                        {"address=127.0.0.1:", `"127.0.0.1:" has no port`},
		"IPv6 without brackets":          {"address=::1:80", `"::1:80" is not of the form [host]:port`},
		"UDP with a bad port":            {"address=:99999/udp", `":99999/udp" has no port`},
		"an engine":                      {"engine=fast", `"fast" is none of fairway, std`},
		"an engine that is nearly right": {"engine=fairways", `did you mean "fairway"?`},
		"a trace verbosity":              {"observability.traceverbosity=detail", `"detail" is none of minimal, detailed (did you mean "detailed"?)`},
		"a strategy":                     {"http.underscoreheadersstrategy=rejct", `"rejct" is none of keep, delete, reject (did you mean "reject"?)`},
		"a network of the PROXY header":  {"proxyprotocol.trustedips=10.0.0.0/99", `"10.0.0.0/99" is neither an address nor a CIDR range`},
		"a network of X-Forwarded":       {"forwardedheaders.trustedips=10.0.0.0/8,proxy", `"proxy" is neither an address nor a CIDR range`},
		"a header":                       {"forwardedheaders.connection=X A", `"X A" is not the name of a header`},
		"no head at all":                 {"http.maxheaderbytes=0", "0 is not between 1 and"},
		"a head without end":             {"http.maxheaderbytes=1000000000", "is not between 1 and"},
		"streams":                        {"http2.maxconcurrentstreams=-1", "-1 is not between 0 and"},
		"a decoder's table":              {"http2.maxdecoderheadertablesize=-1", "-1 is not between 0 and"},
		"an encoder's table":             {"http2.maxencoderheadertablesize=4194304", "4194304 is not between 0 and"},
		"requests":                       {"transport.keepalivemaxrequests=-1", "-1 is not between 0 and"},
		"an age":                         {"transport.keepalivemaxtime=-1s", "a time of -1s is less than none"},
		"a rate":                         {"transport.respondingtimeouts.minbodyrate=-1", "-1 is not between 0 and"},
		"a timeout for heads":            {"transport.respondingtimeouts.readheadertimeout=-1s", "less than none"},
		"a timeout for requests":         {"transport.respondingtimeouts.readtimeout=-1s", "less than none"},
		"a timeout for responses":        {"transport.respondingtimeouts.writetimeout=-1s", "less than none"},
		"a timeout for nothing":          {"transport.respondingtimeouts.idletimeout=-1s", "less than none"},
		"a grace":                        {"transport.lifecycle.gracetimeout=-1s", "less than none"},
		"a grace to accept":              {"transport.lifecycle.requestacceptgracetimeout=-1s", "less than none"},
		"a character":                    {"http.encodedcharacters.allowencodedslsh=true", `did you mean "--entrypoints.web.http.encodedcharacters.allowEncodedSlash"?`},
		"a session without an end":       {"udp.timeout=0s", "a time of 0s is none"},
		"a redirection to UDP":           {"http.redirections.entrypoint.to=dns", `the entry point "dns" is for UDP`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			args := []string{"--entrypoints.web." + tt.option, "--entrypoints.dns.address=:53/udp"}
			if !strings.HasPrefix(tt.option, "address") {
				args = append(args, "--entrypoints.web.address=:80")
			}
			_, err := Load(args, nil)
			option, _, _ := strings.Cut(tt.option, "=")
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "flag --entrypoints.web."+option+": ") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestLoad_EntryPointAdvice(t *testing.T) {
	nowhere(t)
	l := load(t, []string{
		"--entrypoints.dns.address=:53/UDP", "--entrypoints.dns.http.middlewares=a@file", "--entrypoints.dns.udp.timeout=3s", "--entrypoints.dns.http3",
		"--entrypoints.web.address=:80", "--entrypoints.web.proxyprotocol", "--entrypoints.quiet.address=:54/udp",
	}, nil)
	want := []string{
		"option entryPoints.dns.http does nothing: the entry point is for UDP",
		"option entryPoints.dns.http3 does nothing: the entry point is for UDP",
		"option entryPoints.web.proxyProtocol believes nobody: give it trustedIPs",
	}
	if diff := cmp.Diff(want, l.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if !l.EntryPoints["dns"].Datagrams() || l.EntryPoints["web"].Datagrams() {
		t.Error("which of the entry points is for UDP?")
	}
}

func TestLoad_GlobalNotAppendXForwardedFor(t *testing.T) {
	nowhere(t)
	l := load(t, []string{"--global.notappendxforwardedfor", "--entrypoints.web.address=:80"}, nil)
	if !l.EntryPoints["web"].ForwardedHeaders.NotAppendXForwardedFor || len(l.Warnings) > 0 {
		t.Errorf("got %+v, warnings %q", l.EntryPoints["web"].ForwardedHeaders, l.Warnings)
	}
	if _, err := Load([]string{"--ping.entrypoint=dns", "--entrypoints.dns.address=:53/udp"}, nil); err == nil || !strings.Contains(err.Error(), "is for UDP") {
		t.Errorf("a ping by UDP: got %v", err)
	}
}
