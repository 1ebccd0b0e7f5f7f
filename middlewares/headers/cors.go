package headers

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"fairway/internal/responsehead"
)

// cors answers preflight requests and adds the headers by which a browser lets
// scripts of other origins read a response.
type cors struct {
	credentials bool
	headers     string
	methods     string
	origins     []string
	patterns    []*regexp.Regexp
	expose      string
	maxAge      string
	vary        bool
}

// newCORS returns nil if none of the options is set.
func newCORS(c *Config) (*cors, error) {
	if !c.hasCORS() {
		return nil, nil
	}
	cs := &cors{
		credentials: c.AccessControlAllowCredentials,
		headers:     strings.Join(c.AccessControlAllowHeaders, ","),
		methods:     strings.Join(c.AccessControlAllowMethods, ","),
		origins:     c.AccessControlAllowOriginList,
		expose:      strings.Join(c.AccessControlExposeHeaders, ","),
		maxAge:      strconv.FormatInt(c.AccessControlMaxAge, 10),
		vary:        c.AddVaryHeader,
	}
	for _, s := range c.AccessControlAllowOriginListRegex {
		re, err := regexp.Compile(s)
		if err != nil {
			return nil, err
		}
		cs.patterns = append(cs.patterns, re)
	}
	return cs, nil
}

func (c *Config) hasCORS() bool {
	return c.AccessControlAllowCredentials || c.AddVaryHeader || c.AccessControlMaxAge != 0 ||
		len(c.AccessControlAllowHeaders)+len(c.AccessControlAllowMethods)+len(c.AccessControlExposeHeaders)+
			len(c.AccessControlAllowOriginList)+len(c.AccessControlAllowOriginListRegex) > 0
}

// preflight answers r if it is a browser's question whether a script may send the
// request that follows. The service never sees it.
func (cs *cors) preflight(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if r.Method != http.MethodOptions || origin == "" || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h := w.Header()
	if cs.credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if cs.headers != "" {
		h.Set("Access-Control-Allow-Headers", cs.headers)
	}
	if cs.methods != "" {
		h.Set("Access-Control-Allow-Methods", cs.methods)
	}
	if allowed := cs.allowed(origin); allowed != "" {
		h.Set("Access-Control-Allow-Origin", allowed)
	}
	h.Set("Access-Control-Max-Age", cs.maxAge)
	w.WriteHeader(http.StatusOK)
	return true
}

// edit adds the headers of any other response.
func (cs *cors) edit(h responsehead.Head, origin string) {
	if allowed := cs.allowed(origin); allowed != "" {
		h.Set("Access-Control-Allow-Origin", allowed)
	}
	if cs.credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if cs.expose != "" {
		h.Set("Access-Control-Expose-Headers", cs.expose)
	}
	if cs.vary {
		addVaryOrigin(h)
	}
}

// allowed returns the value of Access-Control-Allow-Origin, or nothing.
func (cs *cors) allowed(origin string) string {
	for _, o := range cs.origins {
		if o == "*" || o == origin {
			return o
		}
	}
	matches := func(re *regexp.Regexp) bool { return re.MatchString(origin) }
	if origin != "" && slices.ContainsFunc(cs.patterns, matches) {
		return origin
	}
	return ""
}

func addVaryOrigin(h responsehead.Head) {
	vary := strings.Join(h.Values("Vary"), ",")
	for name := range strings.SplitSeq(vary, ",") {
		if name = strings.TrimSpace(name); strings.EqualFold(name, "Origin") || name == "*" {
			return
		}
	}
	if vary != "" {
		vary += ","
	}
	h.Set("Vary", vary+"Origin")
}
