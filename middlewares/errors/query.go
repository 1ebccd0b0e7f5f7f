package errors

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"fairway/internal/headername"
	"fairway/internal/nearest"
)

// query is the path, with its query, of a page, with words in braces that stand for what
// is known of a response.
type query string

// placeholders are the words.
var placeholders = []string{"status", "originalStatus", "url"}

// newQuery reads the option; it says why none of its pages could be asked for.
func newQuery(text string) (query, error) {
	q := query("/" + strings.TrimPrefix(text, "/"))
	for rest := string(q); ; {
		_, after, found := strings.Cut(rest, "{")
		if !found {
			break
		}
		word, behind, closed := strings.Cut(after, "}")
		if !closed {
			return "", fmt.Errorf("query: {%s has no end", after)
		}
		if near, known := placeholder(word); !known {
			return "", fmt.Errorf("query: {%s} stands for nothing; %s", word, near)
		}
		rest = behind
	}
	sample := q.target(500, 500, "/")
	if _, err := url.PathUnescape(sample); err != nil {
		return "", fmt.Errorf("query: %q is no path: %w", text, err)
	}
	if strings.ContainsAny(sample, " \t") || !headername.ValidValue(sample) {
		return "", fmt.Errorf("query: %q is no path: blanks and control characters are written as %%20 and the like", text)
	}
	if _, err := url.ParseRequestURI(sample); err != nil {
		return "", fmt.Errorf("query: %q is no path: %w", text, errors.Unwrap(err))
	}
	return q, nil
}

// placeholder tells whether a word is one, or which ones there are.
func placeholder(word string) (near string, known bool) {
	if slices.Contains(placeholders, word) {
		return "", true
	}
	if near := nearest.Name(word, placeholders); near != "" {
		return "did you mean {" + near + "}?", false
	}
	return "there are {" + strings.Join(placeholders, "}, {") + "}", false
}

// target is what is asked for.
func (q query) target(status, original int, uri string) string {
	return strings.NewReplacer(
		"{status}", strconv.Itoa(status), "{originalStatus}", strconv.Itoa(original), "{url}", url.QueryEscape(uri),
	).Replace(string(q))
}
