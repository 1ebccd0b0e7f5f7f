//go:build !unix

package http1

type ask struct{}

func (c *upstreamConn) prepareAsk() {}

// ask writes what is in out, a buffer from the pool, and gives it back.
func (c *upstreamConn) ask(out []byte) error {
	defer giveBuffer(out)
	_, err := c.conn.Write(out)
	return err
}
