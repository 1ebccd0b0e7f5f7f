package decode

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/traefik/paerser/types"
)

var (
	durationType   = reflect.TypeFor[types.Duration]()
	goDurationType = reflect.TypeFor[time.Duration]()
)

// checkValue checks that paerser will accept value for a plain type, and returns
// the form to hand on. Its errors name what is expected in the operator's words.
func checkValue(t reflect.Type, value string) (string, error) {
	var err error
	switch t.Kind() {
	case reflect.String:
		return value, nil
	case reflect.Bool:
		if _, err = strconv.ParseBool(value); err != nil {
			return "", fmt.Errorf("%q is neither true nor false", value)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if t == durationType || t == goDurationType {
			return checkDuration(value)
		}
		if _, err = strconv.ParseInt(value, 10, t.Bits()); err != nil {
			return "", fmt.Errorf("%q is not a whole number%s", value, rangeHint(err))
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if _, err = strconv.ParseUint(value, 10, t.Bits()); err != nil {
			return "", fmt.Errorf("%q is not a whole number from 0%s", value, rangeHint(err))
		}
	case reflect.Float32, reflect.Float64:
		if _, err = strconv.ParseFloat(value, t.Bits()); err != nil {
			return "", fmt.Errorf("%q is not a number", value)
		}
	default:
		return "", fmt.Errorf("values of type %s cannot be written here", t)
	}
	return value, nil
}

func rangeHint(err error) string {
	if strings.HasSuffix(err.Error(), strconv.ErrRange.Error()) {
		return " that fits here"
	}
	return ""
}

func checkDuration(value string) (string, error) {
	if n, err := strconv.ParseInt(value, 10, 64); err == nil {
		if n > int64(1<<63-1)/int64(time.Second) || n < -(int64(1<<63-1)/int64(time.Second)) {
			return "", fmt.Errorf("%q seconds is too long a time", value)
		}
		return value, nil
	}
	if _, err := time.ParseDuration(value); err != nil {
		return "", fmt.Errorf("%q is not a duration like 10s, 1m30s or 500ms", value)
	}
	return value, nil
}

// encodeList writes a plain list as the value of a node. Lists from files carry
// a mark and a kind in front (paerser's form), so that a list of one element and
// a single value stay different.
func encodeList(values []string, separator string) string {
	if separator != listMark {
		return strings.Join(values, separator)
	}
	if len(values) == 0 {
		return ""
	}
	return listMark + strconv.Itoa(int(reflect.String)) + listMark + strings.Join(values, listMark)
}

// splitList is the opposite of encodeList. head is what stands before the first
// element of a list from a file; it is empty for a single value.
func splitList(value, separator string) (values []string, head string) {
	if separator != listMark {
		if value == "" {
			return nil, ""
		}
		return strings.Split(value, separator), ""
	}
	rest, ok := strings.CutPrefix(value, listMark)
	if !ok {
		if value == "" {
			return nil, ""
		}
		return strings.Split(value, ","), ""
	}
	kind, list, ok := strings.Cut(rest, listMark)
	if !ok {
		return nil, ""
	}
	return strings.Split(list, listMark), listMark + kind + listMark
}

// shown is a value from a file as it is shown to the operator.
func shown(value string) string {
	if _, head := splitList(value, listMark); head != "" {
		return "a list"
	}
	return strconv.Quote(value)
}
