package server

import (
	"errors"
	"net/http"
	"path"
	"strings"

	"fairway/internal/urlpath"
)

// cleanPath brings the path of a request into the one form that rules are
// compared with and servers receive: characters that need no percent sign are
// written plainly, and "//", "/./" and "/../" are resolved (RFC 3986, sections
// 6.2.2.2 and 6.2.2.3). Without it "/a/../admin" would pass a rule for "/a".
func cleanPath(r *http.Request) (*http.Request, error) {
	given := urlpath.AsSent(r.URL)
	switch {
	case given == "*" && r.Method == http.MethodOptions, given == "" && r.Method == http.MethodConnect:
		return r, nil
	case given == "*":
		return nil, errors.New("only OPTIONS asks for *")
	case strings.IndexByte(r.RequestURI, '#') >= 0:
		return nil, errors.New("a fragment is not sent to servers")
	}
	cleaned := urlpath.Canonical(given)
	if needsCleaning(cleaned) {
		slash := strings.HasSuffix(cleaned, "/") || strings.HasSuffix(cleaned, "/.") || strings.HasSuffix(cleaned, "/..")
		if cleaned = path.Clean("/" + cleaned); slash && cleaned != "/" {
			cleaned += "/"
		}
	}
	if cleaned == given && given != "" {
		return r, nil
	}
	return urlpath.Rewrite(r, cleaned)
}

func needsCleaning(p string) bool {
	return !strings.HasPrefix(p, "/") || strings.Contains(p, "//") || strings.Contains(p, "/.")
}
