package http1

import (
	"net/http"
	"net/url"
	"strings"
)

// parseTarget takes in the target of a request: a path with a query, a whole URL,
// "*" for OPTIONS, or the host and port of CONNECT.
func (q *request) parseTarget(target string) error {
	switch {
	case q.http.Method == http.MethodConnect:
		if target[0] != '/' {
			return q.parseAuthority(target)
		}
		return errTarget
	case target[0] == '/':
		return q.parsePath(target)
	case target == "*":
		if q.http.Method != http.MethodOptions {
			return errTarget
		}
		q.url.Path = "*"
		return nil
	}
	return q.parseURL(target)
}

// parsePath does by hand, without allocating, what package url does with a target
// that has no percent sign.
func (q *request) parsePath(target string) error {
	end, plain := len(target), true
scan:
	for i := range len(target) {
		switch c := target[i]; {
		case is(c, pathByte):
		case c == '?':
			end = i
			break scan
		case c == '%':
			return q.parseEscapedPath(target)
		case c <= ' ' || c == 0x7f || c == '#':
			return errTarget
		default:
			plain = false
		}
	}
	if q.url.Path = target[:end]; !plain {
		q.url.RawPath = q.url.Path
	}
	if end == len(target) {
		return nil
	}
	q.url.RawQuery = target[end+1:]
	q.url.ForceQuery = q.url.RawQuery == ""
	return checkTarget(q.url.RawQuery)
}

func (q *request) parseEscapedPath(target string) error {
	if err := checkTarget(target); err != nil {
		return err
	}
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return errTarget
	}
	q.url = *u
	return nil
}

// checkTarget refuses what can stand nowhere in a target. A fragment is none of
// the server's business, and servers disagree on where it begins.
func checkTarget(s string) error {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 0x7f || c == '#' {
			return errTarget
		}
	}
	return nil
}

func (q *request) parseAuthority(target string) error {
	if !isHost(target) {
		return errTarget
	}
	u, err := url.ParseRequestURI("http://" + target)
	if err != nil {
		return errTarget
	}
	q.url = *u
	q.url.Scheme = ""
	return nil
}

func (q *request) parseURL(target string) error {
	if err := checkTarget(target); err != nil {
		return err
	}
	u, err := url.ParseRequestURI(target)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || !isHost(u.Host) {
		return errTarget
	}
	q.url = *u
	return nil
}

// finishHost decides which host a request is for. HTTP/1.1 must name one, and a
// target that names one, too, must name the same.
func (q *request) finishHost() error {
	switch {
	case q.hosts == 0 && q.minor > 0:
		return errNoHost
	case q.hosts > 0 && !isHost(q.host):
		return errHost
	case q.hosts > 0 && q.url.Host != "" && !strings.EqualFold(q.host, q.url.Host):
		return errTargetHost
	}
	if q.http.Host = q.url.Host; q.http.Host == "" {
		q.http.Host = q.host
	}
	return nil
}

// isHost tells whether s is a host name or address, with or without a port.
func isHost(s string) bool {
	if s == "" {
		return false
	}
	rest := s
	if s[0] == '[' {
		end := strings.IndexByte(s, ']')
		if end < 0 || !isAddress6(s[1:end]) {
			return false
		}
		rest = s[end+1:]
	} else {
		i := 0
		for i < len(s) && is(s[i], hostByte) {
			i++
		}
		if i == 0 {
			return false
		}
		rest = s[i:]
	}
	const longest = len(":65535")
	return rest == "" || rest[0] == ':' && len(rest) <= longest && allBytes(rest[1:], digitByte)
}

// isAddress6 accepts the letters of an IPv6 address and its zone; whether it is
// one matters only to who connects to it.
func isAddress6(s string) bool {
	zone := strings.IndexByte(s, '%')
	if zone < 0 {
		zone = len(s)
	}
	for i := range zone {
		if c := s[i]; !is(c, hexByte) && c != ':' && c != '.' {
			return false
		}
	}
	return zone > 0 && allBytes(s[min(zone+1, len(s)):], hostByte)
}
