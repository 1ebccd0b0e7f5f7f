package tame

import (
	"errors"
	"strings"
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
		tmpl, err := template.New("t").Funcs(Texts).Funcs(Escapes).Parse(text)
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
	long := strings.Repeat("x", 1<<20)
	for _, text := range []string{
		`{{print .  . . . . .}}`, `{{printf "` + strings.Repeat("%[1]s", 100) + `" .}}`, `{{. | printf "%s%[1]s" | printf "%s%[1]s" | printf "%s%[1]s" | printf "%s%[1]s"}}`, `{{. | html | printf "%s%[1]s%[1]s%[1]s%[1]s"}}`,
	} {
		tmpl := template.Must(template.New("t").Funcs(Texts).Funcs(Escapes).Parse(text))
		if err := tmpl.Execute(&Writer{Most: Most}, long); !errors.Is(err, ErrTooLong) {
			t.Errorf("%s: got %v", text, err)
		}
	}
	for _, text := range []string{`{{printf "%1000d" 1}}`, `{{printf "%*d" 900000 1}}`, `{{printf "%[2]*[1]d" 1 900000}}`} {
		tmpl := template.Must(template.New("t").Funcs(Texts).Parse(text))
		if err := tmpl.Execute(&Writer{Most: Most}, nil); err == nil || !strings.Contains(err.Error(), "a width is longer") {
			t.Errorf("%s: got %v", text, err)
		}
	}
	tmpl := template.Must(template.New("t").Parse(`{{range 1000000}}xxxxxxxxxx{{end}}`))
	if err := tmpl.Execute(&Writer{Most: 1000}, nil); !errors.Is(err, ErrTooLong) {
		t.Errorf("got %v", err)
	}
}
