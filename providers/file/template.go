package file

import (
	"bytes"
	"path/filepath"
	"regexp"
	"strconv"
	"text/template"

	"github.com/Masterminds/sprig/v3"

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
		return &decode.SyntaxError{Line: line, Msg: "template: " + m[2]}
	}
	return err
}
