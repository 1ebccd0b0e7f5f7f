package proxyprotocol

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
)

// Read takes the header off the start of a connection. present is false when the
// connection begins with something else, of which nothing is taken then. It waits
// as long as the read deadline of the connection allows.
func Read(conn *net.TCPConn) (h Header, present bool, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return Header{}, false, err
	}
	version := 0
	err = peek(raw, len(signature2), func(b []byte) bool {
		var decided bool
		version, decided = begins(b)
		return decided
	})
	if err != nil || version == 0 {
		return Header{}, false, err
	}
	if version == 1 {
		h, err = readLine(conn, raw)
	} else {
		h, err = readBinary(conn)
	}
	if err != nil {
		return Header{}, true, fmt.Errorf("PROXY header of version %d: %w", version, err)
	}
	return h, true, nil
}

// begins tells of which version the header is that begins with b, 0 for none, as
// soon as that is decided.
func begins(b []byte) (version int, decided bool) {
	for i, signature := range []string{signature1, signature2} {
		n := min(len(b), len(signature))
		if string(b[:n]) == signature[:n] {
			return i + 1, n == len(signature)
		}
	}
	return 0, true
}

// readLine takes what has come up to the end of the line. As long as that is not
// in it, all of it belongs to the header.
func readLine(conn *net.TCPConn, raw syscall.RawConn) (Header, error) {
	line := make([]byte, 0, longestLine)
	for len(line) < longestLine && !bytes.HasSuffix(line, []byte("\n")) {
		n := 0
		err := peek(raw, longestLine-len(line), func(b []byte) bool {
			if n = bytes.IndexByte(b, '\n') + 1; n == 0 {
				n = len(b)
			}
			return true
		})
		if err != nil {
			return Header{}, err
		}
		if _, err := io.ReadFull(conn, line[len(line):len(line)+n]); err != nil {
			return Header{}, err
		}
		line = line[:len(line)+n]
	}
	return parseLine(line)
}

func readBinary(conn *net.TCPConn) (Header, error) {
	b := make([]byte, fixedPart, fixedPart+addresses6)
	if _, err := io.ReadFull(conn, b); err != nil {
		return Header{}, err
	}
	n, err := restLength(b)
	if err != nil {
		return Header{}, err
	}
	b = append(b, make([]byte, n)...)
	if _, err := io.ReadFull(conn, b[fixedPart:]); err != nil {
		return Header{}, err
	}
	return parseBinary(b)
}

// peek shows the first bytes that have come, up to most, and waits for more until
// enough is content with them.
func peek(raw syscall.RawConn, most int, enough func([]byte) bool) error {
	b := make([]byte, most)
	var failed error
	err := raw.Read(func(fd uintptr) bool {
		for {
			n, _, err := syscall.Recvfrom(int(fd), b, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			switch {
			case errors.Is(err, syscall.EINTR):
				continue
			case errors.Is(err, syscall.EAGAIN):
				return false
			case err != nil:
				failed = err
				return true
			case n == 0:
				failed = io.EOF
				return true
			}
			return enough(b[:n])
		}
	})
	return errors.Join(err, failed)
}
