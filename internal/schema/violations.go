package schema

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"fairway/internal/jq"
)

// Violation is one thing that is not as the schema says, by the place in the body as a JSON Pointer
// (RFC 6901). Values of the body are not repeated: they may be secret.
type Violation struct {
	Detail  string `json:"detail"`
	Pointer string `json:"pointer"`
	// In is where it is if not in the body: path, query, header or cookie; Name is what it is called there.
	In   string `json:"in,omitempty"`
	Name string `json:"name,omitempty"`
}

func (v Violation) String() string {
	place := v.Pointer
	if v.In != "" {
		place = strings.TrimSpace(v.In+" "+v.Name) + place
	}
	if place == "" {
		return v.Detail
	}
	return place + ": " + v.Detail
}

const (
	deepest = 128
	// mostNamed is how many violations are told of one body.
	mostNamed = 50
	// mostCollected is how many are looked for, to name those that come first.
	mostCollected = 1000
	// mostNames is how many names are told in one violation.
	mostNames = 10
	// longestText bounds what is told of one violation, and where, in bytes, and longestName a name in it: clients
	// choose what properties are called.
	longestText, longestName = 1000, 80
)

// Check finds what of JSON text is not as the schema says.
func (s *Schema) Check(text []byte) []Violation {
	v, found := Read(text)
	if found != nil {
		return found
	}
	return s.CheckValue(v)
}

// Read reads JSON text, for CheckValue; numbers stay as they are written.
func Read(text []byte) (any, []Violation) {
	if err := jq.Shallow(text, deepest); err != nil {
		return nil, []Violation{{Detail: err.Error()}}
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, []Violation{{Detail: "it is no JSON"}}
	}
	return v, nil
}

// CheckValue finds what of a value of JSON is not as the schema says.
func (s *Schema) CheckValue(v any) (found []Violation) {
	if place, is := unwieldy(v); is {
		return []Violation{{Detail: "the number is too long, or too far from 1", Pointer: pointer(place)}}
	}
	defer func() { // a mistake in the library costs one request
		if recover() != nil {
			found = []Violation{{Detail: "it cannot be compared with its schema"}}
		}
	}()
	err := s.compiled.Validate(v)
	if err == nil {
		return nil
	}
	failed, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return []Violation{{Detail: "it cannot be compared with its schema"}}
	}
	collect(failed, &found)
	return sorted(found)
}

// sorted puts violations into the order of their places, and of what is wrong there: validation goes
// through objects in no order.
func sorted(found []Violation) []Violation {
	slices.SortFunc(found, func(a, b Violation) int {
		return cmp.Or(strings.Compare(a.Pointer, b.Pointer), strings.Compare(a.Detail, b.Detail))
	})
	return found[:min(len(found), mostNamed)]
}

// collect takes the leaves: what is above only says that something below is wrong.
func collect(e *jsonschema.ValidationError, into *[]Violation) {
	if len(*into) == mostCollected {
		return
	}
	if len(e.Causes) > 0 {
		for _, cause := range e.Causes {
			collect(cause, into)
		}
		return
	}
	*into = append(*into, Violation{Detail: say(e), Pointer: pointer(e.InstanceLocation)})
}

var english = message.NewPrinter(language.English)

// say is what is wrong, without the value.
func say(e *jsonschema.ValidationError) string {
	words := strings.Join(e.ErrorKind.KeywordPath(), "/")
	switch words {
	case "pattern", "format", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "contentEncoding", "contentMediaType":
		return "is not as " + words + " says"
	}
	switch too := e.ErrorKind.(type) {
	case *kind.FalseSchema:
		return "nothing is allowed here"
	case *kind.AdditionalProperties:
		names := slices.Sorted(slices.Values(too.Properties))
		more := ""
		if n := len(names) - mostNames; n > 0 {
			names, more = names[:mostNames], fmt.Sprintf(", and %d more", n)
		}
		for i, name := range names {
			names[i] = clip(name, longestName)
		}
		return (&kind.AdditionalProperties{Properties: names}).LocalizedString(english) + more
	case *kind.PropertyNames:
		return (&kind.PropertyNames{Property: clip(too.Property, longestName)}).LocalizedString(english)
	}
	return clip(e.ErrorKind.LocalizedString(english), longestText)
}

// pointer is where it is; of a long one, the beginning.
func pointer(path []string) string {
	var b strings.Builder
	for _, name := range path {
		b.WriteByte('/')
		b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(clip(name, longestText)))
		if b.Len() > longestText {
			return clip(b.String(), longestText)
		}
	}
	return b.String()
}

// clip ends a text that is too long.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
