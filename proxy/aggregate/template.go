package aggregate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"slices"
	"strings"

	"fairway/internal/jq"
	"fairway/internal/nearest"
	"fairway/internal/tame"
)

// document is an answer that a template writes, of whatever type.
type document struct {
	*tame.Document
	contentType string
	json        bool
}

// newDocument reads a template; nil: there is none.
func newDocument(text, contentType string, bounds limits) (*document, error) {
	if text == "" {
		if contentType != "" {
			return nil, errors.New("contentType: is that of what a template writes, and there is none")
		}
		return nil, nil //nolint:nilnil // there is none, and that is no error
	}
	if contentType == "" {
		contentType = "application/json"
	}
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil || !strings.Contains(kind, "/") {
		return nil, fmt.Errorf("contentType: %q is none", contentType)
	}
	d, err := tame.New(text, tame.Kind{Name: "template", HTML: kind == "text/html" || kind == "application/xhtml+xml", Most: bounds.total})
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	return &document{d, contentType, kind == "application/json" || strings.HasSuffix(kind, "+json")}, nil
}

// readDocument reads the template of a variant, which counts in the place of what makes the answer for all.
func (s *service) readDocument(v *variant, c *Variant) error {
	p, err := newDocument(c.Template, c.ContentType, s.limits)
	switch {
	case err != nil:
		return err
	case p == nil:
		return nil
	case s.stream != "":
		return errors.New("template: an answer that is sent as it comes has none")
	case c.Result != "":
		return errors.New("only one of result and template can be given")
	}
	v.document, v.result = p, nil
	return nil
}

// known are what a template sees.
var known = []string{"request", "claims", "consumer", "parts", "variant", "client", "partial"}

// mentions looks whether a template is about what there is.
func (s *service) mentions(v *variant) error {
	if v.document == nil {
		return nil
	}
	var parts []string
	for i, p := range s.parts {
		if v.ask[i] {
			parts = append(parts, p.name)
		}
	}
	for _, path := range v.document.Paths() {
		names := path.Names
		if !slices.Contains(known, names[0]) {
			return missing("template: there is no .%s", names[0], known)
		}
		if names[0] == "parts" && len(names) > 1 && !slices.Contains(parts, names[1]) {
			return missing("template: there is no part %q", names[1], parts)
		}
	}
	return nil
}

// missing is the error about a name that there is not, with the one that may be meant.
func missing(text, name string, names []string) error {
	if meant := nearest.Name(name, names); meant != "" {
		return fmt.Errorf(text+"; did you mean %q?", name, meant)
	}
	return fmt.Errorf(text, name)
}

// write writes the answer.
func (f *run) write(ctx context.Context, more map[string]any) ([]byte, error) {
	p := f.shape.document
	f.mu.Lock()
	defer f.mu.Unlock()
	text, err := p.Write(ctx, f.input(more))
	if err != nil || !p.json {
		return text, err
	}
	if !json.Valid(text) {
		return nil, errors.New("what the template makes: it is no JSON")
	}
	if err := jq.Shallow(text, f.service.limits.depth); err != nil {
		return nil, fmt.Errorf("what the template makes: %w", err)
	}
	return text, nil
}
