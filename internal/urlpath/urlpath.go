// Package urlpath changes the path of a request for the middlewares that do so.
//
// A path has two forms, decoded (Path) and as the client wrote it (RawPath), and
// a change made to one of them only lets "%2F" or "%2e" mean different things to
// the gateway and to the server. So all work is done on the escaped form, and the
// decoded one always follows from it.
package urlpath

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Rewrite returns a copy of r that asks for the escaped path instead of its own.
// The query stays, a missing leading slash is added, bytes that may not stand for
// themselves are escaped, RequestURI follows. r itself
// is not touched; its header map is shared with the copy.
func Rewrite(r *http.Request, escaped string) (*http.Request, error) {
	if !strings.HasPrefix(escaped, "/") {
		escaped = "/" + escaped
	}
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, fmt.Errorf("unescape path: %w", err)
	}
	both := &struct { // one allocation
		request http.Request
		url     url.URL
	}{*r, *r.URL}
	r2, u := &both.request, &both.url
	u.Path, u.RawPath = path, ""
	if escaped = Canonical(escaped); u.EscapedPath() != escaped {
		u.RawPath = escaped
	}
	r2.URL = u
	r2.RequestURI = u.RequestURI()
	return r2, nil
}

// Cut returns the escaped path of u without its first n decoded bytes.
func Cut(u *url.URL, n int) string {
	escaped := u.EscapedPath()
	for ; n > 0 && escaped != ""; n-- {
		if escaped[0] == '%' && len(escaped) >= 3 {
			escaped = escaped[3:]
		} else {
			escaped = escaped[1:]
		}
	}
	return escaped
}

// Clean reports whether a server is sure to read the path of u as the gateway
// does: no dot segment in any spelling servers are known to accept (encoded, behind
// a backslash, with a path parameter as in "..;"), and no "//" at its start. A
// rewritten path that is not clean reaches what the router did not mean to open.
func Clean(u *url.URL) bool {
	if strings.HasPrefix(u.EscapedPath(), "//") {
		return false
	}
	isSeparator := func(c rune) bool { return c == '/' || c == '\\' }
	for segment := range strings.FieldsFuncSeq(u.Path, isSeparator) {
		name, _, _ := strings.Cut(segment, ";")
		if name == "." || name == ".." {
			return false
		}
	}
	return true
}
