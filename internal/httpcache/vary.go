package httpcache

import (
	"net/http"
	"slices"
	"strings"
)

// A response that says Vary answers requests only whose fields of these names are those of
// the request that it was the answer to (RFC 9111, section 4.1). Fields that mean the same
// are made the same first: blanks and several lines are of no account; Accept-Encoding is
// the set of codings that a client takes, and Accept-Language that of languages, each with
// its weight.

// mostVaried bounds the names that the variants of a URL are told apart by.
const mostVaried = 16

// VaryNames are the names that a Vary field has, in canonical form and in order. Not ok: the
// response depends on more than the request says, or on too many fields.
func VaryNames(lines []string) (names []string, ok bool) {
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			switch name = strings.TrimSpace(name); name {
			case "":
				continue
			case "*":
				return nil, false
			}
			if name = http.CanonicalHeaderKey(name); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names, len(names) <= mostVaried
}

func variesByAll(lines []string) bool {
	_, ok := VaryNames(lines)
	return !ok
}

// AppendVariant appends what tells the variant for a request from others.
func AppendVariant(dst []byte, names []string, h http.Header) []byte {
	for _, name := range names {
		dst = append(append(dst, 0), name...)
		lines, there := h[name]
		if !there || len(lines) == 0 {
			continue
		}
		dst = append(append(dst, '='), Normal(name, lines)...)
	}
	return dst
}

// Normal is the form in which the values of a field are compared.
func Normal(name string, lines []string) string {
	items := parts(lines)
	switch name {
	case "Accept-Encoding", "Accept-Language":
		items = slices.DeleteFunc(items, func(item string) bool { return item == "" })
	}
	switch name {
	case "Accept-Encoding":
		return codings(items)
	case "Accept-Language":
		for i, item := range items {
			items[i] = strings.ToLower(strings.Join(strings.Fields(strings.ReplaceAll(item, ";", " ; ")), ""))
		}
		slices.Sort(items)
		return strings.Join(slices.Compact(items), ",")
	case "Cookie", "Authorization", "User-Agent", "Origin", "Referer": // no lists
		return strings.Join(lines, ", ")
	}
	return strings.Join(items, ",")
}

// elements are those of a list, without the blanks around them. A comma in a quoted string
// ends none.
func elements(lines []string) []string {
	return slices.DeleteFunc(parts(lines), func(item string) bool { return item == "" })
}

// parts are what stands between the commas, also where that is nothing: of a field that nobody
// here knows, "a" and "a," may be two things to the service.
func parts(lines []string) (items []string) {
	for _, line := range lines {
		quoted, from := false, 0
		for i := range len(line) + 1 {
			switch {
			case i == len(line) || line[i] == ',' && !quoted:
				items = append(items, strings.Trim(line[from:i], " \t"))
				from = i + 1
			case line[i] == '"' && (i == 0 || line[i-1] != '\\'):
				quoted = !quoted
			}
		}
	}
	return items
}

// codings are those that a client takes, in order. Which of them it likes best is of no
// account: it takes each of them.
func codings(items []string) string {
	var taken []string
	for _, item := range items {
		name, parameters, _ := strings.Cut(item, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		refused := isZero(parameters)
		switch {
		case name == "x-gzip":
			name = "gzip"
		case name == "identity" && !refused:
			continue // as if it were not there
		}
		if refused {
			name += ";q=0"
		}
		taken = append(taken, name)
	}
	slices.Sort(taken)
	return strings.Join(slices.Compact(taken), ",")
}

// isZero tells whether parameters have a weight of 0.
func isZero(parameters string) bool {
	for p := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			return strings.Trim(strings.TrimSpace(value), "0.") == ""
		}
	}
	return false
}
