package aggregate

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"fairway/internal/nearest"
	"fairway/internal/texts"
)

// GraphQL answers queries (GraphQL, edition of October 2021) whose fields are asked of the parts. A part answers the
// field that it names; what it returns has the fields below by their names. There is no introspection
// but __typename, and there are no subscriptions.
type GraphQL struct {
	// Schema is what can be asked, in the language of GraphQL schemas. Each field of Query, and of
	// Mutation, needs a part.
	Schema string `json:"schema,omitempty"`
	// SchemaFile is the path of a file with the schema, in place of schema.
	SchemaFile string `json:"schemaFile,omitempty" label:"-"`
	// Queries are those that clients send by name, as in {"id": "page", "variables": {...}} or
	// ?id=page&variables={...}; or by the SHA-256 of their text, as Apollo clients do.
	Queries map[string]string `json:"queries,omitempty"`
	// Any lets clients send queries of their own. Default: false, they send those of queries only.
	Any bool `json:"any,omitempty"`
	// MaxDepth is how deep the fields of a query may be nested. Default: 10.
	MaxDepth int `json:"maxDepth,omitempty"`
	// MaxCost is what a query may cost: a field is 1, one that a part is asked for 10, and what is below
	// a list counts as often as its argument first or limit says, else ListSize times. Default: 5000.
	MaxCost int `json:"maxCost,omitempty"`
	// ListSize is how long a list is taken to be, for the cost of a query. Default: 10.
	ListSize int `json:"listSize,omitempty"`
	// MaxRequests is how many requests to services one query may cause. The same request is made once.
	// Default: 200.
	MaxRequests int `json:"maxRequests,omitempty"`
	// Parallel is how many of them are under way at the same time. Default: 16.
	Parallel int `json:"parallel,omitempty"`
}

const (
	mostTokens = 4000
	partCost   = 10
)

// SetDefaults implements the defaults documented at the fields.
func (c *GraphQL) SetDefaults() {
	c.MaxDepth, c.MaxCost, c.ListSize, c.MaxRequests, c.Parallel = 10, 5000, 10, 200, 16
}

// facade is a GraphQL, ready to answer.
type facade struct {
	schema *ast.Schema
	parts  map[string]*part              // by Type.field
	byName map[string]*ast.QueryDocument // what clients may send
	byHash map[string]*ast.QueryDocument
	any    bool
	limits GraphQL
	reach  map[string]bool // types below which something is asked of a part
}

// sourcesOfFields are what values of texts may be of, where parts answer fields.
var sourcesOfFields = func() texts.Sources {
	out := maps.Clone(sources)
	for _, none := range []string{"parts", "item", "items", "variant"} {
		delete(out, none)
	}
	out["args"], out["parent"] = false, true
	return out
}()

// build reads the schema and the queries.
func (c *GraphQL) build(whole *Config, parts []*part) (*facade, error) {
	switch {
	case whole.Stream != "" || whole.Result != "" || whole.Template != "" || whole.Merge != "object" || whole.Fields != nil || len(whole.Variants)+len(whole.VariantBy) > 0:
		return nil, errors.New("the answer has the shape of the query: there are no stream, result, merge, fields and variants beside it")
	case c.MaxDepth < 1 || c.MaxCost < 1 || c.ListSize < 1 || c.MaxRequests < 1 || c.Parallel < 1:
		return nil, errors.New("maxDepth, maxCost, listSize, maxRequests and parallel have to be above 0")
	case len(c.Queries) == 0 && !c.Any:
		return nil, errors.New("queries: there are none, and clients cannot send any of their own")
	}
	f := &facade{any: c.Any, limits: *c, parts: map[string]*part{}, byName: map[string]*ast.QueryDocument{}, byHash: map[string]*ast.QueryDocument{}}
	if err := f.readSchema(c); err != nil {
		return nil, err
	}
	for _, p := range parts {
		if err := f.bind(p, whole.Parts[p.name].Field); err != nil {
			return nil, fmt.Errorf("parts.%s.field: %w", p.name, err)
		}
	}
	if err := f.complete(); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(c.Queries)) {
		doc, faults := f.parse(c.Queries[name])
		if len(faults) > 0 {
			return nil, fmt.Errorf("queries.%s: %s", name, said(faults[0]))
		}
		sum := sha256.Sum256([]byte(c.Queries[name]))
		f.byName[name], f.byHash[hex.EncodeToString(sum[:])] = doc, doc
	}
	return f, nil
}

func (f *facade) readSchema(c *GraphQL) error {
	text := c.Schema
	switch {
	case (c.Schema == "") == (c.SchemaFile == ""):
		return errors.New("schema: one of schema and schemaFile has to be given")
	case c.SchemaFile != "":
		raw, err := os.ReadFile(c.SchemaFile)
		if err != nil {
			return fmt.Errorf("schemaFile: %w", err)
		}
		text = string(raw)
	}
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "schema", Input: text})
	if err != nil {
		if fault, ok := errors.AsType[*gqlerror.Error](err); ok {
			return fmt.Errorf("schema: %s", said(fault))
		}
		return fmt.Errorf("schema: %w", err)
	}
	if schema.Subscription != nil {
		return errors.New("schema: there are no subscriptions")
	}
	f.schema = schema
	return nil
}

// said is a mistake with its place.
func said(fault *gqlerror.Error) string {
	if len(fault.Locations) > 0 {
		return fmt.Sprintf("line %d, column %d: %s", fault.Locations[0].Line, fault.Locations[0].Column, fault.Message)
	}
	return fault.Message
}

// bind finds the field that a part answers.
func (f *facade) bind(p *part, given string) error {
	if given == "" {
		given = "Query." + p.name
	}
	typeName, name, _ := strings.Cut(given, ".")
	def := f.schema.Types[typeName]
	switch {
	case def == nil || def.Kind != ast.Object:
		return fmt.Errorf("%q: the schema has no type %q with fields", given, typeName)
	case def.Fields.ForName(name) == nil:
		var known []string
		for _, field := range def.Fields {
			known = append(known, field.Name)
		}
		if meant := nearest.Name(name, known); meant != "" {
			return fmt.Errorf("%q: there is no such field; did you mean %q?", given, typeName+"."+meant)
		}
		return fmt.Errorf("%q: there is no such field", given)
	case f.parts[given] != nil:
		return fmt.Errorf("%q: the part %s answers it already", given, f.parts[given].name)
	case p.each != nil || p.target == nil || len(p.target) != 1 || p.target[0] != p.name:
		return fmt.Errorf("%q: each and target are for answers without graphql", given)
	}
	f.parts[given] = p
	return p.names(def.Fields.ForName(name), given)
}

// names looks whether the arguments exist that texts of a part are about.
func (p *part) names(field *ast.FieldDefinition, given string) (err error) {
	look := func(names []string) {
		if names[0] == "args" && field.Arguments.ForName(names[1]) == nil {
			err = fmt.Errorf("%q: it has no argument %q", given, names[1])
		}
	}
	p.path.Each(look)
	for _, one := range slices.Concat(p.query, p.headers) {
		one.Each(look)
	}
	return err
}

// complete looks whether every field at the top has a part, and finds the types below which parts are
// asked.
func (f *facade) complete() error {
	for _, root := range []*ast.Definition{f.schema.Query, f.schema.Mutation} {
		if root == nil {
			continue
		}
		for _, field := range root.Fields {
			if name := root.Name + "." + field.Name; !strings.HasPrefix(field.Name, "__") && f.parts[name] == nil {
				return fmt.Errorf("schema: no part answers %s", name)
			}
		}
	}
	f.reach = map[string]bool{}
	for again := true; again; {
		again = false
		for _, def := range f.schema.Types {
			if !f.reach[def.Name] && f.reaches(def) {
				f.reach[def.Name], again = true, true
			}
		}
	}
	return nil
}

func (f *facade) reaches(def *ast.Definition) bool {
	for _, field := range def.Fields {
		if f.parts[def.Name+"."+field.Name] != nil || f.reach[field.Type.Name()] {
			return true
		}
	}
	for _, one := range f.schema.PossibleTypes[def.Name] {
		if f.reach[one.Name] {
			return true
		}
	}
	return false
}

// parse reads a query, and looks whether the schema and the limits allow it.
func (f *facade) parse(text string) (*ast.QueryDocument, gqlerror.List) {
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Name: "query", Input: text}, mostTokens)
	if err != nil {
		if fault, ok := errors.AsType[*gqlerror.Error](err); ok {
			return nil, gqlerror.List{fault}
		}
		return nil, gqlerror.List{gqlerror.Errorf("%s", err)}
	}
	if faults := validator.ValidateWithRules(f.schema, doc, rules.NewDefaultRules()); len(faults) > 0 {
		return nil, faults
	}
	for _, op := range doc.Operations {
		if fault := f.weigh(op, nil); fault != nil {
			return nil, gqlerror.List{fault}
		}
	}
	return doc, nil
}

// weigh tells whether an operation is too deep or too dear; variables are nil as long as they are not known.
func (f *facade) weigh(op *ast.OperationDefinition, variables map[string]any) *gqlerror.Error {
	w := weighing{facade: f, variables: variables}
	w.selection(op.SelectionSet, 1, 1)
	return w.fault
}

// weighing finds out what a query costs, before it is known what it finds.
type weighing struct {
	*facade
	variables map[string]any
	cost      int
	fault     *gqlerror.Error
}

func (w *weighing) selection(all ast.SelectionSet, depth, times int) {
	for _, one := range all {
		if w.fault != nil {
			return
		}
		switch one := one.(type) {
		case *ast.Field:
			w.field(one, depth, times)
		case *ast.InlineFragment:
			w.selection(one.SelectionSet, depth, times)
		case *ast.FragmentSpread:
			w.selection(one.Definition.SelectionSet, depth, times)
		}
	}
}

func (w *weighing) field(one *ast.Field, depth, times int) {
	cost := 1
	switch {
	case strings.HasPrefix(one.Name, "__") && one.Name != "__typename":
		w.fault = gqlerror.ErrorPosf(one.Position, "there is no introspection")
		return
	case depth > w.limits.MaxDepth:
		w.fault = gqlerror.ErrorPosf(one.Position, "the query is nested deeper than %d", w.limits.MaxDepth)
		return
	case w.asks(one):
		cost = partCost
	}
	if w.cost += cost * times; w.cost > w.limits.MaxCost {
		w.fault = gqlerror.ErrorPosf(one.Position, "the query costs more than %d", w.limits.MaxCost)
		return
	}
	if one.Definition != nil && one.Definition.Type.Elem != nil {
		times *= w.length(one)
	}
	w.selection(one.SelectionSet, depth+1, min(times, w.limits.MaxCost+1))
}

// asks tells whether a part may be asked for a field.
func (w *weighing) asks(one *ast.Field) bool {
	def := one.ObjectDefinition
	for _, possible := range append(slices.Clip(w.schema.PossibleTypes[def.Name]), def) {
		if w.parts[possible.Name+"."+one.Name] != nil {
			return true
		}
	}
	return false
}

// length is how long a list will be, as far as the query says so.
func (w *weighing) length(one *ast.Field) int {
	for _, name := range []string{"first", "limit"} {
		a := one.Arguments.ForName(name)
		if a == nil {
			continue
		}
		if v, err := a.Value.Value(w.variables); err == nil && v != nil {
			if n, err := strconv.ParseInt(fmt.Sprint(v), 10, 64); err == nil && n > 0 {
				return int(min(n, int64(w.limits.MaxCost)+1))
			}
		}
	}
	return w.limits.ListSize
}
