package schema

import (
	"encoding/json"
	"strconv"
	"strings"
)

// longestNumber and farthest bound the digits and the exponent of numbers. They are compared exactly, as fractions: one with an
// exponent of a million would be a text of a megabyte each time that it is looked at.
const (
	longestNumber = 400
	farthest      = 400
)

// unwieldy finds a number that is too long, or too far from 1, by its place.
func unwieldy(v any) (place []string, found bool) {
	switch v := v.(type) {
	case json.Number:
		return nil, tooFar(string(v))
	case map[string]any:
		for name, member := range v {
			if place, found := unwieldy(member); found {
				return append([]string{name}, place...), true
			}
		}
	case []any:
		for i, item := range v {
			if place, found := unwieldy(item); found {
				return append([]string{strconv.Itoa(i)}, place...), true
			}
		}
	}
	return nil, false
}

func tooFar(number string) bool {
	if len(number) > longestNumber {
		return true
	}
	at := strings.IndexAny(number, "eE")
	if at < 0 {
		return false
	}
	exponent, err := strconv.Atoi(number[at+1:])
	return err != nil || exponent > farthest || exponent < -farthest
}
