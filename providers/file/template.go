package file

import (
	"bytes"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"

	"fairway/config/dynamic"
	"fairway/config/labels"
	"fairway/internal/decode"
)

// execute carries out the Go template that a file is, with the functions of
// sprig. Files are the operator's own: they may read the environment.
func execute(path string, text []byte) ([]byte, error) {
	if !bytes.Contains(text, []byte("{{")) {
		return text, nil
	}
	functions := sprig.TxtFuncMap()
	functions["normalize"] = labels.Normalize
	t, err := template.New(filepath.Base(path)).Funcs(functions).Parse(string(text))
	if err != nil {
		return nil, templateError(err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, nil); err != nil {
		return nil, templateError(err)
	}
	return out.Bytes(), nil
}

var templateLine = regexp.MustCompile(`^template: .*?:(\d+)(?::\d+)?: (.*)$`)

// templateError finds the line in an error of text/template.
func templateError(err error) error {
	if m := templateLine.FindStringSubmatch(err.Error()); m != nil {
		line, _ := strconv.Atoi(m[1])
		if strings.HasSuffix(m[2], "not defined") {
			m[2] += within
		}
		return &decode.SyntaxError{Line: line, Msg: "template: " + m[2]}
	}
	return err
}

// within says how a template stands within a file, which is one itself.
const within = "; the file is a template itself, and one within it is written {{`{{ … }}`}}"

// valueless finds what a template has left of a name that has no value, outside of comments. Files are given no values:
// such a name was meant for a template within the file.
func valueless(path string, before, after []byte) []dynamic.Problem {
	const nothing = "<no value>"
	if bytes.Contains(before, []byte(nothing)) {
		return nil
	}
	line := 0
	for text := range bytes.Lines(after) {
		line++
		if text = bytes.TrimSpace(text); bytes.Contains(text, []byte(nothing)) && !bytes.HasPrefix(text, []byte("#")) {
			return []dynamic.Problem{{
				Severity: dynamic.Warning, Provider: "file", Source: path, Line: line,
				Reason: "template: a name in braces has no value" + within,
			}}
		}
	}
	return nil
}
