package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"fairway/config"
)

// open returns the listener of an entry point: the socket that was handed over for
// it, else one that it binds.
func open(name string, c *config.EntryPoint, given sockets) (net.Listener, error) {
	address, err := c.ListenAddress()
	if err != nil {
		return nil, fmt.Errorf("entry point %s: %w", name, err)
	}
	if l := given[name]; l != nil {
		delete(given, name)
		return l, nil
	}
	var with net.ListenConfig
	if c.ReusePort {
		with.Control = reusePort
	}
	l, err := with.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("entry point %s: %w", name, err)
	}
	return l, nil
}

// openDatagrams binds an address of UDP.
func openDatagrams(address string, shared bool) (*net.UDPConn, error) {
	var with net.ListenConfig
	if shared {
		with.Control = reusePort
	}
	conn, err := with.ListenPacket(context.Background(), "udp", address)
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}

// reusePort lets other processes of the same user listen at the address as well.
func reusePort(_, _ string, raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	return errors.Join(err, failed)
}
