package rule

import (
	"net/netip"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
)

// The matchers that look beyond host and path.
type (
	method       string
	header       struct{ key, value string }
	headerRegexp struct {
		key string
		re  *regexp.Regexp
	}
	query       struct{ key, value string }
	queryRegexp struct {
		key string
		re  *regexp.Regexp
	}
	clientIP struct{ prefix netip.Prefix }
)

func (m method) match(q *Request) bool { return q.HTTP.Method == string(m) }

func (h header) match(q *Request) bool { return slices.Contains(q.HTTP.Header[h.key], h.value) }

func (h headerRegexp) match(q *Request) bool {
	return slices.ContainsFunc(q.HTTP.Header[h.key], h.re.MatchString)
}

func (m query) match(q *Request) bool {
	for _, p := range q.parameters() {
		if p.key == m.key && p.value == m.value {
			return true
		}
	}
	return false
}

func (m queryRegexp) match(q *Request) bool {
	for _, p := range q.parameters() {
		if p.key == m.key && m.re.MatchString(p.value) {
			return true
		}
	}
	return false
}

func (c clientIP) match(q *Request) bool { return c.prefix.Contains(q.peer()) }

func (method) cost() cost       { return costCompare }
func (header) cost() cost       { return costMap }
func (headerRegexp) cost() cost { return costRegexp + costMap }
func (query) cost() cost        { return costQuery }
func (queryRegexp) cost() cost  { return costRegexp + costQuery }
func (clientIP) cost() cost     { return costIP }

func buildMethod(arg argument) (node, *Error) { return method(strings.ToUpper(arg.text)), nil }

func buildHeader(args []argument) (node, *Error) {
	return header{key: textproto.CanonicalMIMEHeaderKey(args[0].text), value: args[1].text}, nil
}

func buildHeaderRegexp(args []argument) (node, *Error) {
	re, err := compile(args[1], args[1].text)
	if err != nil {
		return nil, err
	}
	return headerRegexp{key: textproto.CanonicalMIMEHeaderKey(args[0].text), re: re}, nil
}

// buildQuery reads a lone key as one that is present with an empty value.
func buildQuery(args []argument) (node, *Error) {
	if len(args) == 1 {
		return query{key: args[0].text}, nil
	}
	return query{key: args[0].text, value: args[1].text}, nil
}

func buildQueryRegexp(args []argument) (node, *Error) {
	if len(args) == 1 {
		return buildQuery(args)
	}
	re, err := compile(args[1], args[1].text)
	if err != nil {
		return nil, err
	}
	return queryRegexp{key: args[0].text, re: re}, nil
}

func buildClientIP(arg argument) (node, *Error) {
	prefix, err := netip.ParsePrefix(arg.text)
	if err != nil {
		addr, err := netip.ParseAddr(arg.text)
		if err != nil || addr.Zone() != "" {
			return nil, errorAt(arg.offset, "ClientIP takes an address or a CIDR range such as `10.0.0.0/8`, not %s", quote(arg.text))
		}
		prefix = netip.PrefixFrom(addr, addr.BitLen())
	}
	return clientIP{unmap(prefix).Masked()}, nil
}

// unmap turns a range of IPv4 addresses in IPv6 form into the range itself.
func unmap(p netip.Prefix) netip.Prefix {
	const mapped = 96
	if p.Addr().Is4In6() && p.Bits() >= mapped {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
	}
	return p
}
