// Package sourcecriterion decides which requests are counted together: those of one
// client, of one value of a header, for one host or one path, of one consumer, or what an
// expression makes of them.
package sourcecriterion

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"net/netip"
	"strings"

	"fairway/internal/claims"
	"fairway/internal/clientip"
	"fairway/internal/expression"
	"fairway/internal/headername"
	"fairway/internal/record"
)

// Criterion is what requests of one source have in common. Exactly one of its options
// is given.
type Criterion struct {
	// IPStrategy makes every client a source, and says how its address is found when
	// proxies stand in front of this gateway. Clients whose address cannot be found are
	// one source together.
	IPStrategy *clientip.Strategy `json:"ipStrategy,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// RequestHeaderName is the name of a header of the request, each value of which is
	// a source. Requests without it are one source together.
	RequestHeaderName string `json:"requestHeaderName,omitempty"`
	// RequestHost makes every host that is asked for a source.
	RequestHost bool `json:"requestHost,omitempty"`
	// Consumer makes every consumer a source, as a middleware in front has found out; who is
	// none is a source by the name of the user, and all others are one source together.
	Consumer bool `json:"consumer,omitempty"`
	// RequestPath makes every path that is asked for a source.
	RequestPath bool `json:"requestPath,omitempty"`
	// Claim is the path of a claim, each value of which is a source, as sub or org.id. Requests
	// without it are one source together.
	Claim string `json:"claim,omitempty"`
	// Expression is a text about the request, in the language of policy, each value of which is a
	// source: request.method + " " + request.path. Requests of which it fails are one source
	// together.
	Expression string `json:"expression,omitempty"`
}

// Source stands for one source. It is an address, or a hash of what the client has
// sent: of a size that does not depend on the client, and not to be chosen by it.
type Source [16]byte

var seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// Resolver returns the function that finds the source of a request. A Criterion that is
// nil, or has no option, is that of otherwise.
func (c *Criterion) Resolver(otherwise Criterion) (func(*http.Request) Source, error) {
	return c.resolver(otherwise, ofText)
}

// Lasting is a Resolver whose sources are the same in other gateways, and after a restart. Who
// chooses what is sent may find two texts that are one source, at the cost of 2^64 tries.
func (c *Criterion) Lasting(otherwise Criterion) (func(*http.Request) Source, error) {
	return c.resolver(otherwise, lasting)
}

func (c *Criterion) resolver(otherwise Criterion, of func(string) Source) (func(*http.Request) Source, error) {
	if c == nil || *c == (Criterion{}) {
		c = &otherwise
	}
	given := 0
	for _, is := range []bool{c.IPStrategy != nil, c.RequestHeaderName != "", c.RequestHost, c.Consumer, c.RequestPath, c.Claim != "", c.Expression != ""} {
		if is {
			given++
		}
	}
	if given > 1 {
		return nil, errors.New("only one of ipStrategy, requestHeaderName, requestHost, consumer, requestPath, claim and expression can be given")
	}
	text, err := c.text()
	switch {
	case err != nil:
		return nil, err
	case text != nil:
		return func(r *http.Request) Source { return of(text(r)) }, nil
	}
	client, err := c.IPStrategy.Resolver()
	if err != nil {
		return nil, fmt.Errorf("ipStrategy: %w", err)
	}
	return func(r *http.Request) Source { return ofAddr(client(r)) }, nil
}

// text returns the function that says what a source has in common; nil: it is an address.
func (c *Criterion) text() (func(*http.Request) string, error) {
	switch {
	case c.RequestHost:
		return hostOf, nil
	case c.Consumer:
		return consumerOf, nil
	case c.RequestPath:
		return func(r *http.Request) string { return r.URL.Path }, nil
	case c.Claim != "":
		return claimOf(c.Claim), nil
	case c.Expression != "":
		e, err := expression.NewText(c.Expression)
		if err != nil {
			return nil, fmt.Errorf("expression: %w", err)
		}
		return func(r *http.Request) string {
			text, _ := e.Of(r)
			return text
		}, nil
	case c.RequestHeaderName != "":
		if !headername.Valid(c.RequestHeaderName) {
			return nil, fmt.Errorf("requestHeaderName: %q is no name of a header", c.RequestHeaderName)
		}
		name := http.CanonicalHeaderKey(c.RequestHeaderName)
		if name == "Host" { // net/http keeps it apart
			return hostOf, nil
		}
		return func(r *http.Request) string { return r.Header.Get(name) }, nil
	}
	return nil, nil
}

func ofAddr(addr netip.Addr) Source {
	if !addr.IsValid() {
		return Source{}
	}
	return addr.As16()
}

func consumerOf(r *http.Request) string {
	switch who := record.IdentityOf(r); {
	case who == nil:
		return ""
	case who.Consumer != nil:
		return "consumer\x00" + who.Consumer.Name
	default:
		return who.Method + "\x00" + who.Subject
	}
}

// claimOf finds a claim. Several values are one source, in their order.
func claimOf(path string) func(*http.Request) string {
	return func(r *http.Request) string {
		who := record.IdentityOf(r)
		if who == nil {
			return ""
		}
		return strings.Join(claims.Texts(claims.Lookup(who.Claims, path)), "\x00")
	}
}

func hostOf(r *http.Request) string {
	if rec := record.From(r.Context()); rec != nil && rec.Host != "" {
		return rec.Host
	}
	return r.Host
}

func lasting(text string) (s Source) {
	sum := sha256.Sum256([]byte(text))
	copy(s[:], sum[:])
	return s
}

func ofText(text string) (s Source) {
	binary.NativeEndian.PutUint64(s[:8], maphash.String(seeds[0], text))
	binary.NativeEndian.PutUint64(s[8:], maphash.String(seeds[1], text))
	return s
}

// Shard is the number of a source among n parts of a table, of about the same size.
func (s Source) Shard(n int) int {
	return int(maphash.Bytes(seeds[0], s[:]) % uint64(n))
}
