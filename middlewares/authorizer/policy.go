package authorizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"fairway/internal/identity"
	"fairway/internal/lambda"
)

// decision is what an authorizer said. It never changes.
type decision struct {
	simple     bool // what it is about is not said
	allowed    bool // if it is simple
	statements []statement
	who        *identity.Identity
	key        string // of the usage plan: an API key
	values     [][]string
}

// statement of a policy: whether it allows, or denies, what it is about.
type statement struct {
	allow     bool
	resources []string
}

// invoke is the action that policies of an API are about.
const invoke = "execute-api:Invoke"

const (
	longestAnswer   = 32 << 10
	longestResource = 2048
	mostResources   = 1000 // of all statements
)

// answered is what an authorizer answers, by either form.
type answered struct {
	IsAuthorized       *bool           `json:"isAuthorized"`
	PrincipalID        string          `json:"principalId"`
	PolicyDocument     json.RawMessage `json:"policyDocument"`
	Context            map[string]any  `json:"context"`
	UsageIdentifierKey string          `json:"usageIdentifierKey"`
}

// readDecision reads {isAuthorized, context}, or a policy with who it is for. With old, that is by version
// 1.0, the context has texts, numbers and booleans only, and there is a principal.
func readDecision(text []byte, old bool) (*decision, error) {
	var a answered
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&a); err != nil {
		return nil, fmt.Errorf("the answer is no decision: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("the answer is no decision: something follows it")
	}
	d := &decision{key: a.UsageIdentifierKey, who: &identity.Identity{Method: lambda.Method, Subject: a.PrincipalID, Claims: a.Context}}
	if a.Context == nil {
		d.who.Claims = map[string]any{}
	}
	for name, v := range a.Context {
		switch v.(type) {
		case string, json.Number, bool:
		default:
			if old {
				return nil, fmt.Errorf("context: %q is neither text, number nor boolean", name)
			}
		}
	}
	switch {
	case a.IsAuthorized != nil:
		d.simple, d.allowed = true, *a.IsAuthorized
		return d, nil
	case len(a.PolicyDocument) == 0:
		return nil, errors.New("the answer has neither isAuthorized nor policyDocument")
	case old && a.PrincipalID == "":
		return nil, errors.New("the answer has no principalId")
	}
	var err error
	d.statements, err = readPolicy(a.PolicyDocument)
	return d, err
}

// written is a statement as it is written. What is not known here could be a condition under which it does
// not count: better no decision than a wrong one.
type written struct {
	Effect                                          string
	Action, Resource                                oneOrMore
	Condition, NotAction, NotResource, NotPrincipal json.RawMessage
}

// oneOrMore is a text, or a list of them.
type oneOrMore []string

func (o *oneOrMore) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*o = oneOrMore{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(o))
}

func readPolicy(text []byte) ([]statement, error) {
	var document struct{ Statement json.RawMessage }
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("policyDocument: %w", err)
	}
	if trimmed := bytes.TrimSpace(document.Statement); len(trimmed) > 0 && trimmed[0] == '{' {
		document.Statement = append(append([]byte{'['}, trimmed...), ']')
	}
	var all []written
	if len(document.Statement) > 0 {
		if err := json.Unmarshal(document.Statement, &all); err != nil {
			return nil, fmt.Errorf("policyDocument: Statement: %w", err)
		}
	}
	var statements []statement
	var resources int
	for i, w := range all {
		s, err := w.read()
		if err != nil {
			return nil, fmt.Errorf("policyDocument: Statement[%d]: %w", i, err)
		}
		if resources += len(s.resources); resources > mostResources {
			return nil, fmt.Errorf("policyDocument: it is about more than %d resources", mostResources)
		}
		if w.invokes() {
			statements = append(statements, s)
		}
	}
	return statements, nil
}

func (w *written) read() (statement, error) {
	switch {
	case w.Effect != "Allow" && w.Effect != "Deny":
		return statement{}, fmt.Errorf("the Effect %q is neither Allow nor Deny", w.Effect)
	case says(w.Condition) || says(w.NotAction) || says(w.NotResource) || says(w.NotPrincipal):
		return statement{}, errors.New("it has one of Condition, NotAction, NotResource and NotPrincipal, which are not known here")
	case len(w.Action) == 0:
		return statement{}, errors.New("there is no Action")
	case len(w.Resource) == 0:
		return statement{}, errors.New("there is no Resource")
	}
	for _, r := range w.Resource {
		if len(r) > longestResource {
			return statement{}, fmt.Errorf("a Resource has more than %d bytes", longestResource)
		}
	}
	return statement{w.Effect == "Allow", w.Resource}, nil
}

// says tells whether a member is there, and not empty.
func says(text json.RawMessage) bool {
	return len(text) > 0 && string(text) != "null" && string(text) != "{}"
}

// invokes tells whether the statement is about requests. Names of actions have no case.
func (w *written) invokes() bool {
	for _, action := range w.Action {
		if len(action) <= longestResource && like(strings.ToLower(action), strings.ToLower(invoke)) {
			return true
		}
	}
	return false
}

// allows tells whether a request may pass. name is what the authorizer was asked about, and has to be
// allowed by a statement; what one denies is denied under all names that a service may take it for.
func (d *decision) allows(name string, others ...string) bool {
	if d.simple {
		return d.allowed
	}
	var allowed bool
	for _, s := range d.statements {
		switch {
		case s.allow:
			allowed = allowed || s.about(name)
		case s.about(name) || slices.ContainsFunc(others, s.about):
			return false
		}
	}
	return allowed
}

func (s statement) about(name string) bool {
	for _, r := range s.resources {
		if like(r, name) {
			return true
		}
	}
	return false
}

// like tells whether a text is like a pattern, in which * is any text and ? any byte. It takes time by the
// product of their lengths at most.
func like(pattern, text string) bool {
	p, t := 0, 0
	star, from := -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			from++
			p, t = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
