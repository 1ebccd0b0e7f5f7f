// Package xmljson makes values of JSON of an XML document, and a document of such values.
//
// An element is a member of its parent's object by its name as it is written, prefix and all. One that has
// only text is that text; one with attributes or elements is an object of them, where attributes begin with
// "@" and text is at "#text"; one with nothing is null. Elements of one name are a list. Comments and
// processing instructions go. The order of elements of different names is lost: an object has none.
//
// A document type is refused, and with it entities of its own (XML 1.0, section 4.2): there is nothing here
// that grows or fetches.
package xmljson

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"fairway/internal/texts"
)

const textName = "#text"

// element is one that is being read.
type element struct {
	name     string
	members  map[string]any
	text     strings.Builder
	repeated map[string]bool
}

// Read makes a value of a document, whose elements are nested no deeper than depth.
func Read(document []byte, depth int) (any, error) {
	d := xml.NewDecoder(bytes.NewReader(document))
	root := &element{}
	stack := []*element{root}
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, at(d, err.Error())
		}
		switch token := token.(type) {
		case xml.StartElement:
			if len(stack) > depth {
				return nil, at(d, fmt.Sprintf("it is nested deeper than %d", depth))
			}
			if len(stack) == 1 && len(root.members) > 0 {
				return nil, at(d, "there is a second root")
			}
			begun, err := begin(token)
			if err != nil {
				return nil, at(d, err.Error())
			}
			stack = append(stack, begun)
		case xml.EndElement:
			ended := stack[len(stack)-1]
			if len(stack) == 1 || ended.name != written(token.Name) {
				return nil, at(d, fmt.Sprintf("</%s> closes nothing", written(token.Name)))
			}
			stack = stack[:len(stack)-1]
			stack[len(stack)-1].add(ended.name, ended.value())
		case xml.CharData:
			if len(stack) == 1 && len(bytes.TrimSpace(token)) > 0 {
				return nil, at(d, "there is text outside of the root")
			}
			stack[len(stack)-1].text.Write(token)
		case xml.Directive:
			return nil, at(d, "a document type is not taken")
		}
	}
	if len(stack) > 1 {
		return nil, at(d, fmt.Sprintf("<%s> is not closed", stack[len(stack)-1].name))
	}
	if len(root.members) == 0 {
		return nil, errors.New("there is no element")
	}
	return root.members, nil
}

// at tells where a document is not as it should be.
func at(d *xml.Decoder, cause string) error {
	line, column := d.InputPos()
	return fmt.Errorf("line %d, column %d: %s", line, column, strings.TrimPrefix(cause, "XML syntax error on "))
}

func begin(token xml.StartElement) (*element, error) {
	e := &element{name: written(token.Name)}
	for _, a := range token.Attr {
		name := "@" + written(a.Name)
		if _, twice := e.members[name]; twice {
			return nil, fmt.Errorf("<%s> has %s twice", e.name, name[1:])
		}
		e.add(name, a.Value)
	}
	return e, nil
}

// written is a name as it stands in the document.
func written(n xml.Name) string {
	if n.Space != "" {
		return n.Space + ":" + n.Local
	}
	return n.Local
}

// add adds a member; the second one of a name makes a list of them.
func (e *element) add(name string, value any) {
	if e.members == nil {
		e.members = map[string]any{}
	}
	before, has := e.members[name]
	switch {
	case !has:
		e.members[name] = value
	case e.repeated[name]:
		e.members[name] = append(before.([]any), value)
	default:
		if e.repeated == nil {
			e.repeated = map[string]bool{}
		}
		e.repeated[name], e.members[name] = true, []any{before, value}
	}
}

func (e *element) value() any {
	text := strings.TrimSpace(e.text.String())
	switch {
	case len(e.members) == 0 && text == "":
		return nil
	case len(e.members) == 0:
		return text
	case text != "":
		e.members[textName] = text
	}
	return e.members
}

// Write makes a document of an object with one member, which is the root.
func Write(v any) ([]byte, error) {
	members, ok := v.(map[string]any)
	if !ok || len(members) != 1 {
		return nil, errors.New("it is no object with one member, as a document has one root")
	}
	var b bytes.Buffer
	b.WriteString(xml.Header)
	for name, value := range members {
		if _, many := value.([]any); many {
			return nil, fmt.Errorf("the root %q is a list", name)
		}
		if err := write(&b, name, value); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func write(b *bytes.Buffer, name string, value any) error {
	if !validName(name) {
		return fmt.Errorf("%q is no name of an element", name)
	}
	switch value := value.(type) {
	case []any:
		for _, one := range value {
			if _, nested := one.([]any); nested {
				return fmt.Errorf("the member %q is a list of lists", name)
			}
			if err := write(b, name, one); err != nil {
				return err
			}
		}
		return nil
	case map[string]any:
		return writeObject(b, name, value)
	case nil:
		_, err := fmt.Fprintf(b, "<%s/>", name)
		return err
	}
	text, _ := texts.Of(value)
	fmt.Fprintf(b, "<%s>", name)
	escape(b, text)
	fmt.Fprintf(b, "</%s>", name)
	return nil
}

func writeObject(b *bytes.Buffer, name string, members map[string]any) error {
	names := slices.Sorted(maps.Keys(members))
	b.WriteString("<" + name)
	for _, n := range names {
		attribute, is := strings.CutPrefix(n, "@")
		if !is {
			continue
		}
		text, ok := texts.Of(members[n])
		if !ok || !validName(attribute) {
			return fmt.Errorf("the member %q of %q is no attribute", n, name)
		}
		b.WriteString(" " + attribute + `="`)
		escape(b, text)
		b.WriteByte('"')
	}
	b.WriteByte('>')
	for _, n := range names {
		switch {
		case strings.HasPrefix(n, "@"):
		case n == textName:
			text, ok := texts.Of(members[n])
			if !ok {
				return fmt.Errorf("the member %q of %q is no text", n, name)
			}
			escape(b, text)
		default:
			if err := write(b, n, members[n]); err != nil {
				return err
			}
		}
	}
	b.WriteString("</" + name + ">")
	return nil
}

// escape writes a text; a buffer takes everything.
func escape(b *bytes.Buffer, text string) { _ = xml.EscapeText(b, []byte(text)) }

// validName tells whether a name can be written: letters, digits, and . - _ behind a letter or _, with one
// prefix at most (Namespaces in XML 1.0, section 3). That is fewer than XML has.
func validName(name string) bool {
	prefix, local, both := strings.Cut(name, ":")
	if both && !validPart(prefix) {
		return false
	}
	if !both {
		local = prefix
	}
	return validPart(local)
}

func validPart(name string) bool {
	for i, r := range name {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= 0xC0 && r != 0xD7 && r != 0xF7 && r < 0x2000
		if !letter && (i == 0 || r != '-' && r != '.' && (r < '0' || r > '9')) {
			return false
		}
	}
	return name != ""
}
