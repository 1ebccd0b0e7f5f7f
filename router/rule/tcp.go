package rule

import (
	"slices"
	"strings"
)

// Rules about connections that are no HTTP. In a Request, Host is the name that the client asks for in TLS, empty if it
// names none, and Protocols are those that it offers.
var (
	tcpV3 = newSyntax([]matcher{
		{"HostSNI", 1, 1, one(buildHostSNI)},
		{"HostSNIRegexp", 1, 1, one(buildHostSNIRegexp)},
		{"ClientIP", 1, 1, one(buildClientIP)},
		{"ALPN", 1, 1, one(buildALPN)},
	})
	tcpV2 = newSyntax([]matcher{
		{"HostSNI", 1, 0, anyOf(buildHostSNI)},
		{"HostSNIRegexp", 1, 0, anyOf(buildHostSNITemplate)},
		{"ClientIP", 1, 0, anyOf(buildClientIP)},
		{"ALPN", 1, 0, anyOf(buildALPN)},
	})
)

// ParseTCP reads a rule about connections.
func ParseTCP(s string) (*Rule, error) { return parse(s, tcpV3) }

// ParseTCPV2 reads a rule about connections in the syntax of Traefik v2.
func ParseTCPV2(s string) (*Rule, error) { return parse(s, tcpV2) }

// AnyHost tells whether a rule takes connections whatever name they are for: it names none, or all.
func (r *Rule) AnyHost() bool {
	return slices.ContainsFunc(r.Alternatives(), func(a Alternative) bool { return a.HostKind == AnyHost })
}

// OnlyAnyHost tells whether a rule is HostSNI(`*`) alone.
func (r *Rule) OnlyAnyHost() bool {
	_, only := r.root.(hostAny)
	return only
}

type alpn string

func (a alpn) match(q *Request) bool { return slices.Contains(q.Protocols, string(a)) }
func (alpn) cost() cost              { return costCompare }

// buildALPN refuses the protocol by which authorities look whether a name is ours (RFC 8737): those connections are
// answered before any rule.
func buildALPN(arg argument) (node, *Error) {
	if arg.text == "acme-tls/1" {
		return nil, errorAt(arg.offset, "ALPN cannot be %s: certificate resolvers answer it", quote(arg.text))
	}
	return alpn(arg.text), nil
}

func buildHostSNI(arg argument) (node, *Error) {
	if err := checkHost("HostSNI", arg); err != nil {
		return nil, err
	}
	if strings.ContainsAny(arg.text, "/: ") {
		return nil, errorAt(arg.offset, "HostSNI takes a name, and %s is none", quote(arg.text))
	}
	switch name := ruleHost(arg.text); {
	case name == "*":
		return hostAny{}, nil
	case strings.HasPrefix(name, "*."):
		return hostWildcard(name[1:]), nil
	case strings.Contains(name, "*"):
		return nil, errorAt(arg.offset, "HostSNI takes a star as the first label only, not %s", quote(arg.text))
	default:
		return host(name), nil
	}
}

func buildHostSNIRegexp(arg argument) (node, *Error) {
	if err := checkHost("HostSNIRegexp", arg); err != nil {
		return nil, err
	}
	re, err := compile(arg, arg.text)
	if err != nil {
		return nil, err
	}
	return hostRegexp{re}, nil
}

// buildHostSNITemplate reads the templates of v2, as in {sub:[a-z]+}.example.com.
func buildHostSNITemplate(arg argument) (node, *Error) { return buildHostTemplate(arg) }
