package http1

// sendContinue tells a client that waits for it to send the body: at the first
// read, once, and not after the response has begun.
func (x *turn) sendContinue() {
	if !x.expects {
		return
	}
	x.continuing.Lock()
	defer x.continuing.Unlock()
	if x.mayContinue {
		x.mayContinue = false
		_, _ = x.conn.writer().Write([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
	}
}

// beforeWrite keeps a late 100 Continue out of a response that begins.
func (w *Writer) beforeWrite() {
	if x := w.turn; x.expects {
		x.continuing.Lock()
		x.mayContinue = false
		x.continuing.Unlock()
	}
}
