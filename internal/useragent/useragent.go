// Package useragent tells classes of clients: phones, tablets, desktops, bots and others. It is for the
// shape of an answer, and not for what somebody may see: a client says of itself what it likes.
package useragent

import (
	"net/http"
	"strings"
)

// Classes of clients.
const (
	Mobile  = "mobile"
	Tablet  = "tablet"
	Desktop = "desktop"
	Bot     = "bot"
	Other   = "other" // apps, tools and what says nothing
)

// headers are those that Class looks at.
var headers = [...]string{"User-Agent", "Sec-Ch-Ua-Mobile"}

// Headers are those that Class looks at, for Vary.
func Headers() []string { return headers[:] }

// Class tells that of a client: by Sec-CH-UA-Mobile (User-Agent Client Hints) if it sends that, else by words in
// User-Agent that browsers agree upon.
func Class(h http.Header) string {
	agent := strings.ToLower(h.Get("User-Agent"))
	has := func(words ...string) bool {
		for _, word := range words {
			if strings.Contains(agent, word) {
				return true
			}
		}
		return false
	}
	switch {
	case has("bot", "crawl", "spider", "slurp"):
		return Bot
	case h.Get("Sec-Ch-Ua-Mobile") == "?1":
		return Mobile
	case has("ipad", "tablet"), has("android") && !has("mobi"):
		return Tablet
	case has("mobi", "iphone", "ipod"):
		return Mobile
	case strings.HasPrefix(agent, "mozilla/"), strings.HasPrefix(agent, "opera/"):
		return Desktop
	}
	return Other
}
