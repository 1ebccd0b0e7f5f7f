//go:build !linux

package http1

import (
	"net"
	"time"
)

func setUserTimeout(net.Conn, time.Duration) {}
