package http1

import (
	"net"
	"syscall"
)

// unacknowledged is how long data may stay unacknowledged before a connection is
// given up. A container whose network has been taken away answers nothing, not
// even that it is gone; without a bound its requests would hang for minutes.
const unacknowledged = 10_000 // ms

// tcpUserTimeout is TCP_USER_TIMEOUT of Linux (RFC 5482).
const tcpUserTimeout = 18

func setUserTimeout(conn net.Conn) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, unacknowledged)
	})
}
