// Package sourcecriterion decides which requests are counted together: those of one
// client, of one value of a header, or for one host.
package sourcecriterion

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"net/netip"

	"fairway/internal/clientip"
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
}

// Source stands for one source. It is an address, or a hash of what the client has
// sent: of a size that does not depend on the client, and not to be chosen by it.
type Source [16]byte

var seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// Resolver returns the function that finds the source of a request. A Criterion that is
// nil, or has no option, is that of otherwise.
func (c *Criterion) Resolver(otherwise Criterion) (func(*http.Request) Source, error) {
	if c == nil || *c == (Criterion{}) {
		c = &otherwise
	}
	given := 0
	for _, is := range []bool{c.IPStrategy != nil, c.RequestHeaderName != "", c.RequestHost, c.Consumer} {
		if is {
			given++
		}
	}
	switch {
	case given > 1:
		return nil, errors.New("only one of ipStrategy, requestHeaderName, requestHost and consumer can be given")
	case c.RequestHost:
		return ofHost, nil
	case c.Consumer:
		return ofConsumer, nil
	case c.RequestHeaderName != "":
		if !headername.Valid(c.RequestHeaderName) {
			return nil, fmt.Errorf("requestHeaderName: %q is no name of a header", c.RequestHeaderName)
		}
		name := http.CanonicalHeaderKey(c.RequestHeaderName)
		if name == "Host" { // net/http keeps it apart
			return ofHost, nil
		}
		return func(r *http.Request) Source { return ofText(r.Header.Get(name)) }, nil
	}
	client, err := c.IPStrategy.Resolver()
	if err != nil {
		return nil, fmt.Errorf("ipStrategy: %w", err)
	}
	return func(r *http.Request) Source { return ofAddr(client(r)) }, nil
}

func ofAddr(addr netip.Addr) Source {
	if !addr.IsValid() {
		return Source{}
	}
	return addr.As16()
}

func ofConsumer(r *http.Request) Source {
	switch who := record.IdentityOf(r); {
	case who == nil:
		return Source{}
	case who.Consumer != nil:
		return ofText("consumer\x00" + who.Consumer.Name)
	default:
		return ofText(who.Method + "\x00" + who.Subject)
	}
}

func ofHost(r *http.Request) Source {
	if rec := record.From(r.Context()); rec != nil && rec.Host != "" {
		return ofText(rec.Host)
	}
	return ofText(r.Host)
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
