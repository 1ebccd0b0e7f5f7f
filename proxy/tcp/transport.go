package tcp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"fairway/internal/proxyprotocol"
	"fairway/proxy"
)

// Transport reaches servers.
type Transport struct {
	dialer  net.Dialer
	delay   time.Duration // below 0: none
	version int           // of the header that tells the client; 0: none
	tls     *tls.Config
}

// New makes a Transport. It reads files and does not dial.
func (c *ServersTransport) New() (*Transport, error) {
	if c.DialTimeout < 0 {
		return nil, errors.New("dialTimeout: is below 0")
	}
	if err := c.ProxyProtocol.check(); err != nil {
		return nil, err
	}
	t := &Transport{
		dialer: net.Dialer{Timeout: time.Duration(c.DialTimeout), KeepAlive: time.Duration(c.DialKeepAlive)},
		delay:  time.Duration(c.TerminationDelay),
	}
	if c.ProxyProtocol != nil {
		t.version = c.ProxyProtocol.Version
	}
	secure := c.TLS
	if secure == nil {
		secure = &ClientTLS{}
	}
	var err error
	if t.tls, err = proxy.ClientTLS(&proxy.ServersTransport{
		ServerName: secure.ServerName, InsecureSkipVerify: secure.InsecureSkipVerify, RootCAs: secure.RootCAs,
		Certificates: secure.Certificates, PeerCertURI: secure.PeerCertURI,
	}); err != nil {
		return nil, fmt.Errorf("tls.%w", err)
	}
	return t, nil
}

// DefaultTransport has every option at its default.
func DefaultTransport() *Transport {
	c := &ServersTransport{}
	c.SetDefaults()
	t, _ := c.New() // nothing of it can be wrong
	return t
}

// dial connects to a server, and tells it who the client is.
func (t *Transport) dial(ctx context.Context, s Server, c *Client) (net.Conn, error) {
	conn, err := t.dialer.DialContext(ctx, "tcp", s.Address)
	if err != nil {
		return nil, err
	}
	if t.version != 0 {
		if _, err := conn.Write(proxyprotocol.Append(nil, t.version, proxyprotocol.Header{Source: c.Source, Destination: c.Destination})); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	if c.Greet != nil {
		_ = conn.SetDeadline(time.Now().Add(max(t.dialer.Timeout, time.Second)))
		if err := c.Greet(conn); err != nil {
			_ = conn.Close()
			return nil, err
		}
		_ = conn.SetDeadline(time.Time{})
	}
	if !s.TLS {
		return conn, nil
	}
	cfg := t.tls
	if cfg.ServerName == "" {
		cfg = cfg.Clone()
		cfg.ServerName, _, _ = net.SplitHostPort(s.Address)
	}
	secure := tls.Client(conn, cfg)
	ctx, cancel := context.WithTimeout(ctx, max(t.dialer.Timeout, time.Second))
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return secure, nil
}
