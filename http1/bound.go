package http1

import (
	"net/http"
	"slices"
	"strings"
)

// Some credentials are for a connection and not for a request: with NTLM and Negotiate
// (RFC 4559, section 4) the server lets in whatever comes on a connection after the
// first request that has shown them. Such a connection to a server must serve one client
// only. It is bound to the connection of the client, and ends with it.

// ByConnection tells of credentials, or of a challenge, that are for a connection.
func ByConnection(value string) bool {
	scheme, _, _ := strings.Cut(value, " ")
	return strings.EqualFold(scheme, "NTLM") || strings.EqualFold(scheme, "Negotiate")
}

// authenticates tells whether a request has credentials that are for a connection.
func authenticates(r *http.Request) bool {
	return slices.ContainsFunc(r.Header["Authorization"], ByConnection)
}

// clientOf is the connection of the client that w answers, if the engine serves it.
func clientOf(w http.ResponseWriter) *conn {
	for w != nil {
		switch v := w.(type) {
		case *Writer:
			return v.turn.conn
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			return nil
		}
	}
	return nil
}

// boundTo takes the connection that is bound to the client of w, if it is still good.
func (u *Upstream) boundTo(w http.ResponseWriter) *upstreamConn {
	client := clientOf(w)
	if client == nil {
		return nil
	}
	client.boundMu.Lock()
	c := client.bound[u]
	delete(client.bound, u)
	client.boundMu.Unlock()
	if c == nil {
		return nil
	}
	if c.stale() {
		c.close()
		return nil
	}
	return c
}

// bind keeps a connection for the client of w, and tells whether it could.
func (c *upstreamConn) bind(w http.ResponseWriter) bool {
	client := clientOf(w)
	if client == nil || c.upstream.ending.Load() {
		return false
	}
	c.in.release()
	client.boundMu.Lock()
	defer client.boundMu.Unlock()
	if client.bound == nil {
		client.bound = map[*Upstream]*upstreamConn{}
	}
	if old := client.bound[c.upstream]; old != nil {
		old.close()
	}
	client.bound[c.upstream] = c
	return true
}

// unbind closes what is bound to the connection of a client.
func (c *conn) unbind() {
	c.boundMu.Lock()
	defer c.boundMu.Unlock()
	for _, b := range c.bound {
		b.close()
	}
}
