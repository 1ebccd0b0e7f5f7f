package fieldset

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestOf_IsWhatIsAskedFor(t *testing.T) {
	const value = `{"id":7,"user":{"name":"ann","mail":"a@b"},"items":[{"sku":1,"n":2},{"sku":2},3],"none":null}`
	for names, want := range map[string]string{
		"":                        value,
		"id":                      `{"id":7}`,
		" id , none,gone":         `{"id":7,"none":null}`,
		"user.name,items.sku":     `{"items":[{"sku":1},{"sku":2},3],"user":{"name":"ann"}}`,
		"user.name,user":          `{"user":{"mail":"a@b","name":"ann"}}`,
		"user,user.name":          `{"user":{"mail":"a@b","name":"ann"}}`,
		"id.deeper,user.name.all": `{"id":7,"user":{"name":"ann"}}`,
	} {
		s, err := Parse(names)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		_ = json.Unmarshal([]byte(value), &v)
		var whole any
		_ = json.Unmarshal([]byte(want), &whole)
		got, _ := json.Marshal(s.Of(v))
		again, _ := json.Marshal(whole)
		if string(got) != string(again) {
			t.Errorf("%q: got %s, want %s", names, got, again)
		}
	}
}

func TestWithin_AllowedOnly(t *testing.T) {
	allowed, _ := Parse("id,user.name,items")
	for names, want := range map[string]string{"": "id,items,user.name", "user": "user.name", "items.sku,id": "id,items.sku", "user.name.x": "user.name.x"} {
		s, _ := Parse(names)
		if got, err := s.Within(allowed); err != nil || got.String() != want {
			t.Errorf("%q: got %s, %v, want %s", names, got, err, want)
		}
	}
	for names, want := range map[string]string{"user.nmae": `there is no field "user.nmae"; did you mean "name"?`, "password": `there is no field "password"`} {
		s, _ := Parse(names)
		if _, err := s.Within(allowed); err == nil || err.Error() != want {
			t.Errorf("%q: got %v", names, err)
		}
	}
}

func TestHas(t *testing.T) {
	s, _ := Parse("user.name,items")
	for place, want := range map[string]bool{"user": true, "user.name": true, "user.mail": false, "items.sku": true, "other": false} {
		if got := s.Has(strings.Split(place, ".")); got != want {
			t.Errorf("%s: got %v", place, got)
		}
	}
	if !Set(nil).Has([]string{"a"}) {
		t.Error("all is wanted")
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"a,b.c", ".", "a..b", ",,", "a.b,a", strings.Repeat("a,", 300), strings.Repeat("a.", 20) + "a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(s.String())
		if err != nil || again.String() != s.String() {
			t.Errorf("%q: %q became %q, %v", text, s, again, err)
		}
	})
}
