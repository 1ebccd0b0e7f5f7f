package statsd

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/internal/record"
	"fairway/telemetry"
	"fairway/telemetry/metrics"
)

func await(t *testing.T, what string, met func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !met(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: did not come about", what)
		}
	}
}

func configured(change func(*Config)) *Config {
	c := &Config{}
	c.SetDefaults()
	change(c)
	return c
}

// build makes a pusher, and the set that it pushes.
func build(t *testing.T, c *Config, state metrics.State, log logrus.FieldLogger) (*metrics.Pusher, *metrics.Metrics) {
	t.Helper()
	sets := &metrics.Sets{State: state}
	p, err := c.New(sets, log)
	if err != nil {
		t.Fatal(err)
	}
	return p, sets.All()[0]
}

// quiet is a log for what is expected to go wrong.
func quiet() *logrus.Logger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

// listen waits for an address that others may have for a moment: whoever connects gets any.
func listen(t *testing.T, address string) (l net.PacketConn) {
	t.Helper()
	await(t, "listening at "+address, func() bool {
		var err error
		l, err = net.ListenPacket("udp", address)
		return err == nil
	})
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// receive reads the next packet.
func receive(t *testing.T, l net.PacketConn) string {
	t.Helper()
	if err := l.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	packet := make([]byte, 64<<10)
	n, _, err := l.ReadFrom(packet)
	if err != nil {
		t.Fatal(err)
	}
	return string(packet[:n])
}

func request(service string, took time.Duration) *telemetry.Exchange {
	return &telemetry.Exchange{
		Record:  &record.Record{EntryPoint: "web", Router: service, Service: service, Leaf: service, Attempts: 2},
		Request: httptest.NewRequest(http.MethodGet, "/", nil), Duration: took, Status: 200, Received: 3, Written: 5,
	}
}
