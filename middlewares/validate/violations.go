package validate

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"fairway/internal/jq"
)

// violation is one thing that is not as the schema says, by the place in the body as a JSON Pointer
// (RFC 6901). Values of the body are not repeated: they may be secret.
type violation struct {
	Detail  string `json:"detail"`
	Pointer string `json:"pointer"`
}

func (v violation) String() string {
	if v.Pointer == "" {
		return v.Detail
	}
	return v.Pointer + ": " + v.Detail
}

// problem is an error of the gateway's own (RFC 9457), with all violations.
type problem struct {
	Type   string      `json:"type"`
	Title  string      `json:"title"`
	Status int         `json:"status"`
	Detail string      `json:"detail"`
	Errors []violation `json:"errors"`
}

// check finds what is not as the schema says.
func (c *rule) check(text []byte) []violation {
	if err := jq.Shallow(text, deepest); err != nil {
		return []violation{{Detail: err.Error()}}
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		return []violation{{Detail: "it is no JSON"}}
	}
	err = c.schema.Validate(v)
	if err == nil {
		return nil
	}
	failed, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return []violation{{Detail: "it cannot be compared with its schema"}}
	}
	var found []violation
	collect(failed, &found)
	return sorted(found)
}

// sorted puts violations into the order of their places, and of what is wrong there: validation goes
// through objects in no order.
func sorted(found []violation) []violation {
	slices.SortFunc(found, func(a, b violation) int {
		return cmp.Or(strings.Compare(a.Pointer, b.Pointer), strings.Compare(a.Detail, b.Detail))
	})
	return found[:min(len(found), mostNamed)]
}

// collect takes the leaves: what is above only says that something below is wrong.
func collect(e *jsonschema.ValidationError, into *[]violation) {
	if len(*into) == mostCollected {
		return
	}
	if len(e.Causes) > 0 {
		for _, cause := range e.Causes {
			collect(cause, into)
		}
		return
	}
	*into = append(*into, violation{Detail: say(e), Pointer: pointer(e.InstanceLocation)})
}

var english = message.NewPrinter(language.English)

// say is what is wrong, without the value.
func say(e *jsonschema.ValidationError) string {
	words := strings.Join(e.ErrorKind.KeywordPath(), "/")
	switch words {
	case "pattern", "format", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "contentEncoding", "contentMediaType":
		return "is not as " + words + " says"
	}
	if too, is := e.ErrorKind.(*kind.AdditionalProperties); is {
		return (&kind.AdditionalProperties{Properties: slices.Sorted(slices.Values(too.Properties))}).LocalizedString(english)
	}
	return e.ErrorKind.LocalizedString(english)
}

func pointer(path []string) string {
	var b strings.Builder
	for _, name := range path {
		b.WriteByte('/')
		b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
	}
	return b.String()
}
