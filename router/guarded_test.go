package router

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
)

func TestGuarded_AMistakeIsAnError(t *testing.T) {
	if _, err := guarded(func() (int, error) { panic("oh no") }); err == nil || !strings.Contains(err.Error(), "a mistake in fairway, please report it: oh no") {
		t.Errorf("got %v", err)
	}
	if v, err := guarded(func() (int, error) { return 7, errors.ErrUnsupported }); v != 7 || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %d, %v", v, err)
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	aside(log, func(context.Context) { panic("oh no") })(t.Context())
}
