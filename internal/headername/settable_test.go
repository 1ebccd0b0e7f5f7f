package headername

import "testing"

func TestSettable(t *testing.T) {
	for name, want := range map[string]string{
		"X-User":         "",
		"x_user":         "",
		"X User":         `"X User" is no name of a header`,
		"X-User:":        `"X-User:" is no name of a header`,
		"":               `"" is no name of a header`,
		"content-length": `"content-length" cannot be set: it says how a message is sent, which is up to the gateway`,
		"Host":           `"Host" cannot be set: it says how a message is sent, which is up to the gateway`,
	} {
		got := ""
		if err := Settable(name); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestValidValue(t *testing.T) {
	for value, want := range map[string]bool{
		"": true, "a\tb ü": true, "a\r\nX-Evil: 1": false, "a\n": false, "\x00": false, "\x7f": false, "\x1b[0m": false,
	} {
		if got := ValidValue(value); got != want {
			t.Errorf("%q: got %v, want %v", value, got, want)
		}
	}
}
