package statsd

import (
	"context"
	"net"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// mostBytes of a packet go through every network whole: 1500 of Ethernet, less the heads of
// IPv6 and UDP, and room for a tunnel.
const mostBytes = 1432

// askAgain is how long an address is believed: containers come back with another one.
const askAgain = time.Minute

// sender implements metrics.Sender.
type sender struct {
	address string
	lines   lines
	conn    net.Conn // nil: there is none yet
	asked   time.Time
}

// Send implements metrics.Sender. That nobody listens is noticed later, if at all: by what
// comes back from a packet that was sent before. So a packet that is refused is sent again.
func (s *sender) Send(ctx context.Context, families []*dto.MetricFamily) error {
	var refused error
	packets := pack(s.lines.of(families))
	for _, packet := range packets {
		if err := s.send(ctx, packet); err != nil {
			refused = err
			s.hangUp()
			if err := s.send(ctx, packet); err != nil {
				s.hangUp()
				return err
			}
		}
	}
	return refused
}

func (s *sender) send(ctx context.Context, packet []byte) error {
	if s.conn != nil && time.Since(s.asked) > askAgain {
		s.hangUp()
	}
	if s.conn == nil {
		conn, err := (&net.Dialer{}).DialContext(ctx, "udp", s.address)
		if err != nil {
			return err
		}
		s.conn, s.asked = conn, time.Now()
	}
	_, err := s.conn.Write(packet)
	return err
}

func (s *sender) hangUp() {
	if s.conn != nil {
		_ = s.conn.Close()
		s.conn = nil
	}
}

// Close implements metrics.Sender.
func (s *sender) Close() error {
	s.hangUp()
	return nil
}

// pack puts as many lines into a packet as find room.
func pack(lines []string) (packets [][]byte) {
	var packet []byte
	for _, line := range lines {
		if len(packet) > 0 && len(packet)+1+len(line) > mostBytes {
			packets, packet = append(packets, packet), nil
		}
		if len(packet) > 0 {
			packet = append(packet, '\n')
		}
		packet = append(packet, line...)
	}
	if len(packet) > 0 {
		packets = append(packets, packet)
	}
	return packets
}
