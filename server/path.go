package server

import (
	"errors"
	"net/http"
	"path"
	"strings"

	"fairway/internal/urlpath"
)

var (
	errFragment = errors.New("a fragment is not sent to servers")
	errAsterisk = errors.New("only OPTIONS asks for *")
)

// cleanPath brings the path of a request into the one form that rules are
// compared with and servers receive: characters that need no percent sign are
// written plainly, and "//", "/./" and "/../" are resolved (RFC 3986, sections
// 6.2.2.2 and 6.2.2.3). Without it "/a/../admin" would pass a rule for "/a".
func cleanPath(r *http.Request) (*http.Request, error) {
	given := urlpath.AsSent(r.URL)
	if asIs, err := isNoPath(r, given); asIs || err != nil {
		return r, err
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

// keepPath leaves the path of a request as it came. Only bytes that may not stand in
// one are escaped: net/url would do so for the rules, and forget what "%2F" beside
// them meant, while the server would get what came.
func keepPath(r *http.Request) (*http.Request, error) {
	given := urlpath.AsSent(r.URL)
	if asIs, err := isNoPath(r, given); asIs || err != nil {
		return r, err
	}
	if given != "" && given == r.URL.EscapedPath() {
		return r, nil
	}
	return urlpath.Rewrite(r, urlpath.Canonical(given))
}

// isNoPath tells whether a request has its own kind of target, and refuses those
// that have none at all.
func isNoPath(r *http.Request, given string) (asIs bool, err error) {
	switch {
	case given == "*" && r.Method == http.MethodOptions, given == "" && r.Method == http.MethodConnect:
		return true, nil
	case given == "*":
		return false, errAsterisk
	case strings.IndexByte(r.RequestURI, '#') >= 0:
		return false, errFragment
	}
	return false, nil
}

func needsCleaning(p string) bool {
	return !strings.HasPrefix(p, "/") || strings.Contains(p, "//") || strings.Contains(p, "/.")
}
