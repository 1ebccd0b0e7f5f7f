package oneof

import "testing"

type catalog struct {
	First  *int    `json:"first,omitempty"`
	Second *string `json:"second,omitempty"`
	Other  []string
}

func TestOf(t *testing.T) {
	n, s := 1, "x"
	tests := []struct {
		name    string
		in      catalog
		want    string
		wantErr string
	}{
		{"one", catalog{Second: &s, Other: []string{"a"}}, "second", ""},
		{"none", catalog{}, "", "no type is given"},
		{"two", catalog{First: &n, Second: &s}, "", "several types are given, first and second: one name has one type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := Of(&tt.in)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if got != tt.want || text != tt.wantErr {
				t.Errorf("got %q, %q; want %q, %q", got, text, tt.want, tt.wantErr)
			}
		})
	}
}
