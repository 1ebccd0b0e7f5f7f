package tcp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"fairway/internal/clientip"
)

// MiddlewareConfig builds what stands in front of services.
type MiddlewareConfig interface {
	// New makes it, in front of next.
	New(next Handler) (Handler, error)
}

// IPAllowList lets clients in by their addresses.
type IPAllowList struct {
	// SourceRange lists the addresses and CIDR ranges that may connect. Required.
	SourceRange []string `json:"sourceRange,omitempty"`
}

// IPDenyList keeps clients out by their addresses.
type IPDenyList struct {
	// SourceRange lists the addresses and CIDR ranges that may not connect. Required.
	SourceRange []string `json:"sourceRange,omitempty"`
}

// InFlightConn bounds how many connections one client has at the same time.
type InFlightConn struct {
	// Amount of connections of one address. More are closed at once. Required.
	Amount int64 `json:"amount,omitempty"`
}

// New implements MiddlewareConfig.
func (c *IPAllowList) New(next Handler) (Handler, error) {
	return guard(c.SourceRange, true, next)
}

// New implements MiddlewareConfig.
func (c *IPDenyList) New(next Handler) (Handler, error) {
	return guard(c.SourceRange, false, next)
}

func guard(list []string, wanted bool, next Handler) (Handler, error) {
	if len(list) == 0 {
		return nil, errors.New("sourceRange is required")
	}
	ranges, err := clientip.ParseRanges(list)
	if err != nil {
		return nil, fmt.Errorf("sourceRange: %w", err)
	}
	return HandlerFunc(func(ctx context.Context, c *Client) error {
		// A client whose address is not known is not let in, by either of them.
		if !c.Source.IsValid() || ranges.Contains(c.Source.Addr()) != wanted {
			_ = c.Close()
			return &RefusedError{fmt.Sprintf("the address %s may not connect", c.Source.Addr())}
		}
		return next.ServeTCP(ctx, c)
	}), nil
}

// New implements MiddlewareConfig.
func (c *InFlightConn) New(next Handler) (Handler, error) {
	if c.Amount < 1 {
		return nil, fmt.Errorf("amount: %d is not above 0", c.Amount)
	}
	var mu sync.Mutex
	open := map[netip.Addr]int64{}
	return HandlerFunc(func(ctx context.Context, client *Client) error {
		who := client.Source.Addr().Unmap().WithZone("")
		mu.Lock()
		if open[who] >= c.Amount {
			mu.Unlock()
			_ = client.Close()
			return &RefusedError{fmt.Sprintf("the address %s has %d connections already", who, c.Amount)}
		}
		open[who]++
		mu.Unlock()
		defer func() {
			mu.Lock()
			defer mu.Unlock()
			if open[who]--; open[who] == 0 {
				delete(open, who)
			}
		}()
		return next.ServeTCP(ctx, client)
	}), nil
}
