package responsehead

import (
	"net/http"
	"slices"
	"testing"
)

type upstream struct{ http.Header }

func (u upstream) StatusCode() int { return http.StatusOK }
func (u upstream) Length() int64   { return -1 }

func (u upstream) Each(visit func(name, value string)) {
	for name, values := range u.Header {
		for _, value := range values {
			visit(name, value)
		}
	}
}

func TestHead_StandsInFrontOfWhatAServerSaid(t *testing.T) {
	server := upstream{http.Header{"Vary": {"A"}, "Set-Cookie": {"a=1"}, "X-Gone": {"1"}, "X-New": {"theirs"}}}
	for name, h := range map[string]Head{
		"apart":    HeadOf(http.Header{}, server),
		"together": HeadOf(server.Clone(), nil),
	} {
		t.Run(name, func(t *testing.T) {
			h.Add("Vary", "B")
			h.Add("Set-Cookie", "b=2")
			h.Del("X-Gone")
			h.Set("X-New", "ours")
			each := http.Header{}
			h.Each(func(name, value string) { each[name] = append(each[name], value) })
			for name, want := range map[string][]string{"Vary": {"A", "B"}, "Set-Cookie": {"a=1", "b=2"}, "X-Gone": nil, "X-New": {"ours"}, "X-None": nil} {
				if got := h.Values(name); !slices.Equal(got, want) {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
				if slices.Sort(each[name]); !slices.Equal(each[name], want) {
					t.Errorf("%s: each of them is %q, want %q", name, each[name], want)
				}
				if len(want) > 0 && h.Get(name) != want[0] || len(want) == 0 && h.Get(name) != "" {
					t.Errorf("%s: the first one is %q", name, h.Get(name))
				}
			}
		})
	}
	if len(server.Values("Vary")) != 1 {
		t.Error("the server's fields are changed")
	}
}
