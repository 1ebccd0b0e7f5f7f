package aggregate

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"

	"fairway/internal/fieldset"
	"fairway/internal/jq"
	"fairway/internal/nearest"
	"fairway/internal/requestvalues"
	"fairway/internal/texts"
)

// Variant is the answer's shape for some of the clients: phones, partners, a version of an app.
type Variant struct {
	// Parts that the answer has. Those that they need are asked for, too. Default: all.
	Parts []string `json:"parts,omitempty"`
	// Values that templates have as {variant.pageSize}, and expressions as .variant.pageSize.
	Values map[string]string `json:"values,omitempty"`
	// Fields of the answer: names with dots between them, as in user.name. Default: all.
	Fields []string `json:"fields,omitempty"`
	// Result is an expression that makes the answer, in the place of the one for all.
	Result string `json:"result,omitempty"`
	// Template writes the answer, in the place of what makes the one for all.
	Template string `json:"template,omitempty"`
	// ContentType of what Template writes. Default: application/json.
	ContentType string `json:"contentType,omitempty"`
}

// Fields lets clients choose what they need.
type Fields struct {
	// Parameter of the query that names them: ?fields=id,user.name. Parts that nothing is wanted of are
	// not asked for. A name that does not exist among those allowed gets 400. Default: fields.
	Parameter string `json:"parameter,omitempty"`
	// Allow lists the fields that there are for clients; others are in no answer, whether
	// they are asked for or not. Default: all.
	Allow []string `json:"allow,omitempty"`
	// Default is what a client gets that chooses nothing. Default: all that is allowed.
	Default []string `json:"default,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (c *Fields) SetDefaults() { c.Parameter = "fields" }

// variant is one of them, ready.
type variant struct {
	name     string
	ask      []bool // by part: it is asked for
	show     []bool // by part: it is in the answer
	values   map[string]any
	fields   fieldset.Set // nil: all
	result   *jq.Expression
	document *document
}

// shape is what an answer looks like for a request.
type shape struct {
	*variant
	fields fieldset.Set // nil: all
	ask    []bool
}

// choice is a list of fields that clients choose from.
type choice struct {
	parameter         string
	allowed, standard fieldset.Set
}

func (c *Fields) build() (*choice, error) {
	if c.Parameter == "" {
		return nil, errors.New("parameter: has no name")
	}
	out := &choice{parameter: c.Parameter}
	var err error
	if out.allowed, err = fieldset.Parse(c.Allow...); err != nil {
		return nil, fmt.Errorf("allow: %w", err)
	}
	if out.standard, err = fieldset.Parse(c.Default...); err != nil {
		return nil, fmt.Errorf("default: %w", err)
	}
	if out.standard, err = out.standard.Within(out.allowed); err != nil {
		return nil, fmt.Errorf("default: %w", err)
	}
	return out, nil
}

// of is what a request to a variant asks for.
func (c *choice) of(v *variant, query url.Values) (fieldset.Set, error) {
	if c == nil {
		return v.fields, nil
	}
	wanted, err := fieldset.Parse(query[c.parameter]...)
	switch {
	case err != nil:
		return nil, err
	case wanted == nil && v.fields != nil:
		return v.fields, nil
	case wanted == nil:
		return c.standard, nil
	}
	if wanted, err = wanted.Within(c.allowed); err != nil {
		return nil, err
	}
	return wanted.Within(v.fields)
}

// variants reads those of the configuration, when the parts have their plan.
func (s *service) readVariants(c *Config) error {
	for _, text := range c.VariantBy {
		t, err := sources.New(text)
		if err != nil {
			return fmt.Errorf("variantBy: %w", err)
		}
		s.variantBy = append(s.variantBy, t)
		s.vary = append(s.vary, requestvalues.Vary(t)...)
	}
	if (len(c.Variants) > 0) != (len(c.VariantBy) > 0) {
		return errors.New("variants, variantBy: only one of them is given")
	}
	s.whole = &variant{ask: slices.Repeat([]bool{true}, len(s.parts)), show: slices.Repeat([]bool{true}, len(s.parts)), values: map[string]any{"name": ""}, result: s.result, document: s.written}
	if err := s.mentions(s.whole); err != nil {
		return err
	}
	s.variants = map[string]*variant{}
	for _, name := range slices.Sorted(maps.Keys(c.Variants)) {
		v, err := s.readVariant(name, c.Variants[name])
		if err != nil {
			return fmt.Errorf("variants.%s.%w", name, err)
		}
		s.variants[name] = v
	}
	return s.readFields(c)
}

// readFields reads what clients may choose, and looks whether variants keep to it.
func (s *service) readFields(c *Config) (err error) {
	if c.Fields != nil {
		if c.Stream != "" {
			return errors.New("fields: an answer that is sent as it comes has all of them")
		}
		if s.written != nil {
			return errors.New("fields: an answer that a template writes has all of them")
		}
		if s.fields, err = c.Fields.build(); err != nil {
			return fmt.Errorf("fields.%w", err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.variants)) {
		v := s.variants[name]
		switch {
		case v.document != nil && (v.fields != nil || s.fields != nil):
			return fmt.Errorf("variants.%s.template: what it writes has no fields that could be chosen; use only one of fields and template", name)
		case v.fields == nil:
		case c.Stream != "":
			err = errors.New("an answer that is sent as it comes has all of them")
		case s.fields != nil:
			v.fields, err = v.fields.Within(s.fields.allowed)
		}
		if err != nil {
			return fmt.Errorf("variants.%s.fields: %w", name, err)
		}
	}
	return nil
}

func (s *service) readVariant(name string, c *Variant) (*variant, error) {
	v := &variant{name: name, ask: s.whole.ask, show: s.whole.show, result: s.result, document: s.written, values: map[string]any{}}
	for key, text := range c.Values {
		v.values[key] = text
	}
	v.values["name"] = name
	var err error
	if v.fields, err = fieldset.Parse(c.Fields...); err != nil {
		return nil, fmt.Errorf("fields: %w", err)
	}
	if c.Result != "" {
		if s.stream != "" {
			return nil, errors.New("result: an answer that is sent as it comes has none")
		}
		if v.result, err = jq.Compile(c.Result); err != nil {
			return nil, fmt.Errorf("result: %w", err)
		}
		v.document = nil
	}
	if err := s.readDocument(v, c); err != nil {
		return nil, err
	}
	s.wantsBody = s.wantsBody || v.document != nil && v.document.Mentions("body")
	if len(c.Parts) == 0 {
		return v, s.makes(v)
	}
	names := make([]string, len(s.parts))
	for i, p := range s.parts {
		names[i] = p.name
	}
	v.show, v.ask = make([]bool, len(s.parts)), make([]bool, len(s.parts))
	for _, wanted := range c.Parts {
		at := slices.Index(names, wanted)
		if at < 0 {
			if meant := nearest.Name(wanted, names); meant != "" {
				return nil, fmt.Errorf("parts: there is no part %q; did you mean %q?", wanted, meant)
			}
			return nil, fmt.Errorf("parts: there is no part %q", wanted)
		}
		v.show[at] = true
		s.want(v.ask, at)
	}
	return v, s.makes(v)
}

// makes looks whether what makes the answer is about parts that are asked for.
func (s *service) makes(v *variant) error {
	return errors.Join(s.knows(v.result, v.ask), s.mentions(v))
}

// knows looks whether an expression is about parts that are asked for.
func (s *service) knows(result *jq.Expression, ask []bool) error {
	if result == nil {
		return nil
	}
	of, _ := result.Parts()
	for _, need := range of {
		if at := slices.IndexFunc(s.parts, func(p *part) bool { return p.name == need }); at < 0 || !ask[at] {
			return fmt.Errorf("result: there is no part %q", need)
		}
	}
	return nil
}

// want marks a part, and those that it needs.
func (s *service) want(ask []bool, at int) {
	if ask[at] {
		return
	}
	ask[at] = true
	for _, need := range s.parts[at].needs {
		s.want(ask, need)
	}
}

// shapeOf finds what the answer to a request looks like; an error: the client asks for fields that do not
// exist.
func (s *service) shapeOf(f *facts) (*shape, error) {
	out := &shape{variant: s.whole}
	for _, by := range s.variantBy {
		name, err := by.Render((&values{facts: f}).text, texts.AsItIs, false)
		if v := s.variants[name]; err == nil && v != nil {
			out.variant = v
			break
		}
	}
	f.variant = out.values
	out.ask = out.variant.ask
	var err error
	if out.fields, err = s.fields.of(out.variant, f.query); err != nil {
		return nil, err
	}
	if len(out.fields) > 0 && out.result == nil && s.merge == "object" {
		out.ask = s.needed(out)
	}
	return out, nil
}

// needed are the parts that something is wanted of, and those that they need.
func (s *service) needed(o *shape) []bool {
	ask := make([]bool, len(s.parts))
	for i, p := range s.parts {
		if o.show[i] && (p.target == nil || o.fields.Has(p.target)) {
			s.want(ask, i)
		}
	}
	return ask
}
