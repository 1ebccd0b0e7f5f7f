package openapi

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// node is a segment of paths. What is concrete is tried before what has names in it (OpenAPI, section "Path
// Templating Matching"), at every segment, and of the latter first what has the more text beside the names.
type node struct {
	fixed map[string]*node // by the segment, decoded
	named []*named
	rest  *node // {name+}, as Amazon API Gateway has it: all segments that are left
	path  *path // of those that end here

	isRest bool
}

type named struct {
	template string
	matches  *regexp.Regexp // nil: any segment that is not empty
	literal  int            // how much of it is text
	below    *node
}

// path is a path of the document, with its operations by method.
type path struct {
	names      []string // in the braces, in their order
	operations map[string]*Operation
}

var braces = regexp.MustCompile(`\{([^{}]*)\}`)

// add puts a path into the index.
func (n *node) add(template string, all map[string]*Operation) error {
	if !strings.HasPrefix(template, "/") {
		return errors.New("it does not begin with a slash")
	}
	var names []string
	for segment := range strings.SplitSeq(template[1:], "/") {
		found := braces.FindAllStringSubmatch(segment, -1)
		for _, m := range found {
			name := strings.TrimSuffix(m[1], "+")
			if name == "" || slices.Contains(names, name) {
				return fmt.Errorf("the name %q is empty, or there twice", name)
			}
			names = append(names, name)
		}
		switch {
		case n.isRest:
			return errors.New("what has a + is the last segment")
		case len(found) == 0:
			n = n.under(segment)
		case strings.HasSuffix(segment, "+}"):
			if n.rest == nil {
				n.rest = &node{isRest: true}
			}
			n = n.rest
		default:
			n = n.beside(segment)
		}
	}
	if n.path != nil {
		return errors.New("another path is the same but for its names")
	}
	n.path = &path{names, all}
	return nil
}

func (n *node) under(segment string) *node {
	if text, err := url.PathUnescape(segment); err == nil {
		segment = text
	}
	if n.fixed == nil {
		n.fixed = map[string]*node{}
	}
	if n.fixed[segment] == nil {
		n.fixed[segment] = &node{}
	}
	return n.fixed[segment]
}

func (n *node) beside(segment string) *node {
	template := braces.ReplaceAllString(segment, "{}")
	for _, t := range n.named {
		if t.template == template {
			return t.below
		}
	}
	t := &named{template: template, literal: len(template), below: &node{}}
	if template != "{}" {
		t.matches = regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(template), `\{\}`, "(.+)") + "$")
	}
	n.named = append(n.named, t)
	slices.SortStableFunc(n.named, func(a, b *named) int { return cmp.Compare(b.literal, a.literal) })
	return t.below
}

// find returns the path and the values of its names, as they are escaped.
func (n *node) find(segments []string, values []string) (*path, []string) {
	if len(segments) == 0 {
		return n.path, values
	}
	segment, rest := segments[0], segments[1:]
	if text, err := url.PathUnescape(segment); err == nil && n.fixed[text] != nil {
		if p, found := n.fixed[text].find(rest, values); p != nil {
			return p, found
		}
	}
	if segment == "" {
		return nil, nil
	}
	for _, t := range n.named {
		own := []string{segment}
		if t.matches != nil {
			if own = t.matches.FindStringSubmatch(segment); own == nil {
				continue
			}
			own = own[1:]
		}
		if p, found := t.below.find(rest, append(slices.Clip(values), own...)); p != nil {
			return p, found
		}
	}
	if n.rest != nil {
		return n.rest.path, append(slices.Clip(values), strings.Join(segments, "/"))
	}
	return nil, nil
}

// Match is the operation of a request.
type Match struct {
	*Operation
	values map[string]string // in the path, as they are escaped
}

// Find looks for the operation of a request. Without one, methods are those that its path has; none: there is no
// such path.
func (d *Document) Find(r *http.Request) (m *Match, methods []string) {
	escaped := r.URL.EscapedPath()
	for _, base := range d.bases {
		rest, below := strings.CutPrefix(escaped, base)
		if !below || !strings.HasPrefix(rest, "/") {
			continue
		}
		p, values := d.paths.find(strings.Split(rest[1:], "/"), nil)
		if p == nil {
			continue
		}
		o := p.operations[r.Method]
		if o == nil && r.Method == http.MethodHead {
			o = p.operations[http.MethodGet] // RFC 9110, section 9.3.2
		}
		if o == nil {
			return nil, slices.Sorted(maps.Keys(p.operations))
		}
		m = &Match{Operation: o, values: map[string]string{}}
		for i, name := range p.names {
			m.values[name] = values[i]
		}
		return m, nil
	}
	return nil, nil
}
