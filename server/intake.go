package server

import (
	"fmt"
	"net/http"
	"strings"

	"fairway/config"
	"fairway/internal/encodedchars"
	"fairway/internal/urlpath"
)

// intake says which requests an entry point takes, and brings them into the form
// that rules, middlewares and servers all see (the option http).
type intake struct {
	sanitize    bool
	encoded     *encodedchars.Table // bytes that may be written %XX in a path; nil: all
	semicolon   string              // what becomes of one in a query
	underscores string
}

func newIntake(c *config.EntryPointHTTP) *intake {
	in := &intake{sanitize: c.SanitizePath, semicolon: "&", underscores: c.UnderscoreHeadersStrategy}
	if c.EncodeQuerySemicolons {
		in.semicolon = "%3B"
	}
	if e := c.EncodedCharacters; e != nil {
		in.encoded = encodedchars.Allowed{
			Slash: e.AllowEncodedSlash, BackSlash: e.AllowEncodedBackSlash, NullCharacter: e.AllowEncodedNullCharacter,
			Semicolon: e.AllowEncodedSemicolon, Percent: e.AllowEncodedPercent, QuestionMark: e.AllowEncodedQuestionMark,
			Hash: e.AllowEncodedHash,
		}.Table()
	}
	return in
}

// fields refuses the headers of a request, or drops those that are not wanted.
func (in *intake) fields(h http.Header) error {
	if in.underscores != config.DeleteUnderscores && in.underscores != config.RejectUnderscores {
		return nil
	}
	for name := range h {
		if strings.IndexByte(name, '_') < 0 {
			continue
		}
		if in.underscores == config.RejectUnderscores {
			return fmt.Errorf("the header %q has an underscore", name)
		}
		delete(h, name)
	}
	return nil
}

// target returns the request with the path and query in their form.
func (in *intake) target(r *http.Request) (*http.Request, error) {
	if in.encoded != nil {
		if what := in.encoded.Forbidden(urlpath.AsSent(r.URL)); what != "" {
			return nil, fmt.Errorf("%s is not allowed in a path", what)
		}
	}
	form := cleanPath
	if !in.sanitize {
		form = keepPath
	}
	r, err := form(r)
	if err != nil || strings.IndexByte(r.URL.RawQuery, ';') < 0 {
		return r, err
	}
	return withQuery(r, strings.ReplaceAll(r.URL.RawQuery, ";", in.semicolon)), nil
}

// withQuery returns a copy of r with another query.
func withQuery(r *http.Request, query string) *http.Request {
	u := *r.URL
	u.RawQuery = query
	r2 := *r
	r2.URL = &u
	before, _, _ := strings.Cut(r.RequestURI, "?")
	r2.RequestURI = before + "?" + query
	return &r2
}
