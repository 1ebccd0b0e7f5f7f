package claims

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"fairway/internal/bearer"
)

// Demands are what a token has to say.
type Demands struct {
	claims []demand
	all    []string // scopes
	any    []string
}

// demand is one of a claim.
type demand struct {
	text, path string
	holds      func(v any) bool
}

// NewDemands reads what is demanded of claims: a path for a claim that has to be there;
// path=value, of a list one value; path=a|b for one of several; path!=value; path~regex for a
// regular expression that a whole value matches. Of scopes the token has all, of anyScope one.
func NewDemands(required, scopes, anyScope []string) (*Demands, error) {
	d := &Demands{all: scopes, any: anyScope}
	for name, scopes := range map[string][]string{"scopes": scopes, "anyScope": anyScope} {
		for _, s := range scopes {
			if !bearer.ValidScope(s) {
				return nil, fmt.Errorf("%s: %q is no scope", name, s)
			}
		}
	}
	for i, text := range required {
		one, err := newDemand(text)
		if err != nil {
			return nil, fmt.Errorf("requiredClaims[%d]: %w", i, err)
		}
		d.claims = append(d.claims, one)
	}
	return d, nil
}

func newDemand(text string) (demand, error) {
	d := demand{text: text, path: text, holds: func(v any) bool { return v != nil }}
	at := strings.IndexAny(text, "=~")
	if at < 0 {
		return d, checkPath(text, text)
	}
	d.path = text[:at]
	value := text[at+1:]
	switch not := strings.HasSuffix(d.path, "!"); {
	case text[at] == '~':
		whole, err := regexp.Compile("^(?:" + value + ")$")
		if err != nil {
			return d, err
		}
		d.holds = func(v any) bool { return slices.ContainsFunc(Texts(v), whole.MatchString) }
	case not:
		d.path = strings.TrimSuffix(d.path, "!")
		d.holds = func(v any) bool { return !Has(v, value) }
	default:
		values := strings.Split(value, "|")
		d.holds = func(v any) bool {
			return slices.ContainsFunc(values, func(value string) bool { return Has(v, value) })
		}
	}
	return d, checkPath(d.path, text)
}

func checkPath(path, text string) error {
	if path == "" || path != strings.TrimSpace(path) {
		return fmt.Errorf("%q names no claim", text)
	}
	return nil
}

// Scope is what a challenge names: the scopes that a token needs.
func (d *Demands) Scope() string { return strings.Join(slices.Concat(d.all, d.any), " ") }

// Missing tells what a token does not say; empty: it says all that it has to.
func (d *Demands) Missing(said map[string]any) string {
	for _, one := range d.claims {
		if !one.holds(Lookup(said, one.path)) {
			return fmt.Sprintf("the token does not say %q", one.text)
		}
	}
	if len(d.all)+len(d.any) == 0 {
		return ""
	}
	has := append(Words(said["scope"]), Words(said["scp"])...)
	for _, scope := range d.all {
		if !slices.Contains(has, scope) {
			return fmt.Sprintf("the token lacks the scope %q", scope)
		}
	}
	if len(d.any) > 0 && !slices.ContainsFunc(d.any, func(s string) bool { return slices.Contains(has, s) }) {
		return fmt.Sprintf("the token has none of the scopes %q", d.any)
	}
	return ""
}
