package identity

import (
	"reflect"
	"testing"
)

func TestAnd_TheLaterGoesFirstAndWhatItDoesNotKnowStays(t *testing.T) {
	ann := &Consumer{Name: "ann@file", Groups: []string{"staff"}}
	first := &Identity{Method: "mtls", Subject: "CN=ann", Consumer: ann, Groups: []string{"staff"}}
	later := &Identity{Method: "jwt", Subject: "17", Groups: []string{"admins", "staff"}, Claims: map[string]any{"sub": "17"}}
	want := &Identity{Method: "jwt", Subject: "17", Consumer: ann, Groups: []string{"admins", "staff"}, Claims: map[string]any{"sub": "17"}}
	if got := first.And(later); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	want = &Identity{Method: "mtls", Subject: "CN=ann", Consumer: ann, Groups: []string{"staff", "admins"}, Claims: map[string]any{"sub": "17"}}
	if got := later.And(first); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := first.And(nil); got != first {
		t.Errorf("got %+v", got)
	}
	if got := (*Identity)(nil).And(first); got != first {
		t.Errorf("got %+v", got)
	}
	if !reflect.DeepEqual(first.Groups, []string{"staff"}) || !reflect.DeepEqual(later.Groups, []string{"admins", "staff"}) {
		t.Error("one of the two was changed")
	}
}

func TestInAny(t *testing.T) {
	i := &Identity{Groups: []string{"a", "b"}}
	if !i.InAny([]string{"x", "b"}) || i.InAny([]string{"x"}) || i.InAny(nil) || (*Identity)(nil).InAny([]string{"a"}) {
		t.Error("groups are not told apart")
	}
}
