package claims

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func headers(t *testing.T, of map[string]string) *Headers {
	t.Helper()
	h, err := NewHeaders(of)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHeaders_ReplaceWhatTheClientSays(t *testing.T) {
	h := headers(t, map[string]string{"X-User": "sub", "x_roles": "realm_access.roles", "X-Mail": "email"})
	said := token(t, `{"sub": "17", "realm_access": {"roles": ["a", "b,c", "d"]}}`)
	head := http.Header{"X-User": {"root"}, "X_User": {"root"}, "X-User-": {"stays"}, "X_user": {"root"}, "X-Mail": {"root@x"}, "X-Roles": {"admin", "admin"}, "X_mail": {"y"}}
	before := head.Clone()
	undo := h.Put(head, h.Values(said), nil)
	want := http.Header{"X-User": {"17"}, "X-Roles": {"a,b%2Cc,d"}, "X-User-": {"stays"}}
	if diff := cmp.Diff(want, head); diff != "" {
		t.Error(diff)
	}
	for _, f := range slices.Backward(undo) {
		f.PutBack()
	}
	if diff := cmp.Diff(before, head); diff != "" {
		t.Error(diff)
	}
	h.Put(head, nil, nil)
	if diff := cmp.Diff(http.Header{"X-User-": {"stays"}}, head); diff != "" {
		t.Errorf("of nobody: %s", diff)
	}
}

func TestHeaders_ValuesAreThoseAFieldCanHave(t *testing.T) {
	said := token(t, `{"line": "a\r\nX: y", "object": {"a": [1]}, "empty": "", "yes": true, "number": 1.5, "list": [], "ok": ["x"], "bad": ["x\n"]}`)
	for claim, want := range map[string][]string{
		"line": nil, "object": {`{"a":[1]}`}, "empty": {""}, "yes": {"true"}, "number": {"1.5"}, "list": nil, "ok": {"x"}, "bad": nil, "none": nil,
	} {
		if diff := cmp.Diff([][]string{want}, headers(t, map[string]string{"X": claim}).Values(said)); diff != "" {
			t.Errorf("%s: %s", claim, diff)
		}
	}
}

func TestNewHeaders_RefusesWhatCannotBeSet(t *testing.T) {
	for _, of := range []map[string]string{{"a b": "x"}, {"Connection": "x"}, {"X": ""}, {"X-A": "a", "x_a": "b"}} {
		if _, err := NewHeaders(of); err == nil {
			t.Errorf("%v: no error", of)
		}
	}
	if h, err := NewHeaders(nil); err != nil || h.Values(nil) != nil || h.Put(http.Header{"A": nil}, nil, nil) != nil {
		t.Error("none are not none")
	}
}
