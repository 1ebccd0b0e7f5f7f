// Package providers is the contract of those who know what to route to, one per
// folder below, and the loop that runs them.
//
// A provider publishes the whole truth, every time; what it leaves out is gone.
// When it cannot know the truth it publishes nothing new: stale routes beat
// missing ones. Whoever receives a configuration does not change it.
package providers

import (
	"context"

	"github.com/sirupsen/logrus"

	"fairway/config/dynamic"
)

// Publish hands over all that a provider knows.
type Publish func(*dynamic.Configuration)

// Provider knows what to route to.
type Provider interface {
	// Run publishes until ctx ends. An error means that it gave up; it is
	// started again later, and what it published last stays in force.
	Run(ctx context.Context, publish Publish) error
}

// Config is one configured provider. New neither blocks nor dials. Its errors
// name the option that is wrong.
type Config interface {
	New(log logrus.FieldLogger) (Provider, error)
}
