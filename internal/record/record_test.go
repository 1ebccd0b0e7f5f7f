package record

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFail_TheFirstCauseStaysAndIsBounded(t *testing.T) {
	rec := &Record{}
	rec.Fail("first")
	rec.Fail("second")
	if rec.Cause != "first" {
		t.Errorf("got %q", rec.Cause)
	}
	rec = &Record{}
	rec.Fail("jwt: " + strings.Repeat("ä", 5000))
	if len(rec.Cause) > longestCause || !strings.HasPrefix(rec.Cause, "jwt: ää") || !strings.HasSuffix(rec.Cause, "ä…") || !utf8.ValidString(rec.Cause) {
		t.Errorf("got %d bytes: %q", len(rec.Cause), rec.Cause)
	}
}
