package redirect

import (
	"net/http"
	"testing"
)

func TestStatus(t *testing.T) {
	tests := map[string]struct {
		method    string
		permanent bool
		want      int
	}{
		"get":            {http.MethodGet, false, 302},
		"get for good":   {http.MethodGet, true, 301},
		"post":           {http.MethodPost, false, 307},
		"post for good":  {http.MethodPost, true, 308},
		"head":           {http.MethodHead, false, 307},
		"head for good":  {http.MethodHead, true, 308},
		"unknown method": {"PURGE", true, 308},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Status(tt.method, tt.permanent); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}
