package proxy

import (
	"context"
	"net"
	"syscall"
	"time"

	"fairway/internal/record"
)

// The network between the gateway and a server may be taken away in a moment, as
// when a container's machine dies: then nothing answers, not even that it is gone.
// Silent connections are asked by TCP itself; what was sent and is not acknowledged
// within the time of lostAfter ends the connection.
const (
	askEvery  = 5 * time.Second
	lostAfter = 20 * time.Second
)

// dialError marks errors from before a connection stood: nothing was sent.
type dialError struct{ error }

func (e dialError) Unwrap() error { return e.error }

// connectKey is that of the time within which a request wants to be connected. A transport goes
// on with connecting when the request is over, so it must not look at the record.
type connectKey struct{}

// connectWithin has the connecting for a request bounded as its record says.
func connectWithin(ctx context.Context) context.Context {
	if rec := record.From(ctx); rec != nil && rec.Connect > 0 {
		return context.WithValue(ctx, connectKey{}, rec.Connect)
	}
	return ctx
}

// dialer connects within limit; 0 is none.
func dialer(limit time.Duration) func(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{
		Timeout:         limit,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: askEvery, Count: 3},
		Control: func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) { setUserTimeout(fd, lostAfter) })
		},
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if within, ok := ctx.Value(connectKey{}).(time.Duration); ok {
			shorter, cancel := context.WithTimeout(ctx, within)
			defer cancel()
			ctx = shorter
		}
		conn, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, dialError{err}
		}
		return conn, nil
	}
}
