package accesslog

import (
	"encoding/json"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/traefik/paerser/types"

	"fairway/internal/decode"
	"fairway/telemetry"
)

func TestNew_NamesTheOptionAtFault(t *testing.T) {
	names := func(pair ...string) map[string]string { return map[string]string{pair[0]: pair[1]} }
	for _, tt := range []struct {
		name   string
		config Config
		want   string
	}{
		{"format", Config{Format: "jsno"}, `format: "jsno" is none of common, genericCLF, json, template; did you mean "json"?`},
		{"template without its format", Config{Format: "json", Template: "x"}, "template: is only used with format: template"},
		{"empty template", Config{Format: "template"}, "template: is empty"},
		{"template with an unknown field", Config{Format: "template", Template: "a ${RouterNane}"}, `template: at offset 2: there is no field "RouterNane"; did you mean "RouterName"?`},
		{"template with an unknown header", Config{Format: "template", Template: "${request_a b}"}, `template: at offset 0: "a b" is no name of a header`},
		{"open brace", Config{Format: "template", Template: "${RouterName"}, "template: at offset 0: the brace of ${ is not closed"},
		{"two lines", Config{Format: "template", Template: "a\nb\n"}, "template: at offset 1: there is a line break"},
		{"buffering", Config{BufferingSize: -1}, "bufferingSize: -1 is below zero"},
		{"interval", Config{FlushInterval: -1}, "flushInterval: -1ns is below zero"},
		{"sampling", Config{Sampling: 1.5}, "sampling: 1.5 is not between 0 and 1"},
		{"sampling that is no number", Config{Sampling: math.NaN()}, "sampling: NaN is not between 0 and 1"},
		{"statuses", Config{Filters: &Filters{StatusCodes: []string{"5xx"}}}, `filters.statusCodes: status "5xx"`},
		{"duration", Config{Filters: &Filters{MinDuration: types.Duration(-1)}}, "filters.minDuration: -1ns is below zero"},
		{"mode", Config{Fields: &FieldModes{DefaultMode: "dorp"}}, `fields.defaultMode: "dorp" is none of keep, drop, redact; did you mean "drop"?`},
		{"field", Config{Fields: &FieldModes{Names: names("ClientUsernam", "drop")}}, `fields.names: there is no field "ClientUsernam"; did you mean "ClientUsername"?`},
		{"mode of a field", Config{Fields: &FieldModes{Names: names("ClientUsername", "no")}}, `fields.names.ClientUsername: "no" is none of`},
		{"header", Config{Fields: &FieldModes{Headers: &HeaderModes{Names: names("a b", "drop")}}}, `fields.headers.names: "a b" is no name of a header`},
		{"mode of headers", Config{Fields: &FieldModes{Headers: &HeaderModes{DefaultMode: "x"}}}, `fields.headers.defaultMode: "x"`},
		{"mode of parameters", Config{Fields: &FieldModes{QueryParameters: &QueryModes{Names: names("a", "x")}}}, `fields.queryParameters.names.a: "x"`},
		{"directory instead of a file", Config{FilePath: t.TempDir()}, "filePath: open the access log: "},
		{"directory that cannot be", Config{FilePath: "/dev/null/x/y"}, "filePath: make the directory of the access log: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.config.New(quiet())
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestNew_TakesTraefiksNames(t *testing.T) {
	c := &Config{FilePath: filepath.Join(t.TempDir(), "new", "access.log"), Fields: &FieldModes{Names: map[string]string{"clientusername": "drop", "SpanId": "drop", "KubernetesIngressName": "drop"}}}
	l, err := c.New(quiet())
	if err != nil {
		t.Fatal(err)
	}
	ended(t, l)
}

// TestConfig_IsWrittenAsTraefiks decodes what stands in Traefik's manual.
func TestConfig_IsWrittenAsTraefiks(t *testing.T) {
	tree, faults := decode.Keys(map[string]string{
		"accesslog.format": "json", "accesslog.filters.statuscodes": "200,300-302", "accesslog.filters.retryattempts": "true",
		"accesslog.filters.minduration": "10ms", "accesslog.fields.names.ClientUsername": "drop", "accesslog.fields.headers.names.User-Agent": "redact",
		"accesslog.fields.queryparameters": "true", "accesslog.bufferingsize": "100", "accesslog.sampling": "0.25",
	})
	var got struct{ AccessLog *Config }
	if faults = append(faults, tree.Into(&got, nil)...); len(faults) > 0 {
		t.Fatal(faults)
	}
	want := &Config{
		Format: "json", BufferingSize: 100, FlushInterval: types.Duration(time.Second), Sampling: 0.25,
		Filters: &Filters{StatusCodes: []string{"200", "300-302"}, RetryAttempts: true, MinDuration: types.Duration(10 * time.Millisecond)},
		Fields: &FieldModes{
			DefaultMode: "keep", Names: map[string]string{"ClientUsername": "drop"},
			Headers:         &HeaderModes{DefaultMode: "drop", Names: map[string]string{"User-Agent": "redact"}},
			QueryParameters: &QueryModes{DefaultMode: "keep"},
		},
	}
	if diff := cmp.Diff(want, got.AccessLog); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	built(t, got.AccessLog)
}

func TestWantsHeaders(t *testing.T) {
	withHeaders := func(format, mode string, names map[string]string) Config {
		return Config{Format: format, Fields: &FieldModes{Headers: &HeaderModes{DefaultMode: mode, Names: names}}}
	}
	for _, tt := range []struct {
		name   string
		config Config
		want   bool
	}{
		{"JSON", Config{Format: "json"}, false},
		{"JSON with headers", withHeaders("json", "redact", nil), true},
		{"JSON with one header", withHeaders("json", "drop", map[string]string{"A": "keep"}), true},
		{"JSON, dropped twice", withHeaders("json", "drop", map[string]string{"A": "drop"}), false},
		{"common", Config{}, false},
		{"common with the agent", withHeaders("common", "", map[string]string{"user-agent": "keep"}), true},
		{"template", Config{Format: "template", Template: "${RouterName}"}, false},
		{"template with a header", Config{Format: "template", Template: "${downstream_Age}"}, true},
	} {
		if got := built(t, &tt.config).WantsHeaders(); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

// values is what JSON has about e.
func values(t *testing.T, modes *FieldModes, e *telemetry.Exchange) map[string]any {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal([]byte(oneLine(t, &Config{Format: "json", Fields: modes}, e)), &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestFields_AreKeptDroppedAndRedacted(t *testing.T) {
	got := values(t, &FieldModes{DefaultMode: "redact", Names: map[string]string{"routername": "keep", "ClientHost": "drop"}}, ordinary())
	for name, want := range map[string]any{"RouterName": "shop@docker", "ClientHost": nil, "DownstreamStatus": "REDACTED", "TLSVersion": nil, "DownstreamStatusLine": nil} {
		if got[name] != want {
			t.Errorf("%s: got %v, want %v", name, got[name], want)
		}
	}
}

func TestHeaders_AreKeptDroppedAndRedacted(t *testing.T) {
	e := ordinary()
	e.Request.Header["X_Api_Key"] = []string{"abc"}
	for _, tt := range []struct {
		name  string
		modes HeaderModes
		want  map[string]any // of some headers
	}{
		{"drop", HeaderModes{Names: map[string]string{"user-agent": "keep", "ACCEPT": "redact"}}, map[string]any{
			"request_User-Agent": `Mozilla "5.0"`, "request_Accept": "REDACTED", "request_Referer": nil, "request_Authorization": nil, "downstream_Content-Type": nil,
		}},
		{"keep", HeaderModes{DefaultMode: "keep", Names: map[string]string{"Set-Cookie": "keep", "Referer": "drop"}}, map[string]any{
			"request_Accept": "a,b", "request_Authorization": "REDACTED", "request_X_Api_Key": "REDACTED", "request_Referer": nil,
			"downstream_Set-Cookie": "a=1,b=2", "downstream_Content-Type": "text/plain",
		}},
		{"redact", HeaderModes{DefaultMode: "redact", Names: map[string]string{"Authorization": "keep", "x-api-key": "drop"}}, map[string]any{
			"request_Accept": "REDACTED", "request_Authorization": "Basic abc", "request_X_Api_Key": nil, "downstream_Set-Cookie": "REDACTED",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := values(t, &FieldModes{Headers: &tt.modes}, e)
			for name, want := range tt.want {
				if got[name] != want {
					t.Errorf("%s: got %v, want %v", name, got[name], want)
				}
			}
		})
	}
}

func TestTemplate_ShowsCredentialsOnlyWhereTheyAreNamed(t *testing.T) {
	c := &Config{Format: "template", Template: "${request_Authorization} ${request_Accept} ${RouterName}"}
	if got, want := oneLine(t, c, ordinary()), "REDACTED a,b shop@docker\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	c.Fields = &FieldModes{DefaultMode: "drop", Names: map[string]string{"RouterName": "drop"}, Headers: &HeaderModes{Names: map[string]string{"Authorization": "keep", "Accept": "drop"}}}
	if got, want := oneLine(t, c, ordinary()), `Basic\x20abc - -`+"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestQuery_IsKeptDroppedAndRedacted(t *testing.T) {
	for _, tt := range []struct {
		name, otherwise string
		names           map[string]string
		query, want     string
	}{
		{"keep", "keep", nil, "a=1&b", "?a=1&b"},
		{"drop", "drop", nil, "a=1&b", ""},
		{"redact", "redact", nil, "a=1&b&c=", "?a=REDACTED&b&c=REDACTED"},
		{"one is redacted", "keep", map[string]string{"Token": "redact"}, "a=1&token=abc&z=2", "?a=1&token=REDACTED&z=2"},
		{"one is dropped", "keep", map[string]string{"token": "drop"}, "token=abc&a=1&tOkEn=abc", "?a=1"},
		{"all are dropped", "keep", map[string]string{"token": "drop"}, "token=abc", ""},
		{"one is kept", "drop", map[string]string{"page": "keep"}, "a=1&page=2", "?page=2"},
		{"the name is encoded", "keep", map[string]string{"my token": "redact"}, "%6dy+t%4Fken=abc", "?%6dy+t%4Fken=REDACTED"},
		{"semicolons", "keep", map[string]string{"token": "redact"}, "a=1;token=abc", "?a=1;token=REDACTED"},
		{"broken encoding", "keep", map[string]string{"token": "redact"}, "%zz=1&%t=2&token=3&%4", "?%zz=1&%t=2&token=REDACTED&%4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := ordinary()
			e.Request.URL.Path, e.Request.URL.RawQuery = "/p", tt.query
			e.Request.Header["Referer"] = []string{"https://x.example/r?" + tt.query + "#token=abc"}
			got := values(t, &FieldModes{QueryParameters: &QueryModes{DefaultMode: tt.otherwise, Names: tt.names}, Headers: &HeaderModes{DefaultMode: "keep"}}, e)
			if want := "/p" + tt.want; got["RequestPath"] != want {
				t.Errorf("RequestPath: got %v, want %s", got["RequestPath"], want)
			}
			referer := "https://x.example/r" + tt.want
			if tt.name == "keep" {
				referer += "#token=abc"
			}
			if got["request_Referer"] != referer {
				t.Errorf("Referer: got %v, want %s", got["request_Referer"], referer)
			}
		})
	}
}

// Addresses also travel in headers of applications and of proxies in front.
func TestQuery_OfAddressesInOtherHeaders(t *testing.T) {
	e := ordinary()
	for name, value := range map[string]string{
		"X-Original-Url": "/a?token=abc", "X-Forwarded-Uri": "/a?token=abc", "X-Rewrite-Url": "/a?token=abc", "Callback-Uri": "https://c.example/?token=abc&x=1",
		"Refresh": "5; url=https://c.example/?token=abc", "X-Curl": "/a?token=abc",
	} {
		e.Request.Header[name] = []string{value}
	}
	got := values(t, &FieldModes{QueryParameters: &QueryModes{DefaultMode: "keep", Names: map[string]string{"token": "redact"}}, Headers: &HeaderModes{DefaultMode: "keep"}}, e)
	for name, want := range map[string]string{
		"X-Original-Url": "/a?token=REDACTED", "X-Forwarded-Uri": "/a?token=REDACTED", "X-Rewrite-Url": "/a?token=REDACTED", "Callback-Uri": "https://c.example/?token=REDACTED&x=1",
		"Refresh": "5; url=https://c.example/?token=REDACTED", "X-Curl": "/a?token=abc", // no address, by its name
	} {
		if got["request_"+name] != want {
			t.Errorf("%s: got %v, want %s", name, got["request_"+name], want)
		}
	}
}

func TestSplitPort(t *testing.T) {
	for in, want := range map[string][2]string{
		"":         {"", ""},
		"a:1":      {"a", "1"},
		"a":        {"a", ""},
		"[::1]:80": {"::1", "80"},
		"[::1]":    {"::1", ""},
		"::1":      {"::1", ""},
		"[::1":     {"[::1", ""},
		"a:":       {"a", ""},
	} {
		if host, port := splitPort(in); [2]string{host, port} != want {
			t.Errorf("%q: got %q %q, want %q", in, host, port, want)
		}
	}
}

func TestTraceId_IsThatOfAValidTraceparent(t *testing.T) {
	for in, want := range map[string]any{
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01": "0af7651916cd43dd8448eb211c80319c",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01": nil,
		"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01": nil,
		"00-0af7651916cd43dd8448eb211c80319":                      nil,
		"":                                                        nil,
	} {
		e := ordinary()
		e.Request.Header["Traceparent"] = []string{in}
		if got := values(t, nil, e)["TraceId"]; got != want {
			t.Errorf("%q: got %v, want %v", in, got, want)
		}
	}
}
