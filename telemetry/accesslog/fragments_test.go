package accesslog

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestFragments_ChangeNoLine writes many exchanges, which share much, by one line, and
// looks whether each is as a fresh one writes it.
func TestFragments_ChangeNoLine(t *testing.T) {
	c := &Config{Format: "json", Fields: &FieldModes{Names: map[string]string{"ServiceURL": "redact", "ClientPort": "drop"}}}
	l := built(t, c)
	used := newLine(l.form, zone)
	kinds := exchanges()
	names := slices.Sorted(maps.Keys(kinds))
	pick := func(all ...string) string { return all[rand.IntN(len(all))] }
	for range 5000 {
		name := names[rand.IntN(len(names))]
		e := exchanges()[name]
		if e.Record != nil && rand.IntN(2) == 0 {
			e.Record.Router, e.Record.Service = fmt.Sprint("r", rand.IntN(200)), pick("a", "ab", "")
			e.Record.Server, e.Record.EntryPoint = pick("http://a", "b", ""), pick("bhttp://a", "", "web")
			e.Request.Host, e.Request.Method = pick("a.test", "a.testGET", strings.Repeat("h", 600), ""), pick("GET", "", "POST")
			e.Request.RemoteAddr = fmt.Sprint("192.0.2.1:", rand.IntN(200))
		}
		got := string(used.write(e, 7))
		used.forget()
		if want := string(newLine(l.form, zone).write(e, 7)); got != want {
			t.Fatalf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}
