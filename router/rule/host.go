package rule

import (
	"regexp"
	"strings"
)

// CleanHost turns the Host of a request into the form rules compare with:
// without port, brackets of an IPv6 address and one trailing dot, and with
// ASCII letters in lower case. It allocates only to change a letter.
func CleanHost(hostport string) string {
	h := hostport
	if strings.HasPrefix(h, "[") {
		if end := strings.IndexByte(h, ']'); end > 0 && (end+1 == len(h) || h[end+1] == ':') {
			h = h[1:end]
		}
	} else if colon := strings.IndexByte(h, ':'); colon >= 0 && strings.IndexByte(h[colon+1:], ':') < 0 {
		h = h[:colon]
	}
	return asciiLower(strings.TrimSuffix(h, "."))
}

// asciiLower leaves other letters alone: Unicode folding would let a foreign
// letter, such as the Kelvin sign, pass for an ASCII one.
func asciiLower(s string) string {
	for i := range len(s) {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'A' <= b[i] && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

type (
	host         string // the whole host
	hostWildcard string // ".x.example": one label before it
	hostAny      struct{}
	hostRegexp   struct{ re *regexp.Regexp }
)

func (h host) match(q *Request) bool         { return q.Host == string(h) }
func (h hostWildcard) match(q *Request) bool { return underWildcard(q.Host, string(h)) }
func (hostAny) match(*Request) bool          { return true }
func (h hostRegexp) match(q *Request) bool   { return h.re.MatchString(q.Host) }

func (host) cost() cost         { return costCompare }
func (hostWildcard) cost() cost { return costCompare }
func (hostAny) cost() cost      { return 0 }
func (hostRegexp) cost() cost   { return costRegexp }

// underWildcard reports whether exactly one label precedes the suffix.
func underWildcard(name, suffix string) bool {
	label := len(name) - len(suffix)
	return label > 0 && name[label:] == suffix && strings.IndexByte(name[:label], '.') < 0
}

func buildHost(arg argument) (node, *Error) {
	if err := checkHost("Host", arg); err != nil {
		return nil, err
	}
	if err := checkHostShape(arg); err != nil {
		return nil, err
	}
	switch name := ruleHost(arg.text); {
	case name == "*":
		return hostAny{}, nil
	case strings.HasPrefix(name, "*."):
		return hostWildcard(name[1:]), nil
	default:
		return host(name), nil
	}
}

// buildHostV2 knows no wildcards: the v2 syntax compares a star as it is.
func buildHostV2(arg argument) (node, *Error) {
	if err := checkHost("Host", arg); err != nil {
		return nil, err
	}
	return host(ruleHost(arg.text)), nil
}

func buildHostRegexp(arg argument) (node, *Error) {
	if err := checkHost("HostRegexp", arg); err != nil {
		return nil, err
	}
	if err := checkTemplate("HostRegexp", arg); err != nil {
		return nil, err
	}
	re, err := compile(arg, arg.text)
	if err != nil {
		return nil, err
	}
	return hostRegexp{re}, nil
}

// ruleHost cleans the host of a rule like that of a request. A port, which only
// the v2 syntax lets through, is kept: a request has none left.
func ruleHost(s string) string {
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		s = s[1 : len(s)-1]
	}
	return asciiLower(strings.TrimSuffix(s, "."))
}

func checkHost(name string, arg argument) *Error {
	if isASCII(arg.text) {
		return nil
	}
	if name == "Host" {
		if p, ok := punycode(arg.text); ok {
			return errorAt(arg.offset, "Host takes ASCII only; write %s in its punycode form, Host(`%s`)", arg.text, p)
		}
	}
	return errorAt(arg.offset, "%s takes ASCII only; write %q in its punycode form", name, arg.text)
}

// compile reads the regular expression built from an argument.
func compile(arg argument, expr string) (*regexp.Regexp, *Error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, errorAt(arg.offset, "the argument %s is no regular expression: %s", quote(arg.text),
			strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return re, nil
}
