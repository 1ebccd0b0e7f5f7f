package authorizer

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	api  = "arn:aws:execute-api:local:000000000000:fairway/$default"
	read = api + "/GET/orders/7"
)

func TestPolicy(t *testing.T) {
	const allow, deny = `{"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": `, `{"Effect": "Deny", "Action": "execute-api:Invoke", "Resource": `
	for _, tt := range []struct {
		name, statement string
		names           []string
		want            bool
	}{
		{"that very request", allow + `"` + read + `"}`, []string{read}, true},
		{"another", allow + `"` + read + `"}`, []string{read + "0"}, false},
		{"one of several", `[` + allow + `["x", "` + read + `"]}]`, []string{read}, true},
		{"everything", allow + `"*"}`, []string{read}, true},
		{"a method", allow + `"arn:aws:execute-api:*:*:*/*/GET/*"}`, []string{read}, true},
		{"another method", allow + `"arn:aws:execute-api:*:*:*/*/POST/*"}`, []string{read}, false},
		{"one character", allow + `"*/orders/?"}`, []string{read}, true},
		{"one character, and there are two", allow + `"*/orders/?"}`, []string{read + "7"}, false},
		{"case matters", allow + `"*/ORDERS/*"}`, []string{read}, false},
		{"a denial goes first", `[` + allow + `"*"}, ` + deny + `"*/orders/*"}]`, []string{read}, false},
		{"a denial of something else", `[` + allow + `"*"}, ` + deny + `"*/gates/*"}]`, []string{read}, true},
		{"only denials", deny + `"x"}`, []string{read}, false},
		{"nothing", `[]`, []string{read}, false},
		{"null", `null`, []string{read}, false},
		{"another action", `{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}`, []string{read}, false},
		{"a denial of another action", `[` + allow + `"*"}, {"Effect": "Deny", "Action": ["s3:*"], "Resource": "*"}]`, []string{read}, true},
		{"all actions", `{"Effect": "Allow", "Action": ["Execute-API:*"], "Resource": "*"}`, []string{read}, true},
		{"empty conditions", `{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {}, "NotAction": null}`, []string{read}, true},
		{"denied by one of its names", `[` + allow + `"*"}, ` + deny + `"*/admin/*"}]`, []string{api + "/GET/%61dmin/x", api + "/GET/admin/x"}, false},
		{"allowed as it was asked about", allow + `"*/GET/a%2Fb"}`, []string{api + "/GET/a%2Fb", api + "/GET/a/b"}, true},
		{"allowed as it was not asked about", allow + `"*/GET/a/b"}`, []string{api + "/GET/a%2Fb", api + "/GET/a/b"}, false},
	} {
		d, err := readDecision([]byte(`{"principalId": "ann", "policyDocument": {"Version": "2012-10-17", "Statement": `+tt.statement+`}}`), true)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := d.allows(tt.names[0], tt.names[1:]...); got != tt.want {
			t.Errorf("%s: got %v", tt.name, got)
		}
	}
}

func TestDecision_WhatIsNone(t *testing.T) {
	policy := func(statement string) string {
		return `{"principalId": "a", "policyDocument": {"Statement": [` + statement + `]}}`
	}
	for text, want := range map[string]string{
		``:                          "the answer is no decision",
		`"yes"`:                     "the answer is no decision",
		`{"isAuthorized": "true"}`:  "the answer is no decision",
		`{"isAuthorized": true} {}`: "something follows it",
		`{}`:                        "has neither isAuthorized nor policyDocument",
		`null`:                      "has neither isAuthorized nor policyDocument",
		`{"policyDocument": {}}`:    "has no principalId",
		`{"principalId": "a", "policyDocument": []}`:                                                        "policyDocument: ",
		`{"principalId": "a", "policyDocument": {"Statement": "x"}}`:                                        "policyDocument: Statement: ",
		`{"isAuthorized": true, "context": {"a": [1]}}`:                                                     `context: "a" is neither text, number nor boolean`,
		policy(`{"Effect": "allow", "Action": "*", "Resource": "*"}`):                                       `Statement[0]: the Effect "allow" is neither Allow nor Deny`,
		policy(`{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"IpAddress": {}}}`):       "which are not known here",
		policy(`{"Effect": "Deny", "NotAction": "x", "Resource": "*"}`):                                     "which are not known here",
		policy(`{"Effect": "Allow", "Action": "*", "NotResource": "*/gates/*"}`):                            "which are not known here",
		policy(`{"Effect": "Allow", "Resource": "*"}`):                                                      "there is no Action",
		policy(`{"Effect": "Allow", "Action": "*"}`):                                                        "there is no Resource",
		policy(`{"Effect": "Allow", "Action": "*", "Resource": "` + strings.Repeat("x", 2049) + `"}`):       "a Resource has more than 2048 bytes",
		policy(`{"Effect": "Allow", "Action": "*", "Resource": [` + strings.Repeat(`"a",`, 1000) + `"a"]}`): "it is about more than 1000 resources",
	} {
		if _, err := readDecision([]byte(text), true); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.90s: got %v, want %s", text, err, want)
		}
	}
}

func TestDecision_OfVersion2MayHaveObjects(t *testing.T) {
	d, err := readDecision([]byte(`{"isAuthorized": true, "context": {"groups": ["a"], "n": 12345678901234567890}}`), false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]any{"a"}, d.who.Claims["groups"]); diff != "" || !d.allows("x") {
		t.Errorf("got %+v", d.who)
	}
}

func TestLike(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true},
		{"*", "", true},
		{"a*", "a", true},
		{"a*b*c", "aXbYc", true},
		{"a*b*c", "aXbY", false},
		{"*a", "ba", true},
		{"*ab", "aab", true},
		{"?", "", false},
		{"a?", "ab", true},
		{"**", "x", true},
		{"a", "ab", false},
		{"*?", "a", true},
	} {
		if got := like(tt.pattern, tt.text); got != tt.want {
			t.Errorf("%q, %q: got %v", tt.pattern, tt.text, got)
		}
	}
}

func FuzzDecision(f *testing.F) {
	for _, seed := range []string{
		`{"isAuthorized": true, "context": {"a": 1}}`,
		`{"principalId": "a", "policyDocument": {"Statement": [{"Effect": "Allow", "Action": ["execute-api:*"], "Resource": "*a?*b*"}, {"Effect": "Deny", "Action": "*", "Resource": ["x*"]}]}}`,
		`{"policyDocument": {"Statement": {"Effect": "Allow"}}}`, `[`, `{"isAuthorized":true}x`,
	} {
		f.Add([]byte(seed), read)
	}
	f.Fuzz(func(t *testing.T, text []byte, name string) {
		for _, old := range []bool{true, false} {
			d, err := readDecision(text, old)
			if err == nil && d.allows(name) && !d.simple && !strings.Contains(string(text), "ll") {
				t.Errorf("%q: it is allowed by nothing", text)
			}
		}
	})
}
