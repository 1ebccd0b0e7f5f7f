//go:build !linux

package http1

import "net"

func setUserTimeout(net.Conn) {}
