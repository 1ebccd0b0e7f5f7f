package acme

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/go-acme/lego/v4/acme"
)

// outcome is what became of an order.
type outcome struct {
	chain, key []byte
	window     window        // for the renewal, by the authority; zero: it does not say
	err        error         // in the authority's words
	reached    bool          // an order was placed, so a failure counts at the authority
	after      time.Duration // it does not want to be asked before
	pause      *pause        // the refusal is about other certificates as well
}

// problem is a refusal of the authority, as it says it (RFC 7807).
type problem struct {
	kind string // the last part of its type, as in "rateLimited"
	text string
}

func (p *problem) Error() string {
	if p.kind == "" {
		return p.text
	}
	return p.text + " (" + p.kind + ")"
}

// inWords reduces an error of the library to what the authority said, if it did.
func inWords(err error) error {
	if details, ok := errors.AsType[*acme.ProblemDetails](err); ok && !errors.Is(err, context.Canceled) {
		return said(details)
	}
	return err
}

func said(details *acme.ProblemDetails) *problem {
	p := &problem{text: details.Detail, kind: details.Type[strings.LastIndex(details.Type, ":")+1:]}
	for _, sub := range details.SubProblems {
		p.text += "; " + strings.TrimPrefix(sub.Identifier.Value+": "+sub.Detail, ": ")
	}
	if p.text == "" {
		p.text = "the authority gives no reason"
	}
	return p
}

// isKind tells whether the authority refused for this reason (RFC 8555, section 6.7).
func isKind(err error, kind string) bool {
	p, ok := errors.AsType[*problem](err)
	return ok && p.kind == kind
}
