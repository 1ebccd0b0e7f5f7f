// Package claims looks into what tokens say: JSON objects whose members are named by paths
// with dots, as in "realm_access.roles".
package claims

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// Lookup returns the claim that a path names, or nil. A name that has dots itself, as
// "https://shop.example/roles", is found as well: whole names go before parts.
func Lookup(claims map[string]any, path string) any {
	if v, ok := claims[path]; ok {
		return v
	}
	for i := range len(path) {
		if path[i] != '.' {
			continue
		}
		if inner, ok := claims[path[:i]].(map[string]any); ok {
			if v := Lookup(inner, path[i+1:]); v != nil {
				return v
			}
		}
	}
	return nil
}

// Texts are the values of a claim: one, or those of a list. What is neither text, number
// nor boolean is left out.
func Texts(v any) []string {
	if list, ok := v.([]any); ok {
		var texts []string
		for _, v := range list {
			if text, ok := Text(v); ok {
				texts = append(texts, text)
			}
		}
		return texts
	}
	if text, ok := Text(v); ok {
		return []string{text}
	}
	return nil
}

// Words are the values of a claim that is a list, or a text with spaces between them as
// scopes are (RFC 8693, section 4.2).
func Words(v any) []string {
	if text, ok := v.(string); ok {
		return strings.Fields(text)
	}
	return Texts(v)
}

// Has tells whether a claim has a value, or is a list that has it.
func Has(v any, value string) bool { return slices.Contains(Texts(v), value) }

// Text is a claim as text, if it is a text, a number or a boolean.
func Text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case json.Number:
		return v.String(), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}
