package requesthead

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFields_ArePutBack(t *testing.T) {
	room := make([]string, 1, 4) // as a map may have it, with room behind
	room[0] = "old"
	h := http.Header{"X-Had": room, "X-Nil": nil}
	before := h.Clone()
	done := []Field{
		Set(h, "X-Had", []string{"new"}), Set(h, "X-New", []string{"1"}), Add(h, "X-Had", "more"), Add(h, "X-Nil", "1"), Remove(h, "X-New"), Remove(h, "X-Had"),
	}
	if diff := cmp.Diff(http.Header{"X-Nil": {"1"}}, h); diff != "" {
		t.Error(diff)
	}
	for _, d := range slices.Backward(done) {
		d.PutBack()
	}
	if diff := cmp.Diff(before, h); diff != "" {
		t.Error(diff)
	}
	Add(h, "X-Had", "more")
	if room[:2][1] != "" {
		t.Error("what was added went into somebody else's list")
	}
}
