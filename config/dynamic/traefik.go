package dynamic

import (
	"slices"
	"strings"
)

// TraefikOption tells whether a key without its root, in lower case, is a routing
// option of Traefik's that fairway does not have yet. Such a key is no typing
// error: it is named as missing, and what else its object says is used.
func TraefikOption(path string) bool { return Listed(traefikOptions, path) }

// Listed tells whether a key in lower case begins with one of the patterns,
// segment by segment; a star in a pattern stands for one name.
func Listed(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, path) })
}

// traefikOptions are prefixes of keys, a star standing for one name.
var traefikOptions = []string{
	"http.routers.*.parentrefs",
	"http.middlewares.*.plugin",
	"http.serverstransports.*.spiffe",
	"http.serverstransports.*.peercertsans",
	"tcp.serverstransports.*.tls.spiffe",
	"tcp.serverstransports.*.tls.peercertsans",
}

// matches tells whether path begins with pattern, segment by segment.
func matches(pattern, path string) bool {
	for {
		want, restPattern, more := strings.Cut(pattern, ".")
		got, restPath, longer := strings.Cut(path, ".")
		if at := strings.IndexByte(got, '['); at >= 0 {
			got = got[:at]
		}
		if want != "*" && want != got {
			return false
		}
		if !more {
			return true
		}
		if !longer {
			return false
		}
		pattern, path = restPattern, restPath
	}
}
