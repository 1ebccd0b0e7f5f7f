package openapi

// shape is what a schema says of the types of a value, and of what is in it: texts of parameters and forms become
// values by it. What it does not say may be anything.
type shape struct {
	types map[string]bool // none: any
	items *shape
	props map[string]*shape
}

const (
	mostNested = 8    // schemas in a schema
	mostShapes = 1000 // schemas that are looked at for one shape, which may have itself in it
)

// shapeOf reads a schema; what is alternative counts together.
func (b *builder) shapeOf(v any) *shape {
	left := mostShapes
	return b.shape(v, 0, &left)
}

func (b *builder) shape(v any, depth int, left *int) *shape {
	s := &shape{types: map[string]bool{}, props: map[string]*shape{}}
	b.addTo(s, v, depth, left)
	return s
}

func (b *builder) addTo(s *shape, v any, depth int, left *int) {
	object, _, err := follow(b.root, v, "")
	if *left--; err != nil || depth > mostNested || *left < 0 {
		return
	}
	if object["nullable"] == true {
		s.types["null"] = true
	}
	switch typ := object["type"].(type) {
	case string:
		s.types[typ] = true
	case []any:
		for _, one := range typ {
			if name, is := one.(string); is {
				s.types[name] = true
			}
		}
	}
	if object["items"] != nil {
		s.items = b.shape(object["items"], depth+1, left)
	}
	properties, _ := object["properties"].(map[string]any)
	for name, of := range properties {
		s.props[name] = b.shape(of, depth+1, left)
	}
	for _, word := range [...]string{"allOf", "anyOf", "oneOf"} {
		list, _ := object[word].([]any)
		for _, one := range list {
			b.addTo(s, one, depth+1, left)
		}
	}
}

// may tells whether a value may be of a type, as far as the shape says.
func (s *shape) may(typ string) bool {
	return s != nil && s.types[typ]
}

// item is the shape of elements.
func (s *shape) item() *shape {
	if s == nil {
		return nil
	}
	return s.items
}

// prop is the shape of a member.
func (s *shape) prop(name string) *shape {
	if s == nil {
		return nil
	}
	return s.props[name]
}
