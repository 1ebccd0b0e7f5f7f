package rule

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestMatch_Host(t *testing.T) {
	checkMatches(t, Parse, []matchCase{
		{"same host", "Host(`a.example`)", ask{host: "a.example"}, true},
		{"other host", "Host(`a.example`)", ask{host: "b.example"}, false},
		{"name below", "Host(`a.example`)", ask{host: "x.a.example"}, false},
		{"upper case in rule", "Host(`A.Example`)", ask{host: "a.example"}, true},
		{"upper case in request", "Host(`a.example`)", ask{host: "A.EXAMPLE"}, true},
		{"port of request stripped", "Host(`a.example`)", ask{host: "a.example:8080"}, true},
		{"trailing dot in request", "Host(`a.example`)", ask{host: "a.example."}, true},
		{"trailing dot and port in request", "Host(`a.example`)", ask{host: "a.example.:443"}, true},
		{"trailing dot in rule", "Host(`a.example.`)", ask{host: "a.example"}, true},
		{"two trailing dots", "Host(`a.example`)", ask{host: "a.example.."}, false},
		{"IPv6 with port", "Host(`::1`)", ask{host: "[::1]:80"}, true},
		{"IPv6 in brackets", "Host(`[::1]`)", ask{host: "[::1]"}, true},
		{"foreign letter does not fold into ASCII", "Host(`k.example`)", ask{host: "\u212a.example"}, false},
		{"wildcard takes one label", "Host(`*.example`)", ask{host: "a.example"}, true},
		{"wildcard refuses no label", "Host(`*.example`)", ask{host: "example"}, false},
		{"wildcard refuses empty label", "Host(`*.example`)", ask{host: ".example"}, false},
		{"wildcard refuses two labels", "Host(`*.example`)", ask{host: "b.a.example"}, false},
		{"wildcard ignores case", "Host(`*.EXAMPLE`)", ask{host: "A.example"}, true},
		{"wildcard with trailing dot", "Host(`*.example.`)", ask{host: "a.example"}, true},
		{"star takes every host", "Host(`*`)", ask{host: "a.example"}, true},
		{"star takes the empty host", "Host(`*`)", ask{}, true},
	})
}

func TestMatch_HostRegexp(t *testing.T) {
	checkMatches(t, Parse, []matchCase{
		{"unanchored", "HostRegexp(`ampl`)", ask{host: "a.example"}, true},
		{"a quantifier is no template", "HostRegexp(`^[a-z]{2,3}\\.x{1}$`)", ask{host: "abc.x"}, true},
		{"a class of letters is no template", "HostRegexp(`^\\p{Latin}+$`)", ask{host: "abc"}, true},
		{"anchored by the operator", "HostRegexp(`^[a-z]+\\.example$`)", ask{host: "b.a.example"}, false},
		{"tests the lower-cased host", "HostRegexp(`^a\\.example$`)", ask{host: "A.EXAMPLE:80"}, true},
		{"expression itself keeps its case", "HostRegexp(`^A`)", ask{host: "A.example"}, false},
	})
}

func TestMatch_Path(t *testing.T) {
	checkMatches(t, Parse, []matchCase{
		{"Path is exact", "Path(`/a`)", ask{path: "/a"}, true},
		{"Path is case-sensitive", "Path(`/a`)", ask{path: "/A"}, false},
		{"Path takes no more", "Path(`/a`)", ask{path: "/a/"}, false},
		{"PathPrefix takes the path itself", "PathPrefix(`/products`)", ask{path: "/products"}, true},
		{"PathPrefix takes what is below", "PathPrefix(`/products`)", ask{path: "/products/1"}, true},
		{"PathPrefix does not look at segments", "PathPrefix(`/products`)", ask{path: "/products-sale"}, true},
		{"PathPrefix refuses the shorter", "PathPrefix(`/products`)", ask{path: "/product"}, false},
		{"PathRegexp is unanchored", "PathRegexp(`\\.png$`)", ask{path: "/x/y.png"}, true},
		{"PathRegexp with braces that are escaped", "PathRegexp(`^/\\{id\\}[{a}]\\x{2d}$`)", ask{path: "/{id}a-"}, true},
		{"PathRegexp refuses", "PathRegexp(`^/\\d+$`)", ask{path: "/a1"}, false},
		{"unreserved sequences are decoded", "Path(`/a`)", ask{path: "/%61"}, true},
		{"reserved sequences stay", "Path(`/a%2Fb`)", ask{path: "/a%2fb"}, true},
		{"an encoded slash is no slash", "PathPrefix(`/a/`)", ask{path: "/a%2Fb"}, false},
	})
}

func TestMatch_MethodAndHeader(t *testing.T) {
	two := http.Header{"X-Tag": {"one", "two"}}
	checkMatches(t, Parse, []matchCase{
		{"Method", "Method(`POST`)", ask{method: "POST"}, true},
		{"Method upper-cases its argument", "Method(`post`)", ask{method: "POST"}, true},
		{"Method takes the request as it is", "Method(`POST`)", ask{method: "post"}, false},
		{"Header canonicalises the key", "Header(`x-tag`, `one`)", ask{header: two}, true},
		{"Header looks at every value", "Header(`X-Tag`, `two`)", ask{header: two}, true},
		{"Header is exact", "Header(`X-Tag`, `on`)", ask{header: two}, false},
		{"Header is case-sensitive in the value", "Header(`X-Tag`, `One`)", ask{header: two}, false},
		{"Header absent", "Header(`X-Other`, `one`)", ask{header: two}, false},
		{"HeaderRegexp is unanchored", "HeaderRegexp(`x-tag`, `w`)", ask{header: two}, true},
		{"HeaderRegexp refuses", "HeaderRegexp(`X-Tag`, `^t$`)", ask{header: two}, false},
		{"HeaderRegexp needs the header", "HeaderRegexp(`X-Other`, `.*`)", ask{header: two}, false},
	})
}

func TestMatch_Query(t *testing.T) {
	checkMatches(t, Parse, []matchCase{
		{"value equal", "Query(`k`, `v`)", ask{query: "k=v"}, true},
		{"value differs", "Query(`k`, `v`)", ask{query: "k=vv"}, false},
		{"second value", "Query(`k`, `v`)", ask{query: "k=a&k=v"}, true},
		{"decoded", "Query(`k x`, `v/`)", ask{query: "k+x=v%2F"}, true},
		{"key alone, without equals sign", "Query(`k`)", ask{query: "a=1&k"}, true},
		{"key alone, with equals sign", "Query(`k`)", ask{query: "k="}, true},
		{"key alone refuses a value", "Query(`k`)", ask{query: "k=v"}, false},
		{"key alone refuses absence", "Query(`k`)", ask{}, false},
		{"regexp unanchored", "QueryRegexp(`k`, `\\d`)", ask{query: "k=a1b"}, true},
		{"regexp any value", "QueryRegexp(`k`, `^b$`)", ask{query: "k=a&k=b"}, true},
		{"regexp refuses", "QueryRegexp(`k`, `^\\d$`)", ask{query: "k=a"}, false},
		{"regexp with a lone key is Query", "QueryRegexp(`k`)", ask{query: "k="}, true},
		{"regexp with a lone key refuses a value", "QueryRegexp(`k`)", ask{query: "k=v"}, false},
		{"bad escape does not count", "Query(`k`, `%zz`)", ask{query: "k=%zz"}, false},
		{"semicolon does not count", "Query(`k`, `v`)", ask{query: "k=v;x"}, false},
		{"beyond the bound nothing counts", "Query(`k`)", ask{query: strings.Repeat("k&", maxParameters)}, false},
	})
}

func TestMatch_ClientIP(t *testing.T) {
	forwarded := http.Header{"X-Forwarded-For": {"10.0.0.1"}}
	checkMatches(t, Parse, []matchCase{
		{"address", "ClientIP(`10.0.0.1`)", ask{remote: "10.0.0.1:5"}, true},
		{"other address", "ClientIP(`10.0.0.1`)", ask{remote: "10.0.0.2:5"}, false},
		{"range", "ClientIP(`10.1.0.0/16`)", ask{remote: "10.1.2.3:5"}, true},
		{"range with host bits", "ClientIP(`10.1.9.9/16`)", ask{remote: "10.1.2.3:5"}, true},
		{"outside of range", "ClientIP(`10.1.0.0/16`)", ask{remote: "10.2.0.0:5"}, false},
		{"IPv6", "ClientIP(`2001:db8::/32`)", ask{remote: "[2001:db8::1]:5"}, true},
		{"IPv6 peer with zone", "ClientIP(`fe80::/10`)", ask{remote: "[fe80::1%eth0]:5"}, true},
		{"IPv4 peer in IPv6 form", "ClientIP(`10.0.0.0/8`)", ask{remote: "[::ffff:10.0.0.1]:5"}, true},
		{"IPv4 range in IPv6 form", "ClientIP(`::ffff:10.0.0.0/104`)", ask{remote: "10.0.0.1:5"}, true},
		{"peer without port", "ClientIP(`10.0.0.1`)", ask{remote: "10.0.0.1"}, true},
		{"X-Forwarded-For is ignored", "ClientIP(`10.0.0.1`)", ask{remote: "10.9.9.9:5", header: forwarded}, false},
		{"unreadable peer", "ClientIP(`0.0.0.0/0`)", ask{remote: "@"}, false},
	})
}

func TestMatch_RemoteGoesBeforeRemoteAddr(t *testing.T) {
	r := mustParse(t, Parse, "ClientIP(`10.0.0.1`)")
	q := NewRequest(ask{remote: "192.0.2.9:1"}.request(t))
	q.Remote = netip.MustParseAddr("10.0.0.1")
	if !r.Match(&q) {
		t.Error("the peer set by the caller was ignored")
	}
}

func TestMatch_Operators(t *testing.T) {
	checkMatches(t, Parse, []matchCase{
		{"and binds closer than or, left", "Host(`a`) && Path(`/x`) || Host(`b`)", ask{host: "b", path: "/y"}, true},
		{"and binds closer than or, right", "Host(`b`) || Host(`a`) && Path(`/x`)", ask{host: "b", path: "/y"}, true},
		{"parentheses", "(Host(`b`) || Host(`a`)) && Path(`/x`)", ask{host: "b", path: "/y"}, false},
		{"not binds closest", "!Host(`a`) && Path(`/x`)", ask{host: "b", path: "/x"}, true},
		{"not of a group", "!(Host(`a`) || Host(`b`))", ask{host: "b"}, false},
		{"not not", "!!Host(`a`)", ask{host: "a"}, true},
		{"not with space", "! Host(`a`)", ask{host: "b"}, true},
		{"the example", "Host(`a`) && (PathPrefix(`/b`) || !Method(`GET`))", ask{host: "a", path: "/c", method: "PUT"}, true},
		{"space and newlines", "\n Host (\n`a`\n)\n\t&&\r\n Path( `/` ) ", ask{host: "a"}, true},
		{"no space", "Host(`a`)&&Path(`/`)||Host(`b`)", ask{host: "a"}, true},
		{"double quotes", `Host("a") && HeaderRegexp("X-A", "^\\d$")`, ask{host: "a", header: http.Header{"X-A": {"1"}}}, true},
		{"trailing comma, as in Go", "Header(`A`, `b`,)", ask{header: http.Header{"A": {"b"}}}, true},
		{"contradiction", "Host(`a`) && Host(`b`)", ask{host: "a"}, false},
		{"backtick keeps backslashes", "PathRegexp(`^/\\w+$`)", ask{path: "/abc"}, true},
	})
}

func TestMatch_Spellings(t *testing.T) {
	checkMatches(t, Parse, []matchCase{
		{"exact", "HostRegexp(`a`)", ask{host: "a"}, true},
		{"lower", "hostregexp(`a`)", ask{host: "a"}, true},
		{"upper", "HOSTREGEXP(`a`)", ask{host: "a"}, true},
		{"title", "Hostregexp(`a`)", ask{host: "a"}, true},
		{"title of ClientIP", "Clientip(`10.0.0.1`)", ask{remote: "10.0.0.1:1"}, true},
	})
	if _, err := Parse("hostRegexp(`a`)"); err == nil {
		t.Error("a fifth spelling was accepted")
	}
}

func TestMatchV2(t *testing.T) {
	headers := http.Header{"X-A": {"1"}, "X-B": {"2"}}
	checkMatches(t, ParseV2, []matchCase{
		{"Host, second of two", "Host(`a`, `B.`)", ask{host: "b:80"}, true},
		{"Host, none", "Host(`a`, `b`)", ask{host: "c"}, false},
		{"Host knows no wildcard", "Host(`*.example`)", ask{host: "a.example"}, false},
		{"HostHeader", "HostHeader(`a`)", ask{host: "a"}, true},
		{"HostRegexp, one label", "HostRegexp(`{sub}.example`)", ask{host: "a.example"}, true},
		{"HostRegexp, default is one label", "HostRegexp(`{sub}.example`)", ask{host: "b.a.example"}, false},
		{"HostRegexp, expression", "HostRegexp(`{sub:[a-z]+}.{tld:com|org}`)", ask{host: "a.org"}, true},
		{"HostRegexp, anchored", "HostRegexp(`{sub:[a-z]}.com`)", ask{host: "ab.com"}, false},
		{"HostRegexp, dot is literal", "HostRegexp(`{sub:a}.com`)", ask{host: "axcom"}, false},
		{"HostRegexp, plain", "HostRegexp(`a.com`)", ask{host: "a.com"}, true},
		{"HostRegexp, case", "HostRegexp(`{x:[A-Z]}.COM`)", ask{host: "a.com"}, true},
		{"Path, several", "Path(`/a`, `/b`)", ask{path: "/b"}, true},
		{"Path, template", "Path(`/u/{id:[0-9]{2}}/x`)", ask{path: "/u/42/x"}, true},
		{"Path, template anchored", "Path(`/u/{id:[0-9]+}`)", ask{path: "/u/42/x"}, false},
		{"Path, default is one segment", "Path(`/u/{id}`)", ask{path: "/u/a/b"}, false},
		{"PathPrefix, raw", "PathPrefix(`/a`)", ask{path: "/ab"}, true},
		{"PathPrefix, template", "PathPrefix(`/u/{id:[0-9]+}/x`)", ask{path: "/u/42/xyz"}, true},
		{"PathPrefix, template anchored at the start", "PathPrefix(`/{id:u}`)", ask{path: "/a/u"}, false},
		{"Method, several", "Method(`get`, `post`)", ask{method: "POST"}, true},
		{"Headers", "Headers(`x-a`, `1`)", ask{header: headers}, true},
		{"Headers, all pairs", "Headers(`x-a`, `1`, `x-b`, `3`)", ask{header: headers}, false},
		{"HeadersRegexp", "HeadersRegexp(`x-a`, `\\d`)", ask{header: headers}, true},
		{"Query", "Query(`a=1`, `b=2`)", ask{query: "a=1&b=2"}, true},
		{"Query, all of them", "Query(`a=1`, `b=2`)", ask{query: "a=1"}, false},
		{"Query, empty value means any", "Query(`a=`)", ask{query: "a=7"}, true},
		{"Query, template", "Query(`a={x:[0-9]+}`)", ask{query: "a=7"}, true},
		{"Query, first value counts", "Query(`a=1`)", ask{query: "a=2&a=1"}, false},
		{"ClientIP, several", "ClientIP(`10.0.0.1`, `10.1.0.0/16`)", ask{remote: "10.1.1.1:1"}, true},
		{"operators", "Host(`a`, `b`) && !(Path(`/x`) || Method(`POST`))", ask{host: "b"}, true},
	})
}
