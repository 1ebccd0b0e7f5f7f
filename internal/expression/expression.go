// Package expression reads expressions in the Common Expression Language that are about a request,
// about who sends it, and about its connection.
//
// facts.go has what they may be about. They are compiled when the configuration is read, so that a
// name that is not there is found then, and not by the first client.
package expression

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"cel.dev/cel-go/cel"

	"fairway/internal/record"
)

// mostCost bounds what one request can have computed: a step costs about one.
const mostCost = 200_000

// Condition is an expression that is true or false of a request.
type Condition struct{ program cel.Program }

// NewCondition compiles one.
func NewCondition(text string) (*Condition, error) {
	p, err := compile(text, cel.BoolType, "it has to be true or false")
	if err != nil {
		return nil, err
	}
	return &Condition{p}, nil
}

// Of tells whether it is true of a request. It fails where it asks for what is not there.
func (c *Condition) Of(r *http.Request) (bool, error) {
	v, err := eval(c.program, r)
	is, _ := v.(bool)
	return is, err
}

// Text is an expression that is a text.
type Text struct{ program cel.Program }

// NewText compiles one.
func NewText(text string) (*Text, error) {
	p, err := compile(text, cel.StringType, "it has to be a text, as by string(…)")
	if err != nil {
		return nil, err
	}
	return &Text{p}, nil
}

// Of is what it is of a request. It fails where it asks for what is not there.
func (t *Text) Of(r *http.Request) (string, error) {
	v, err := eval(t.program, r)
	text, _ := v.(string)
	return text, err
}

func compile(text string, want *cel.Type, demand string) (cel.Program, error) {
	env, err := sharedEnv()
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, errors.New(oneLine(issues))
	}
	if !ast.OutputType().IsExactType(want) {
		return nil, fmt.Errorf("the expression is of the type %s: %s", ast.OutputType(), demand)
	}
	return env.Program(ast, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(mostCost), cel.InterruptCheckFrequency(100))
}

// oneLine is the first mistake, with its place.
func oneLine(issues *cel.Issues) string {
	e := issues.Errors()[0]
	message, _, _ := strings.Cut(e.Message, "\n")
	return fmt.Sprintf("at character %d: %s", e.Location.Column()+1, message)
}

func eval(p cel.Program, r *http.Request) (any, error) {
	v, _, err := p.ContextEval(r.Context(), &facts{r: r, who: record.IdentityOf(r)})
	if err != nil {
		return nil, err
	}
	return v.Value(), nil
}
