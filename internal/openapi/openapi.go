// Package openapi reads OpenAPI documents (3.0, 3.1 and 3.2) and compares requests and responses with what they
// say: paths and methods, parameters, bodies, statuses and headers.
//
// A document becomes two trees of JSON Schema 2020-12, one as requests have it and one as responses have it, for
// properties that are readOnly need not be sent, and those that are writeOnly need not be answered. The operations
// are found by an index of their paths, and have their schemas compiled from the trees. A document is read at
// once and never changes; what it refers to has to be in itself.
package openapi

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"fairway/internal/jsontree"
	"fairway/internal/schema"
)

// MostBytes is how long a document may be.
const MostBytes = 4 << 20

const (
	mostOperations = 2000
	mostRefs       = 16 // that lead to each other
)

// Document is one, read.
type Document struct {
	bases      []string // paths below which those of the document stand, the longest first; "" is the root
	paths      *node
	operations int
}

// Options say how a document is read.
type Options struct {
	// Location is the path where it was found, which its servers may be relative to. Empty: /.
	Location string
	// BasePath is what its paths stand below, in place of the paths of its servers. Empty: they count.
	BasePath string
}

// Operations is how many it has.
func (d *Document) Operations() int { return d.operations }

// Read reads a document, which is JSON or YAML. Errors tell the place.
func Read(text []byte, o Options) (*Document, error) {
	root, err := jsontree.Read(text, MostBytes)
	if err != nil {
		return nil, err
	}
	old, err := version(root)
	if err != nil {
		return nil, err
	}
	b := &builder{root: root, options: o, into: &Document{paths: &node{}}}
	if b.requests, err = schema.In(asSchemas(root, old, true)); err != nil {
		return nil, err
	}
	if b.responses, err = schema.In(asSchemas(root, old, false)); err != nil {
		return nil, err
	}
	if err := b.build(); err != nil {
		return nil, err
	}
	return b.into, nil
}

var knownVersion = regexp.MustCompile(`^3\.([0-2])(\.\d+)?(-[\w.]+)?$`)

// version tells whether the schemas are of before JSON Schema 2020-12, as those of OpenAPI 3.0.
func version(root map[string]any) (old bool, err error) {
	text, _ := root["openapi"].(string)
	m := knownVersion.FindStringSubmatch(text)
	switch dialect, _ := root["jsonSchemaDialect"].(string); {
	case root["swagger"] != nil:
		return false, errors.New("/swagger: this is a document of OpenAPI 2, and 3.0, 3.1 and 3.2 can be read")
	case m == nil:
		return false, fmt.Errorf("/openapi: %q is none of the versions 3.0, 3.1 and 3.2", text)
	case m[1] != "0" && dialect != "" && !knownDialect(dialect):
		return false, fmt.Errorf("/jsonSchemaDialect: %q is not known", dialect)
	}
	return m[1] == "0", nil
}

func knownDialect(uri string) bool {
	return strings.HasPrefix(uri, "https://spec.openapis.org/oas/3.") || uri == "https://json-schema.org/draft/2020-12/schema"
}

// Bases are the paths of servers, the longest first: of URLs that may be relative and have variables in braces.
func Bases(servers any, location string) ([]string, error) {
	list, _ := servers.([]any)
	if len(list) == 0 {
		return []string{""}, nil
	}
	var bases []string
	for i, s := range list {
		server, _ := s.(map[string]any)
		text, _ := server["url"].(string)
		variables, _ := server["variables"].(map[string]any)
		for name, v := range variables {
			variable, _ := v.(map[string]any)
			value, _ := variable["default"].(string)
			text = strings.ReplaceAll(text, "{"+name+"}", value)
		}
		at := &url.URL{Path: "/" + strings.TrimPrefix(location, "/")}
		u, err := at.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("/servers/%d/url: %q is no URL", i, text)
		}
		if base := strings.TrimRight(u.Path, "/"); !slices.Contains(bases, base) {
			bases = append(bases, base)
		}
	}
	slices.SortFunc(bases, func(a, b string) int { return len(b) - len(a) })
	return bases, nil
}
