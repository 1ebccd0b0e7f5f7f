package loadbalancer

import (
	"fmt"
	"net/http"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/proxy"
)

// PassiveHealthCheck leaves out servers that fail with requests: that cannot be
// reached, break off, or answer with a status of 500 or more.
type PassiveHealthCheck struct {
	// FailureWindow is the time in which failures are counted, and for which a server is
	// left out then. Default: 10s.
	FailureWindow types.Duration `json:"failureWindow,omitempty"`
	// MaxFailedAttempts is the number of failures that is too many. Default: 1.
	MaxFailedAttempts int `json:"maxFailedAttempts,omitempty"`
	// PanicThreshold is the smallest part of the servers, in percent, that has to be left. When
	// more of them fail, all are used: it is not the servers then, or no server is better
	// than another. Default: 50.
	PanicThreshold int `json:"panicThreshold,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (c *PassiveHealthCheck) SetDefaults() {
	c.FailureWindow, c.MaxFailedAttempts, c.PanicThreshold = types.Duration(10*time.Second), 1, 50
}

const mostFailures = 1000

func (c *PassiveHealthCheck) validate() error {
	switch {
	case c.FailureWindow <= 0:
		return fmt.Errorf("passiveHealthCheck.failureWindow: %s is not above 0", time.Duration(c.FailureWindow))
	case c.MaxFailedAttempts < 1 || c.MaxFailedAttempts > mostFailures:
		return fmt.Errorf("passiveHealthCheck.maxFailedAttempts: %d is not from 1 to %d", c.MaxFailedAttempts, mostFailures)
	case c.PanicThreshold < 0 || c.PanicThreshold > 100:
		return fmt.Errorf("passiveHealthCheck.panicThreshold: %d is not from 0 to 100", c.PanicThreshold)
	}
	return nil
}

// isFailure tells whether an attempt speaks against its server. What clients do wrong
// does not.
func isFailure(failed *proxy.Error) bool {
	return failed != nil && failed.Status >= http.StatusInternalServerError
}

// failed counts a failure, and tells whether the server is left out from now on.
func (s *state) failed(now time.Time, c *PassiveHealthCheck) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	window := time.Duration(c.FailureWindow)
	s.failing = append(s.failing, now)
	if extra := len(s.failing) - c.MaxFailedAttempts; extra > 0 {
		s.failing = append(s.failing[:0], s.failing[extra:]...)
	}
	if len(s.failing) < c.MaxFailedAttempts || now.Sub(s.failing[0]) > window || now.Before(s.ejected) {
		return false
	}
	s.ejected = now.Add(window)
	s.failing = s.failing[:0]
	return true
}

func (s *state) isEjected(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Before(s.ejected)
}
