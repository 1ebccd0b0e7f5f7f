package proxy

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"

	"fairway/http1"
	"fairway/internal/record"
)

// switchProtocol carries a connection whose protocol a server that is reached by
// TLS has changed (RFC 9110, section 7.8), until both sides are done or one breaks.
func switchProtocol(w http.ResponseWriter, r *http.Request, res *http.Response, target *Target) error {
	failed := func(err error) error {
		return &Error{Err: fmt.Errorf("%s changed the protocol: %w", target.URL.Redacted(), err), Status: http.StatusBadGateway}
	}
	server, ok := res.Body.(io.ReadWriteCloser)
	asked, got := http1.UpgradeOf(r.Header), res.Header.Get("Upgrade")
	if !ok || asked == "" || !strings.EqualFold(asked, got) {
		return failed(errors.New("to one that was not asked for"))
	}
	more := w.Header().Clone()
	client, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return failed(err)
	}
	defer func() { _ = client.Close() }()
	rec := record.From(r.Context())
	if rec != nil {
		rec.Status = http.StatusSwitchingProtocols
	}
	head := *res
	head.Body = nil
	for _, name := range []string{"Connection", "Upgrade", "Keep-Alive", "Content-Length", "Transfer-Encoding", "Trailer"} {
		more.Del(name) // the server's are those that count
	}
	maps.Copy(head.Header, more)
	if err := errors.Join(head.Write(rw), rw.Flush()); err != nil {
		_ = server.Close()
		return nil
	}
	rec.SetCarried(carry(client, rw.Reader, server))
	return nil
}

// carry copies both ways. The end of one way is passed on; a broken one breaks both. It
// returns the bytes from the client and to it.
func carry(client net.Conn, early io.Reader, server io.ReadWriteCloser) (received, sent int64) {
	one := func(to io.WriteCloser, from io.Reader) int64 {
		n, err := io.Copy(to, from)
		half, ok := to.(interface{ CloseWrite() error })
		if err != nil || !ok || half.CloseWrite() != nil {
			_, _ = client.Close(), server.Close()
		}
		return n
	}
	var both sync.WaitGroup
	both.Go(func() { received = one(server, early) })
	sent = one(client, server)
	both.Wait()
	_ = server.Close()
	return received, sent
}
