// Package redirect knows which status sends a client elsewhere.
package redirect

import "net/http"

// Status returns 302, or 301 when the move is permanent. Clients answer these two
// with a GET, so any other method gets 307 or 308, which keep method and body.
func Status(method string, permanent bool) int {
	switch {
	case method == http.MethodGet && permanent:
		return http.StatusMovedPermanently
	case method == http.MethodGet:
		return http.StatusFound
	case permanent:
		return http.StatusPermanentRedirect
	default:
		return http.StatusTemporaryRedirect
	}
}
