package accesslog

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

var hostile = []string{"", "plain", "a\"b\\c", "a\r\nb\tc\x00\x1b[31m", "\xff\xfe\xc3", "é\u2028\u2029\u0085\u009b", "\ufffd\U0001f600", " - \"x\" ", strings.Repeat("x", 300) + "\""}

// FuzzJSON: whatever clients send, lines are one line of valid JSON with the values that
// encoding/json would write.
func FuzzJSON(f *testing.F) {
	for i, s := range hostile {
		f.Add(s, hostile[len(hostile)-1-i], s)
	}
	l := built(f, &Config{Format: "json", Fields: &FieldModes{Headers: &HeaderModes{DefaultMode: "keep"}}})
	x := newLine(l.form, zone)
	f.Fuzz(func(t *testing.T, user, agent, query string) {
		e := ordinary()
		e.Record.User, e.Record.Cause = user, agent
		e.Request.URL = &url.URL{Path: "/", RawQuery: query}
		e.Request.Header = http.Header{"User-Agent": {agent}}
		text := string(x.write(e, 1))
		x.forget()
		if strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "}\n") {
			t.Fatalf("got more or less than one line: %q", text)
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if user == "" {
			user = "-"
		}
		path := "/"
		if query != "" {
			path += "?" + query
		}
		for name, want := range map[string]string{"ClientUsername": user, "request_User-Agent": agent, "error_cause": agent, "RequestPath": path} {
			if want == "" && got[name] == nil {
				continue
			}
			if want = roundTrip(t, want); got[name] != want {
				t.Errorf("%s: got %q, want %q", name, got[name], want)
			}
		}
	})
}

// roundTrip is what encoding/json makes of a string.
func roundTrip(t *testing.T, s string) (back string) {
	t.Helper()
	b, err := json.Marshal(s)
	if err == nil {
		err = json.Unmarshal(b, &back)
	}
	if err != nil {
		t.Fatal(err)
	}
	return back
}

// FuzzCommon: whatever clients send, lines have the same fields as any other.
func FuzzCommon(f *testing.F) {
	for i, s := range hostile {
		f.Add(s, hostile[len(hostile)-1-i], s)
	}
	l := built(f, &Config{Fields: &FieldModes{Headers: &HeaderModes{DefaultMode: "keep"}}})
	x := newLine(l.form, zone)
	f.Fuzz(func(t *testing.T, user, agent, query string) {
		e := ordinary()
		e.Record.User = user
		e.Request.URL = &url.URL{Path: "/", RawQuery: query}
		e.Request.Header = http.Header{"User-Agent": {agent}, "Referer": {user}, "X-Forwarded-For": {agent}}
		text := string(x.write(e, 1))
		x.forget()
		for i, c := range []byte(text) {
			if (c < ' ' || c > '~') && i != len(text)-1 {
				t.Fatalf("byte %#x in %q", c, text)
			}
		}
		quotes := strings.Split(text, `"`)
		if len(quotes) != 11 || len(strings.Fields(quotes[0])) != 5 || len(strings.Fields(quotes[1])) != 3 {
			t.Errorf("fields are not where they belong: %q", text)
		}
	})
}

func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{commonLine, "${", "${}", "$$ {RouterName}", `"${request_A}`, "${RouterName}${ClientHost}", "${downstream_}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, template string) {
		l, err := (&Config{Format: formatTemplate, Template: template}).build(quiet())
		if err != nil {
			return
		}
		if got := string(newLine(l.form, zone).write(ordinary(), 1)); strings.Count(got, "\n") != 1 {
			t.Errorf("not one line: %q", got)
		}
	})
}
