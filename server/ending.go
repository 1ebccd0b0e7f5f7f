package server

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/sirupsen/logrus"
)

// longestEnd is how long all together may take that has to be sent or written after the last
// request. Docker kills ten seconds after it has told a container to stop, and requests
// have had their part of that.
const longestEnd = 2 * time.Second

// endTogether ends all at once, by what the log is told of those that fail, or do not come
// to an end in time. These are left to themselves: the program is about to be gone.
func endTogether(log logrus.FieldLogger, all map[string]func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), longestEnd)
	defer cancel()
	type outcome struct {
		of  string
		err error
	}
	outcomes := make(chan outcome, len(all))
	for of, end := range all {
		go func() { outcomes <- outcome{of, end(ctx)} }()
	}
	left := maps.Clone(all)
	for len(left) > 0 {
		select {
		case o := <-outcomes:
			delete(left, o.of)
			if o.err != nil {
				log.WithError(o.err).Warn(o.of)
			}
		case <-ctx.Done():
			for _, of := range slices.Sorted(maps.Keys(left)) {
				log.WithError(ctx.Err()).Warn(of)
			}
			return
		}
	}
}
