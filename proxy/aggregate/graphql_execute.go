package aggregate

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"sync"
	"sync/atomic"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"fairway/internal/jq"
	"fairway/internal/texts"
)

// execution answers one operation (GraphQL, section 6): fields that parts answer are asked for at the same time,
// all others are members of what their parent is.
type execution struct {
	*facade
	run   *run
	vars  map[string]any
	slots chan struct{}
	// workers are goroutines for fields and items; without a free one they are answered in turn.
	workers chan struct{}
	values  atomic.Int64 // in the answer
	bytes   atomic.Int64 // of its texts
	below   sync.Map     // by field: something below it is asked of a part

	mu      sync.Mutex
	faults  gqlerror.List
	partial []*failure
	asked   map[string]*asking
	count   int
}

const (
	mostWorkers = 64
	// mostValues are in an answer at most: fields under other names may have one long list many times.
	mostValues = 200_000
)

// stopped tells why an answer is not made to its end; empty: it is.
func (x *execution) stopped(ctx context.Context) string {
	switch {
	case x.values.Load() > mostValues, x.bytes.Load() > x.run.service.limits.total:
		return "the answer is too long"
	case ctx.Err() != nil:
		return "it takes too long"
	}
	return ""
}

// alongside does something at the same time, if there is a free worker.
func (x *execution) alongside(working *sync.WaitGroup, do func()) {
	select {
	case x.workers <- struct{}{}:
		working.Go(func() {
			defer func() { <-x.workers }()
			do()
		})
	default:
		do()
	}
}

// asking is a request to a service, for everybody who wants the same of it.
type asking struct {
	once   sync.Once
	value  any
	failed *failure
}

// object is one of JSON whose members stay in their order.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON implements json.Marshaler.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// way is where something is in the answer.
type way struct {
	before *way
	step   ast.PathElement
}

func (w *way) path() (all ast.Path) {
	if w == nil {
		return nil
	}
	return append(w.before.path(), w.step)
}

// fail notes what went wrong at a place.
func (x *execution) fail(at *way, field *ast.Field, extensions map[string]any, format string, args ...any) {
	fault := &gqlerror.Error{Message: fmt.Sprintf(format, args...), Path: at.path(), Extensions: extensions}
	if field.Position != nil {
		fault.Locations = []gqlerror.Location{{Line: field.Position.Line, Column: field.Position.Column}}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.faults = append(x.faults, fault)
}

// operation answers the fields at the top: those of a mutation one after the other.
func (x *execution) operation(ctx context.Context, op *ast.OperationDefinition) (any, bool) {
	if op.Operation == ast.Mutation {
		return x.object(ctx, x.schema.Mutation, nil, []ast.SelectionSet{op.SelectionSet}, nil, true)
	}
	return x.object(ctx, x.schema.Query, nil, []ast.SelectionSet{op.SelectionSet}, nil, false)
}

// object answers the fields that are selected of an object; false: one of them cannot be null, and is.
func (x *execution) object(ctx context.Context, def *ast.Definition, parent any, selections []ast.SelectionSet, at *way, inTurn bool) (any, bool) {
	fields := x.collect(def, selections)
	out := make(object, len(fields))
	whole := make([]bool, len(fields))
	var working sync.WaitGroup
	for i, same := range fields {
		name := same[0].Alias
		do := func() {
			var v any
			v, whole[i] = x.field(ctx, def, parent, same, &way{at, ast.PathName(name)})
			out[i] = member{name, v}
		}
		asks := x.parts[def.Name+"."+same[0].Name] != nil || same[0].Definition != nil && x.reach[same[0].Definition.Type.Name()]
		if inTurn || !asks || len(fields) == 1 {
			do()
		} else {
			x.alongside(&working, do)
		}
	}
	working.Wait()
	for _, ok := range whole {
		if !ok {
			return nil, false
		}
	}
	return out, true
}

// collect finds the fields that are selected, those with the same name in the answer together, in their order
// (GraphQL, section 6.3.2).
func (x *execution) collect(def *ast.Definition, selections []ast.SelectionSet) (fields [][]*ast.Field) {
	at := map[string]int{}
	var visit func(all ast.SelectionSet)
	visit = func(all ast.SelectionSet) {
		for _, one := range all {
			switch one := one.(type) {
			case *ast.Field:
				if !x.included(one.Directives) {
					continue
				}
				if i, has := at[one.Alias]; has {
					fields[i] = append(fields[i], one)
					continue
				}
				at[one.Alias] = len(fields)
				fields = append(fields, []*ast.Field{one})
			case *ast.InlineFragment:
				if x.included(one.Directives) && x.applies(one.TypeCondition, def) {
					visit(one.SelectionSet)
				}
			case *ast.FragmentSpread:
				if x.included(one.Directives) && x.applies(one.Definition.TypeCondition, def) {
					visit(one.Definition.SelectionSet)
				}
			}
		}
	}
	for _, s := range selections {
		visit(s)
	}
	return fields
}

func (x *execution) included(all ast.DirectiveList) bool {
	for name, want := range map[string]bool{"skip": false, "include": true} {
		if d := all.ForName(name); d != nil {
			if got, ok := d.ArgumentMap(x.vars)["if"].(bool); ok && got != want {
				return false
			}
		}
	}
	return true
}

// applies tells whether an object of a type is one of those that a fragment is about.
func (x *execution) applies(condition string, def *ast.Definition) bool {
	if condition == "" || condition == def.Name {
		return true
	}
	for _, one := range x.schema.PossibleTypes[condition] {
		if one.Name == def.Name {
			return true
		}
	}
	return false
}

// field answers one field.
func (x *execution) field(ctx context.Context, def *ast.Definition, parent any, same []*ast.Field, at *way) (any, bool) {
	one := same[0]
	if one.Name == "__typename" {
		return def.Name, true
	}
	p := x.parts[def.Name+"."+one.Name]
	if p == nil {
		members, _ := parent.(map[string]any)
		return x.value(ctx, one.Definition.Type, members[one.Name], same, at)
	}
	v, failed := x.ask(ctx, p, parent, x.arguments(one))
	if failed != nil {
		x.tell(p, failed)
		if p.fallback == nil {
			x.fail(at, one, map[string]any{"part": p.name, "status": failed.Status, "cause": failed.Cause}, "the part %s has failed: %s", p.name, failed.Cause)
			return nil, !one.Definition.Type.NonNull
		}
		v = p.instead()
	}
	return x.value(ctx, one.Definition.Type, v, same, at)
}

// tell notes that a part has failed, once.
func (x *execution) tell(p *part, failed *failure) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, known := range x.partial {
		if known.Part == p.name {
			known.Items++
			return
		}
	}
	told := *failed
	told.Part, told.Items = p.name, 1
	x.partial = append(x.partial, &told)
}

// arguments are those of a field, as texts and expressions take them.
func (x *execution) arguments(one *ast.Field) map[string]any {
	args := one.ArgumentMap(x.vars)
	if len(args) == 0 {
		return nil
	}
	text, err := json.Marshal(args)
	if err != nil {
		return nil
	}
	v, _ := jq.Read(text, len(text))
	out, _ := v.(map[string]any)
	for _, def := range one.Definition.Arguments {
		if v, has := out[def.Name]; has {
			x.defaults(def.Type, v)
		}
	}
	return out
}

// defaults fills in what objects among arguments leave out (GraphQL, section 3.10); literals of a query come
// without it.
func (x *execution) defaults(t *ast.Type, v any) {
	switch v := v.(type) {
	case []any:
		if t.Elem != nil {
			t = t.Elem
		}
		for _, one := range v {
			x.defaults(t, one)
		}
	case map[string]any:
		for _, field := range x.schema.Types[t.Name()].Fields {
			inner, has := v[field.Name]
			if !has && field.DefaultValue != nil {
				if value, err := field.DefaultValue.Value(nil); err == nil {
					text, _ := json.Marshal(value)
					inner, _ = jq.Read(text, len(text))
					v[field.Name] = inner
				}
			}
			x.defaults(field.Type, inner)
		}
	}
}

// ask asks a part, unless the same was asked already.
func (x *execution) ask(ctx context.Context, p *part, parent any, args map[string]any) (any, *failure) {
	if p.child == nil {
		return nil, &failure{Cause: "its service does not exist"}
	}
	o, failed := p.prepare(ctx, x.run, &values{facts: x.run.facts, args: args, parent: parent})
	if failed != nil {
		return nil, failed
	}
	key := p.name + " " + o.key()
	x.mu.Lock()
	a := x.asked[key]
	if a == nil {
		if x.count++; x.count > x.limits.MaxRequests {
			x.mu.Unlock()
			return nil, &failure{Cause: fmt.Sprintf("the query causes more than %d requests", x.limits.MaxRequests)}
		}
		a = &asking{}
		if o.method == "GET" { // what changes something is asked as often as it is said
			x.asked[key] = a
		}
	}
	x.mu.Unlock()
	a.once.Do(func() {
		select {
		case x.slots <- struct{}{}:
			defer func() { <-x.slots }()
			a.value, a.failed = p.ask(ctx, x.run, o)
		case <-ctx.Done():
			a.failed = x.run.service.gone(ctx, p)
		}
	})
	return a.value, a.failed
}

// value makes of what is there what the schema says; false: it cannot be null there, and is (GraphQL, sections
// 6.4.3 and 6.4.4).
func (x *execution) value(ctx context.Context, t *ast.Type, v any, same []*ast.Field, at *way) (any, bool) {
	x.values.Add(1)
	if text, is := v.(string); is {
		x.bytes.Add(int64(len(text)))
	}
	if x.stopped(ctx) != "" {
		return nil, true
	}
	out, ok := x.nullable(ctx, t, v, same, at)
	if !ok || out == nil && t.NonNull {
		if ok && v == nil {
			x.fail(at, same[0], nil, "there is nothing, where something has to be")
		}
		return nil, !t.NonNull
	}
	return out, true
}

func (x *execution) nullable(ctx context.Context, t *ast.Type, v any, same []*ast.Field, at *way) (any, bool) {
	if v == nil {
		return nil, true
	}
	if t.Elem != nil {
		return x.list(ctx, t.Elem, v, same, at)
	}
	def := x.schema.Types[t.NamedType]
	if def.IsLeafType() {
		out, ok := leaf(def, v)
		if !ok {
			x.fail(at, same[0], nil, "what is there is no %s", def.Name)
		}
		return out, ok
	}
	members, is := v.(map[string]any)
	if !is {
		x.fail(at, same[0], nil, "what is there is no object")
		return nil, false
	}
	if def.IsAbstractType() {
		name, _ := members["__typename"].(string)
		if concrete := x.schema.Types[name]; concrete != nil && concrete.Kind == ast.Object && x.applies(def.Name, concrete) {
			def = concrete
		} else {
			x.fail(at, same[0], nil, "its member __typename does not say which %s it is", def.Name)
			return nil, false
		}
	}
	selections := make([]ast.SelectionSet, len(same))
	for i, one := range same {
		selections[i] = one.SelectionSet
	}
	return x.object(ctx, def, v, selections, at, false)
}

// list answers the items of a list: at the same time, if parts are asked for them.
func (x *execution) list(ctx context.Context, t *ast.Type, v any, same []*ast.Field, at *way) (any, bool) {
	items, is := v.([]any)
	if !is {
		x.fail(at, same[0], nil, "what is there is no list")
		return nil, false
	}
	asks := x.reach[t.Name()] && x.asksBelow(same)
	if asks && len(items) > x.limits.MaxRequests {
		x.fail(at, same[0], nil, "the list has %d items, and %d are the most for which something else is asked", len(items), x.limits.MaxRequests)
		return nil, false
	}
	out := make([]any, len(items))
	whole := make([]bool, len(items))
	var working sync.WaitGroup
	for i := range items {
		do := func() { out[i], whole[i] = x.value(ctx, t, items[i], same, &way{at, ast.PathIndex(i)}) }
		if asks {
			x.alongside(&working, do)
		} else {
			do()
		}
	}
	working.Wait()
	for _, ok := range whole {
		if !ok {
			return nil, false
		}
	}
	return out, true
}

// asksBelow tells whether something below fields is asked of a part.
func (x *execution) asksBelow(same []*ast.Field) bool {
	for _, one := range same {
		known, has := x.below.Load(one)
		if !has {
			known = x.asksIn(one.SelectionSet)
			x.below.Store(one, known)
		}
		if known.(bool) {
			return true
		}
	}
	return false
}

func (x *execution) asksIn(all ast.SelectionSet) bool {
	for _, one := range all {
		switch one := one.(type) {
		case *ast.Field:
			if (&weighing{facade: x.facade}).asks(one) || x.asksIn(one.SelectionSet) {
				return true
			}
		case *ast.InlineFragment:
			if x.asksIn(one.SelectionSet) {
				return true
			}
		case *ast.FragmentSpread:
			if x.asksIn(one.Definition.SelectionSet) {
				return true
			}
		}
	}
	return false
}

// leaf makes a scalar or a name of an enumeration (GraphQL, sections 3.5 and 3.9). Scalars that a schema has of its
// own are what they are.
func leaf(def *ast.Definition, v any) (any, bool) {
	if def.Kind == ast.Enum {
		name, ok := v.(string)
		return v, ok && def.EnumValues.ForName(name) != nil
	}
	switch def.Name {
	case "Boolean":
		_, ok := v.(bool)
		return v, ok
	case "Int":
		n, ok := v.(int)
		return v, ok && n == int(int32(n))
	case "Float":
		switch v.(type) {
		case int, float64, *big.Int:
			return v, true
		}
		return nil, false
	case "ID", "String":
		switch v.(type) {
		case map[string]any, []any:
			return nil, false
		}
		return texts.Of(v)
	}
	return v, true
}
