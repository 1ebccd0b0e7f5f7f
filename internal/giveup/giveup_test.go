package giveup

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"
)

func TestWithCancel_HasADeadlineAndAReason(t *testing.T) {
	ctx, cancel := WithCancel(t.Context())
	if until, ok := ctx.Deadline(); !ok || time.Until(until) < time.Hour {
		t.Errorf("got %v, %v", until, ok)
	}
	if Reason(ctx) != nil {
		t.Error("it goes on")
	}
	cancel(TooLong("slow"))
	if got := Reason(ctx); !errors.Is(got, TooLong("slow")) {
		t.Errorf("got %v", got)
	}
	soon, end := context.WithTimeout(t.Context(), time.Minute)
	defer end()
	within, cancel := WithCancel(soon)
	cancel(nil)
	if until, _ := within.Deadline(); time.Until(until) > time.Minute {
		t.Errorf("the deadline of the parent is lost: %v", until)
	}
	if Reason(within) != nil {
		t.Error("it was given up for another reason")
	}
}

func TestStatus_TellsWhoTookLong(t *testing.T) {
	for _, tt := range []struct {
		reason error
		want   int
	}{{TooLong("slow"), http.StatusGatewayTimeout}, {SlowClient("slow"), http.StatusRequestTimeout}} {
		ctx, cancel := WithCancel(t.Context())
		cancel(tt.reason)
		if got := Status(Reason(ctx)); got != tt.want {
			t.Errorf("%T: got %d", tt.reason, got)
		}
	}
}
