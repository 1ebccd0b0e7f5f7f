package openapi

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// follow goes from an object to the one that it refers to, if it does, and tells where that is.
func follow(root map[string]any, v any, place string) (map[string]any, string, error) {
	for range mostRefs {
		object, is := v.(map[string]any)
		if !is {
			return nil, place, fmt.Errorf("%s: there is no object", place)
		}
		ref, is := object["$ref"].(string)
		if !is {
			return object, place, nil
		}
		next, at, err := lookUp(root, ref)
		if err != nil {
			return nil, place, fmt.Errorf("%s/$ref: %q %w", place, ref, err)
		}
		v, place = next, at
	}
	return nil, place, fmt.Errorf("%s: it refers to itself, or there are too many references", place)
}

// lookUp finds what a reference is about, a JSON Pointer (RFC 6901) into the document.
func lookUp(root map[string]any, ref string) (any, string, error) {
	fragment, is := strings.CutPrefix(ref, "#")
	if !is {
		return nil, "", errors.New("is not in the document itself")
	}
	place, err := url.PathUnescape(fragment)
	if err != nil || place != "" && place[0] != '/' {
		return nil, "", errors.New("is no JSON Pointer")
	}
	var v any = root
	for name := range strings.SplitSeq(strings.TrimPrefix(place, "/"), "/") {
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
		switch of := v.(type) {
		case map[string]any:
			v = of[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(of) {
				return nil, "", errors.New("leads nowhere")
			}
			v = of[i]
		default:
			return nil, "", errors.New("leads nowhere")
		}
	}
	if v == nil {
		return nil, "", errors.New("leads nowhere")
	}
	return v, place, nil
}
