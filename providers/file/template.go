package file

import (
	"bytes"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/Masterminds/sprig/v3"

	"fairway/config/dynamic"
	"fairway/config/labels"
	"fairway/internal/decode"
	"fairway/internal/tame"
)

// execute carries out the Go template that a file is, with the functions of
// sprig. Files are the operator's own: they may read the environment.
func execute(path string, text []byte) ([]byte, []dynamic.Problem, error) {
	if !bytes.Contains(text, []byte("{{")) {
		return text, nil, nil
	}
	functions := sprig.TxtFuncMap()
	functions["normalize"] = labels.Normalize
	t, err := template.New(filepath.Base(path)).Funcs(functions).Parse(string(text))
	if err != nil {
		return nil, nil, templateError(err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, nil); err != nil {
		return nil, nil, templateError(err)
	}
	return out.Bytes(), valueless(path, text, t.Root), nil
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

// valueless finds the first name that has no value, outside of comments. Files are given no values: such a name was
// meant for a template within the file.
func valueless(path string, text []byte, root parse.Node) []dynamic.Problem {
	lines := bytes.Split(text, []byte("\n"))
	for _, name := range tame.Paths(root) {
		before, _, _ := bytes.Cut(lines[name.Line-1], []byte("{{"))
		if bytes.HasPrefix(bytes.TrimSpace(before), []byte("#")) || bytes.Contains(before, []byte(" #")) {
			continue
		}
		return []dynamic.Problem{{
			Severity: dynamic.Warning, Provider: "file", Source: path, Line: name.Line,
			Reason: "template: ." + strings.Join(name.Names, ".") + " has no value" + within,
		}}
	}
	return nil
}
