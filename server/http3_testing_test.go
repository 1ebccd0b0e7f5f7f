package server

import (
	"context"
	"crypto/tls"
	"io"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"fairway/config/dynamic"
	"fairway/internal/decode"
)

// document decodes a YAML document as provider "file" would publish it.
func document(t testing.TB, routes string) *dynamic.Configuration {
	t.Helper()
	tree, err := decode.Document([]byte(routes), ".yml")
	if err != nil {
		t.Fatal(err)
	}
	var cfg dynamic.Configuration
	if faults := tree.Into(&cfg, nil); faults != nil {
		t.Fatal(faults)
	}
	for name, router := range cfg.HTTP.Routers {
		delete(cfg.HTTP.Routers, name)
		cfg.HTTP.Routers[name+"@file"] = router
	}
	for name, service := range cfg.HTTP.Services {
		delete(cfg.HTTP.Services, name)
		cfg.HTTP.Services[name+"@file"] = service
	}
	return &cfg
}

func countDials(n *int) func(context.Context, string, *tls.Config, *quic.Config) (*quic.Conn, error) {
	return func(ctx context.Context, address string, c *tls.Config, q *quic.Config) (*quic.Conn, error) {
		*n++
		return quic.DialAddr(ctx, address, c, q)
	}
}

// dialQUIC opens a connection by QUIC, for a client that says exactly what it is
// told.
func (r *running) dialQUIC(t testing.TB) *quic.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	conn, err := quic.DialAddr(ctx, r.Addresses()["web"], http3.ConfigureTLSConfig(trusting), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseWithError(0, "") })
	control, err := conn.OpenUniStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := control.Write([]byte{0, 4, 0}); err != nil { // a control stream with empty SETTINGS
		t.Fatal(err)
	}
	return conn
}

// frame is one frame of HTTP/3 (RFC 9114, section 7.1).
func frame(kind byte, payload string) string {
	n := len(payload)
	return string([]byte{kind, 0x80 | byte(n>>24), byte(n >> 16), byte(n >> 8), byte(n)}) + payload
}

// section is a field section in which nothing is compressed (RFC 9204, section 4.5.6).
func section(list ...[2]string) string {
	out := []byte{0, 0}
	for _, f := range list {
		out = prefixed(out, 0x20, 3, f[0])
		out = prefixed(out, 0, 7, f[1])
	}
	return string(out)
}

func prefixed(out []byte, flags byte, bits int, s string) []byte {
	n, most := len(s), 1<<bits-1
	if n < most {
		return append(append(out, flags|byte(n)), s...)
	}
	out = append(out, flags|byte(most))
	for n -= most; n >= 0x80; n >>= 7 {
		out = append(out, byte(n)|0x80)
	}
	return append(append(out, byte(n)), s...)
}

// send sends frames as one request and hears what comes back, raw. It returns the
// error of the stream, if it was reset.
func send(t testing.TB, conn *quic.Conn, frames string) (string, error) {
	t.Helper()
	str, err := conn.OpenStreamSync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(str, frames)
	_ = str.Close()
	text, err := io.ReadAll(str)
	return string(text), err
}
