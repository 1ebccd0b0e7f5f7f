package server

import (
	"net"
	"net/netip"
	"time"

	"fairway/config"
	"fairway/http1"
	"fairway/internal/clientip"
	"fairway/internal/proxyprotocol"
)

// proxied takes the addresses of clients from the load balancers that are trusted
// to tell them (PROXY protocol). Nobody else is listened to: what others send is a
// request.
type proxied struct {
	everybody bool
	trusted   clientip.Ranges
}

// newProxied makes one that trusts nobody when the protocol is off.
func newProxied(c *config.ProxyProtocol) (p proxied, err error) {
	if c != nil {
		p.everybody = c.Insecure
		p.trusted, err = clientip.ParseRanges(c.TrustedIPs)
	}
	return p, err
}

// identify returns the connection with the addresses that its header tells, and
// without the header; or as it is.
func (p *proxied) identify(conn *net.TCPConn, end time.Time) (net.Conn, error) {
	if !p.believes(conn.RemoteAddr()) {
		return conn, nil
	}
	_ = conn.SetReadDeadline(end)
	h, _, err := proxyprotocol.Read(conn)
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadDeadline(time.Time{})
	if !h.Source.IsValid() {
		return conn, nil
	}
	return &http1.AddressedConn{TCPConn: conn, Local: address(h.Destination), Remote: address(h.Source)}, nil
}

func (p *proxied) believes(peer net.Addr) bool {
	if p.everybody || len(p.trusted) == 0 {
		return p.everybody
	}
	tcp, ok := peer.(*net.TCPAddr)
	return ok && p.trusted.Contains(tcp.AddrPort().Addr())
}

func address(a netip.AddrPort) net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(a.Addr().Unmap(), a.Port()))
}
