// Package ipdenylist refuses requests by the address of their client, and lets all
// others pass.
package ipdenylist

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"

	"fairway/internal/clientip"
	"fairway/middlewares"
)

// Config is the ipDenyList middleware.
type Config struct {
	// SourceRange lists the addresses and CIDR ranges that are refused, as in
	// "192.168.0.0/16" or "2001:db8::1". Required.
	SourceRange []string `json:"sourceRange,omitempty"`
	// IPStrategy says how the address of the client is found when proxies stand in
	// front of this gateway. Unset: the peer of the connection. A client whose address
	// cannot be found is refused.
	IPStrategy *clientip.Strategy `json:"ipStrategy,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// RejectStatusCode is the status of a refusal. Default 403.
	RejectStatusCode int `json:"rejectStatusCode,omitempty"`
}

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() { c.RejectStatusCode = http.StatusForbidden }

type handler struct {
	ranges clientip.Ranges
	client func(*http.Request) netip.Addr
	status int
	next   http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, _ middlewares.Env, next http.Handler) (http.Handler, error) {
	if len(c.SourceRange) == 0 {
		return nil, errors.New("sourceRange is required")
	}
	ranges, err := clientip.ParseRanges(c.SourceRange)
	if err != nil {
		return nil, fmt.Errorf("sourceRange: %w", err)
	}
	client, err := c.IPStrategy.Resolver()
	if err != nil {
		return nil, fmt.Errorf("ipStrategy: %w", err)
	}
	status := c.RejectStatusCode
	if status == 0 {
		status = http.StatusForbidden
	}
	if status < 200 || http.StatusText(status) == "" {
		return nil, fmt.Errorf("rejectStatusCode: %d is not a status to answer with", status)
	}
	return &handler{ranges: ranges, client: client, status: status, next: next}, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	addr := h.client(r)
	if !addr.IsValid() || h.ranges.Contains(addr) {
		middlewares.Refuse(w, r, h.status, cause(addr))
		return
	}
	h.next.ServeHTTP(w, r)
}

func cause(addr netip.Addr) string {
	if !addr.IsValid() {
		return "ipDenyList: the address of the client cannot be found"
	}
	return "ipDenyList: " + addr.String() + " is in sourceRange"
}
