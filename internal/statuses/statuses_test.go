package statuses

import "testing"

func TestParse(t *testing.T) {
	s, err := Parse([]string{"404", "500-502", " 418 , 429 "})
	if err != nil {
		t.Fatal(err)
	}
	for status, want := range map[int]bool{404: true, 403: false, 499: false, 500: true, 502: true, 503: false, 418: true, 429: true, -1: false, 5000: false} {
		if got := s.Has(status); got != want {
			t.Errorf("%d: got %v, want %v", status, got, want)
		}
	}
	for _, wrong := range []string{"", "5xx", "500-", "-500", "502-500", "99", "1000", "500-10000"} {
		if _, err := Parse([]string{wrong}); err == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"404", "500-599", "1-2-3", "500 - 501,404"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := Parse([]string{text}); err == nil && s == nil {
			t.Error("neither a set nor an error")
		}
	})
}
