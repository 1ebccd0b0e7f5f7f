package schema

import (
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A few lines of schema can ask for millions of comparisons: each of twenty levels refers to the next one twice.
// So the ways are counted that lead through a schema, before it is used. What applies to the same value (allOf, $ref …)
// adds up, and so does what is below it, but for properties beside each other, which are different values. A
// schema that comes to itself again further below counts once: how deep that goes is up to the body.

// mostWays is how many ways there may be through a schema.
const mostWays = 100_000

// mostSteps bounds the counting itself: what is in a circle of references is counted anew by each way to it.
const mostSteps = 10 * mostWays

type expansion struct {
	known map[*jsonschema.Schema]int
	open  map[*jsonschema.Schema]int // those that are being counted, by the level of values below values
	steps int
}

// bounded tells why a schema cannot be used, if too many ways lead through it.
func bounded(s *jsonschema.Schema) error {
	e := &expansion{known: map[*jsonschema.Schema]int{}, open: map[*jsonschema.Schema]int{}}
	if n, _ := e.ways(s, 1); n > mostWays {
		return fmt.Errorf("there are more than %d ways through its allOf, anyOf, oneOf, $ref and the like: each request would take too long", mostWays)
	}
	return nil
}

// ways counts those through a schema. What is in a circle is not remembered: it depends on where it is entered.
func (e *expansion) ways(s *jsonschema.Schema, level int) (n int, circle bool) {
	if n, ok := e.known[s]; ok {
		return n, false
	}
	before, again := e.open[s]
	if again && before == level {
		return 1, true
	}
	if e.steps++; e.steps > mostSteps {
		return mostWays + 1, true
	}
	e.open[s] = level
	n = 1 + e.below(s, level+1)
	for _, t := range sameValue(s) {
		if n > mostWays {
			break
		}
		m, c := e.ways(t, level)
		n, circle = n+m, circle || c
	}
	if delete(e.open, s); again {
		e.open[s] = before
	}
	n = min(n, mostWays+1)
	if !circle || n > mostWays {
		e.known[s] = n
	}
	return n, circle
}

// sameValue are the schemas that a value is compared with because it is with s.
func sameValue(s *jsonschema.Schema) []*jsonschema.Schema {
	all := present(s.Ref, s.RecursiveRef, s.Not, s.If, s.Then, s.Else)
	if s.DynamicRef != nil {
		all = append(all, present(s.DynamicRef.Ref)...)
	}
	all = append(append(append(all, s.AllOf...), s.AnyOf...), s.OneOf...)
	for _, t := range s.DependentSchemas {
		all = append(all, t)
	}
	for _, t := range s.Dependencies {
		all = append(all, schemasOf(t)...)
	}
	return all
}

// below counts the ways on to a value in the value: one that is a property, or an item.
func (e *expansion) below(s *jsonschema.Schema, level int) int {
	most := func(all ...*jsonschema.Schema) (n int) {
		for _, t := range all {
			if _, open := e.open[t]; !open {
				m, _ := e.ways(t, level)
				n = max(n, m)
			}
		}
		return n
	}
	named, patterns := 0, 0
	for _, t := range s.Properties {
		named = max(named, most(t))
	}
	for _, t := range s.PatternProperties {
		patterns = min(patterns+most(t), mostWays+1)
	}
	other := append(schemasOf(s.AdditionalProperties), present(s.UnevaluatedProperties)...)
	property := named + patterns + most(other...) + most(present(s.PropertyNames)...)
	items := append(append(schemasOf(s.Items), schemasOf(s.AdditionalItems)...), present(s.Items2020)...)
	item := most(append(items, s.PrefixItems...)...) + most(present(s.Contains)...) + most(present(s.UnevaluatedItems)...)
	return max(property, item, most(present(s.ContentSchema)...))
}

func present(all ...*jsonschema.Schema) []*jsonschema.Schema {
	var found []*jsonschema.Schema
	for _, s := range all {
		if s != nil {
			found = append(found, s)
		}
	}
	return found
}

// schemasOf are those of a keyword that takes other things as well.
func schemasOf(v any) []*jsonschema.Schema {
	switch v := v.(type) {
	case *jsonschema.Schema:
		return present(v)
	case []*jsonschema.Schema:
		return present(v...)
	}
	return nil
}
