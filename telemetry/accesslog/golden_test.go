package accesslog

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the lines in testdata/*.golden")

// forms are configurations whose lines are kept in testdata, by the name of the file.
var forms = map[string]*Config{
	"json":            {Format: "json"},
	"json-headers":    {Format: "json", Fields: &FieldModes{DefaultMode: "drop", Names: map[string]string{"downstreamstatusline": "keep", "OriginStatusLine": "keep"}, Headers: &HeaderModes{DefaultMode: "keep"}}},
	"common":          {},
	"common-headers":  {Format: "common", Fields: &FieldModes{Headers: &HeaderModes{DefaultMode: "keep"}}},
	"common-redacted": {Format: "common", Fields: &FieldModes{Names: map[string]string{"StartUTC": "drop", "ClientUsername": "redact", "Duration": "drop"}}},
	"generic":         {Format: "genericCLF"},
	"template":        {Format: "template", Template: `${ClientHost} ${RequestHost} "${RequestMethod} ${RequestPath}" ${DownstreamStatusLine} "${DownstreamStatusLine}" ${TLSVersion} ${error_cause} agent="${request_user-agent}" ${request_Authorization} ${origin_Server} ${downstream_Content-Type} ${StartLocal} ${Overhead}ms $end` + "\n"},
}

func TestLines_AreThoseOfTheGoldenFiles(t *testing.T) {
	all := exchanges()
	for name, c := range forms {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			for _, what := range slices.Sorted(maps.Keys(all)) {
				b.WriteString("# " + what + "\n" + oneLine(t, c, all[what]))
			}
			file := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(b.String(), "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestJSON_HasTraefiksKeys is what existing dashboards look for.
func TestJSON_HasTraefiksKeys(t *testing.T) {
	all := exchanges()
	e := all["client certificate"]
	e.Record.Attempts = 2
	var got map[string]any
	e.Record.Trace = followed{}
	c := &Config{Format: "json", Fields: &FieldModes{DefaultMode: "keep", Names: map[string]string{"OriginStatusLine": "keep", "DownstreamStatusLine": "keep"}}}
	if err := json.Unmarshal([]byte(oneLine(t, c, e)), &got); err != nil {
		t.Fatal(err)
	}
	for key := range strings.FieldsSeq(`StartUTC StartLocal Duration RouterName ServiceName ServiceURL ServiceAddr ClientAddr ClientHost ClientPort
		ClientUsername RequestAddr RequestHost RequestPort RequestMethod RequestPath RequestProtocol RequestScheme RequestContentSize OriginDuration
		OriginContentSize OriginStatus OriginStatusLine DownstreamStatus DownstreamStatusLine DownstreamContentSize RequestCount GzipRatio Overhead
		RetryAttempts TLSVersion TLSCipher TLSClientSubject TraceId SpanId entryPointName level msg time`) {
		if _, ok := got[key]; !ok {
			t.Errorf("%s is missing", key)
		}
	}
	for key, want := range map[string]any{"Duration": 23456789.0, "OriginDuration": 2e7, "Overhead": 3456789.0, "RetryAttempts": 1.0, "GzipRatio": 2.0, "level": "info", "msg": "", "TLSVersion": "1.3"} {
		if got[key] != want {
			t.Errorf("%s: got %v, want %v", key, got[key], want)
		}
	}
}

// TestEveryField_IsWrittenSomewhere, so that none is documented in vain.
func TestEveryField_IsWrittenSomewhere(t *testing.T) {
	c := &Config{Format: "json", Fields: &FieldModes{Names: map[string]string{}}}
	missing := map[string]bool{}
	for _, f := range fields {
		missing[f.Name] = true
		c.Fields.Names[f.Name] = "keep"
		if f.Text == "" {
			t.Errorf("%s has no sentence", f.Name)
		}
	}
	for name, e := range exchanges() {
		var got map[string]any
		if err := json.Unmarshal([]byte(oneLine(t, c, e)), &got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for key := range got {
			delete(missing, key)
		}
	}
	if len(missing) > 0 {
		t.Errorf("never written: %v", slices.Collect(maps.Keys(missing)))
	}
	if got := Fields(); len(got) != len(fields)+3 || got[len(got)-1].Name != "downstream_<Name>" {
		t.Errorf("Fields: got %d, want the headers behind the %d", len(got), len(fields))
	}
}
