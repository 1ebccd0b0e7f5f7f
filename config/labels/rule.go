package labels

import (
	"fmt"
	"strings"
	"text/template"
	"unicode"

	"github.com/Masterminds/sprig/v3"
)

// DefaultRule is the default rule of the label providers.
const DefaultRule = "Host(`{{ normalize .Name }}`)"

// Normalize makes a name usable in routers and hosts: every run of characters
// that are neither letters nor digits becomes one dash; there is none at the ends.
func Normalize(name string) string {
	parts := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return strings.Join(parts, "-")
}

// parseRule reads the template of a default rule: a Go text/template with the
// functions of sprig that neither read the environment nor ask the network.
func parseRule(text string) (*template.Template, error) {
	functions := sprig.HermeticTxtFuncMap()
	functions["normalize"] = Normalize
	t, err := template.New("defaultRule").Option("missingkey=error").Funcs(functions).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("defaultRule: %w", err)
	}
	return t, nil
}

// ruleWords is what a default rule may use.
type ruleWords struct {
	Name          string
	ContainerName string
	Labels        map[string]string
}

func (d *Decoder) defaultRule(w *Workload) (string, error) {
	var b strings.Builder
	err := d.rule.Execute(&b, ruleWords{Name: Normalize(w.Name), ContainerName: w.Container, Labels: w.Labels})
	if err != nil {
		return "", err
	}
	return b.String(), nil
}
