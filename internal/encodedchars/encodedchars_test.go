package encodedchars

import "testing"

func TestForbidden(t *testing.T) {
	sequences := map[string]Allowed{
		"%2F": {Slash: true}, "%5c": {BackSlash: true}, "%00": {NullCharacter: true}, "%3b": {Semicolon: true},
		"%25": {Percent: true}, "%3F": {QuestionMark: true}, "%23": {Hash: true},
	}
	for sequence, allowed := range sequences {
		path := "/a/%20" + sequence + "/b"
		if got := (Allowed{}).Table().Forbidden(path); got != sequence {
			t.Errorf("%s: got %q", path, got)
		}
		if got := allowed.Table().Forbidden(path); got != "" {
			t.Errorf("%s allowed: got %q", path, got)
		}
	}
	for _, path := range []string{"", "/", "/a/b", "/%41%20", "/%", "/%2", "/%zz"} {
		if got := (Allowed{}).Table().Forbidden(path); got != "" {
			t.Errorf("%s: got %q", path, got)
		}
	}
	if got := (Allowed{Slash: true}).Table().Forbidden("/%2f%2f%5C"); got != "%5C" {
		t.Errorf("got %q", got)
	}
}
