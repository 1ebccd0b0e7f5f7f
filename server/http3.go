package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/sys/unix"
)

// http3Server serves HTTP/3 (RFC 9114) at the port of an entry point, by UDP, with
// the handler that serves everything else there. QUIC, TLS and the framing are
// quic-go's; how long a connection may be idle, how a request must look beyond the
// framing, and how all of it ends, is seen to here.
//
// Data that a client sends before the handshake is done (0-RTT) is not accepted:
// whoever overhears it can send it again (RFC 8446, section 8).
type http3Server struct {
	entry     *entryPoint
	udp       net.PacketConn
	transport *quic.Transport
	listener  *quic.Listener
	server    *http3.Server
	arrivals  surge
	active    atomic.Int64 // requests under way
	open      atomic.Int64 // connections
}

const (
	// quicSilence is how long nothing may come from a client. One that is there
	// answers when it is asked, so that a request may wait much longer, and one that
	// has gone is noticed.
	quicSilence = 30 * time.Second
	quicAsk     = 15 * time.Second
	// quicStreams is how many requests of one connection are served at a time, as by
	// HTTP/2. A client that gives up requests faster than they can be ended is cut
	// off at twice as many.
	quicStreams = 250
	// quicOneWay leaves room beside the three streams that HTTP/3 needs (section 6.2).
	quicOneWay = 16
	// quicStreamWindow and quicConnWindow bound what waits here of the bodies of
	// requests. Windows begin smaller, and grow for who sends fast.
	quicStreamWindow = 1 << 20
	quicConnWindow   = 4 << 20
	// altSvcAge is how long clients remember that there is HTTP/3, in seconds.
	altSvcAge = 30 * 24 * 60 * 60
)

// listenHTTP3 binds the UDP port of the number that the TCP listener has, and has
// the entry point's responses tell of it (RFC 7838).
func (e *entryPoint) listenHTTP3() error {
	if e.config.HTTP3 == nil {
		return nil
	}
	var with net.ListenConfig
	if e.config.ReusePort {
		with.Control = reusePort
	}
	udp, err := with.ListenPacket(context.Background(), "udp", e.listener.Addr().String())
	if err != nil {
		return fmt.Errorf("entry point %s: http3: %w", e.name, err)
	}
	h := &http3Server{entry: e, udp: udp}
	h.transport = &quic.Transport{Conn: udp, VerifySourceAddress: func(net.Addr) bool { return h.arrivals.over(time.Now().Unix()) }}
	h.server = &http3.Server{Handler: h, ConnContext: h.welcome, MaxHeaderBytes: e.standard.MaxHeaderBytes}
	quietUDP()
	h.listener, err = h.transport.Listen(http3.ConfigureTLSConfig(e.tls), &quic.Config{
		HandshakeIdleTimeout:       e.patience() / 2, // quic-go allows twice as much for all of it
		MaxIdleTimeout:             quicSilence,
		KeepAlivePeriod:            quicAsk,
		MaxIncomingStreams:         quicStreams,
		MaxIncomingUniStreams:      quicOneWay,
		MaxStreamReceiveWindow:     quicStreamWindow,
		MaxConnectionReceiveWindow: quicConnWindow,
	})
	if err != nil {
		return errors.Join(fmt.Errorf("entry point %s: http3: %w", e.name, err), udp.Close())
	}
	h.tellOfBuffers()
	e.http3 = h
	e.outer.altSvc = []string{fmt.Sprintf(`h3=":%d"; ma=%d`, h.port(), altSvcAge)}
	return nil
}

// port is that which clients are told of.
func (h *http3Server) port() int {
	if p := h.entry.config.HTTP3.AdvertisedPort; p != 0 {
		return p
	}
	return h.udp.LocalAddr().(*net.UDPAddr).Port
}

// quicBuffer is the size of the socket's buffers that quic-go asks for.
const quicBuffer = 7 << 20

// quietUDP keeps quic-go from printing that it did not get its buffers: the log is
// the operator's, and in the format of the operator.
func quietUDP() { _ = os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true") }

// tellOfBuffers says once in the log when the system allows only small buffers:
// then packets are lost in bursts, which makes long uploads slow.
func (h *http3Server) tellOfBuffers() {
	conn, ok := h.udp.(*net.UDPConn)
	if !ok {
		return
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	var size int
	_ = raw.Control(func(fd uintptr) { size, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF) })
	if err == nil && size < quicBuffer {
		h.entry.log.WithField("bytes", strconv.Itoa(size)).
			Infof("http3: the system allows only small buffers for UDP; the sysctls net.core.rmem_max and net.core.wmem_max of the host should be %d", quicBuffer)
	}
}

// surge tells when so many connections begin that their addresses may be forged:
// then clients have to show that they receive what is sent to them, which costs
// them a message there and back (RFC 9000, section 8.1.2).
type surge struct{ second, count atomic.Int64 }

// calm is how many connections may begin in a second without that.
const calm = 200

func (s *surge) over(second int64) bool {
	if before := s.second.Load(); before != second && s.second.CompareAndSwap(before, second) {
		s.count.Store(0)
	}
	return s.count.Add(1) > calm
}

// serve works until stop.
func (h *http3Server) serve() {
	if err := h.server.ServeListener(h.listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
		h.entry.log.WithError(err).Error("entry point stopped serving HTTP/3")
	}
}

const (
	// hangUp is how long clients may take to hear that the gateway goes (GOAWAY,
	// RFC 9114, section 5.2), to acknowledge the last of a response, and to hang up.
	hangUp = time.Second / 2
	// cutting is how long requests may take to notice that they are cut off.
	cutting = time.Second
)

// stop accepts no more, says so to the clients, lets the requests under way end
// until ctx does, and hangs up.
func (h *http3Server) stop(ctx context.Context) {
	_ = h.listener.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = h.server.Shutdown(ctx)
	}()
	h.awaitRequests(ctx)
	select {
	case <-ended:
	case <-ctx.Done():
	case <-time.After(hangUp):
	}
	cancel()
	select {
	case <-ended:
	case <-time.After(cutting):
	}
	h.close()
}

func (h *http3Server) awaitRequests(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for h.active.Load() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (h *http3Server) close() {
	_ = h.transport.Close()
	_ = h.udp.Close()
}

// close gives up the addresses of an entry point that has not served.
func (e *entryPoint) close() error {
	if e.http3 != nil {
		e.http3.close()
	}
	return e.listener.Close()
}
