package tame

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/template"
	"text/template/parse"
)

func TestTemplates_StaySmall(t *testing.T) {
	for text, want := range map[string]string{
		`{{print "a" 1}} {{printf "%05d|%s" 7 "x"}} {{html "<"}} {{urlquery "/"}} {{js "'"}}`: "",
		`{{$x := "a"}}{{$x = print $x $x}}`:                                                   "line 1: a variable keeps the value",
		`{{define "a"}}{{end}}{{template "a"}}`:                                               "line 1: templates cannot call others",
		`{{if true}}{{else}}{{with 1}}{{$y := 1}}{{$y = 2}}{{end}}{{end}}`:                    "line 1: a variable keeps the value",
		`{{range 3}}{{range 3}}{{end}}{{end}}`:                                                "a range in a range",
	} {
		tmpl, err := template.New("t").Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		err = Check(tmpl.Root, func(_ *parse.RangeNode, depth int) error {
			if depth > 0 {
				return errors.New("a range in a range")
			}
			return nil
		})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestTexts_StaySmall(t *testing.T) {
	long, escaped := strings.Repeat("x", 1<<20), strings.Repeat(`\&`, 1<<19)
	many := func(one string, n int) string { return strings.Repeat(one, n) }
	for _, text := range []string{
		`{{print .  . . . . .}}`, `{{printf "` + many("%[1]s", 100) + `" .}}`, many(`{{. | printf "%s%[1]s" | printf "%s%[1]s" | printf "%s%[1]s" | printf "%s%[1]s"}}`, 1),
		`{{len (` + many("(js ", 30) + "." + many(")", 30) + `)}}`, `{{len (.` + many(" | json", 40) + `)}}`, `{{len (.` + many(" | xml", 40) + `)}}`,
		many(`{{if print .}}{{end}}`, 80), many(`{{if upper .}}{{end}}`, 80), `{{range 100}}{{if json $}}{{end}}{{end}}`, `{{len (replace "x" "xxxxxxxxxx" .)}}`,
	} {
		for _, html := range []bool{false, true} {
			d, err := New(text, Kind{Name: "t", HTML: html, Most: 1 << 10})
			if err != nil {
				t.Fatal(err)
			}
			data := long
			if strings.Contains(text, "(js") || strings.Contains(text, "json") || strings.Contains(text, "xml") {
				data = escaped
			}
			if _, err := d.Write(t.Context(), data); !errors.Is(err, ErrTooLong) {
				t.Errorf("%.50s: got %v", text, err)
			}
		}
	}
	for text, want := range map[string]string{
		`{{printf "%1000d" 1}}`: "a width is longer", `{{printf "%*d" 900000 1}}`: "a width is longer", `{{printf "%[2]*[1]d" 1 900000}}`: "a width is longer",
		`{{range 2000}}{{range 2000}}{{end}}{{end}}`: "it goes round too often", `{{range 10}}xxxxxxxxxxxxxxxxxxxxxx{{end}}`: ErrTooLong.Error(),
	} {
		d, err := New(text, Kind{Name: "t", Most: 100})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Write(t.Context(), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
	if _, err := New(many(`{{$a := 1}}`, 40), Kind{Name: "t", Most: 100}); err == nil || !strings.Contains(err.Error(), "line 1: there are more than 32 variables") {
		t.Errorf("got %v", err)
	}
}

// Executions at a time have a budget each, and end with their request.
func TestDocument_ForManyAtATime(t *testing.T) {
	d, err := New(`{{range .}}{{json .}}{{end}}`, Kind{Name: "t", HTML: true, Most: 100})
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for range 200 {
				if text, err := d.Write(t.Context(), []any{i}); string(text) != strconv.Itoa(i) {
					t.Errorf("got %s, %v", text, err)
				}
			}
		})
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Write(gone, []any{1}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	wait.Wait()
}
