package router

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/sirupsen/logrus"
)

// guarded makes something of what an operator has written. A mistake of fairway's in it is a problem of that object, and ends
// neither the program nor the others.
func guarded[T any](build func() (T, error)) (made T, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("a mistake in fairway, please report it: %v", reason)
		}
	}()
	return build()
}

// aside is what a middleware does aside. A mistake in it ends that, and not the program.
func aside(log logrus.FieldLogger, run func(context.Context)) func(context.Context) {
	return func(ctx context.Context) {
		defer func() {
			if reason := recover(); reason != nil {
				log.Errorf("panic aside of requests: %v\n%s", reason, debug.Stack())
			}
		}()
		run(ctx)
	}
}
