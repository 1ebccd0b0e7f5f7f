package http1

import "strconv"

// The wire, from the bottom up; both ends of the gateway are built from it.
//
//	input         buffered bytes of a connection; head() waits for a whole head
//	fieldReader   takes the lines of a head apart and checks them
//	request       a parsed request, in an http.Request that is used again
//	Response      a parsed response, with its lines in order for passing on
//	framing       where the body of a message ends, and whether the connection
//	              lives on; both of the above have one
//	body          reads one body as its framing says, and its trailers
//	appendChunk   and appendLastChunk write chunks and trailers
//
// Reading a message is: in.head, parse, in.consume, then the body, which reads
// from the same input. When body.complete() and not framing.close, the next
// message begins at the first byte of the input.

// bodyKind is how the end of a body is found.
type bodyKind uint8

const (
	bodyNone   bodyKind = iota // there is no body
	bodyLength                 // after as many bytes as Content-Length says
	bodyChunks                 // with the chunk of size zero
	bodyClose                  // with the connection
)

// framing is what a head says of its body and of the connection.
type framing struct {
	kind   bodyKind
	length int64 // Content-Length; -1 when there is none
	close  bool  // the connection ends with this message
	minor  int   // of the HTTP version: 0 or 1

	lengths, codings int    // field lines seen
	coding           string // value of Transfer-Encoding
	keepAlive        bool   // Connection lists keep-alive
	upgrade          bool   // Connection lists upgrade
	nominates        bool   // Connection lists anything else
}

// start begins with a head of HTTP/1.minor.
func (f *framing) start(minor int) { *f = framing{length: -1, minor: minor} }

// note takes in one field line, if it concerns the framing.
func (f *framing) note(name, value string) error {
	switch name {
	case nameContentLength:
		if f.lengths++; f.lengths > 1 {
			return errSeveralLengths
		}
		n, ok := parseLength(value)
		if !ok {
			return errLength
		}
		f.length = n
	case nameTransferEncoding:
		if f.codings++; f.codings > 1 {
			return errCoding
		}
		f.coding = value
	case nameConnection:
		f.noteConnection(value)
	}
	return nil
}

func (f *framing) noteConnection(value string) {
	switch {
	case equalFold(value, "keep-alive"): // nearly always
		f.keepAlive = true
		return
	case equalFold(value, "close"):
		f.close = true
		return
	}
	eachElement(value, func(element string) bool {
		switch {
		case equalFold(element, "close"):
			f.close = true
		case equalFold(element, "keep-alive"):
			f.keepAlive = true
		case equalFold(element, "upgrade"):
			f.upgrade = true
		default:
			f.nominates = true
		}
		return true
	})
}

// finish decides when all lines have been noted.
func (f *framing) finish() error {
	if f.minor == 0 && !f.keepAlive {
		f.close = true
	}
	if f.codings > 0 {
		if err := f.checkCoding(); err != nil {
			return err
		}
		f.kind = bodyChunks
		return nil
	}
	if f.length > 0 {
		f.kind = bodyLength
	}
	return nil
}

// checkCoding accepts one "chunked" and nothing else. Other codings in front of
// it are known to HTTP but not to the engine.
func (f *framing) checkCoding() error {
	switch {
	case f.minor == 0:
		return errOldCoding
	case f.lengths > 0:
		return errLengthAndCoding
	case equalFold(f.coding, "chunked"):
		return nil
	}
	var last string
	chunked, others := 0, true
	eachElement(f.coding, func(element string) bool {
		if last = element; equalFold(element, "chunked") {
			chunked++
		} else if !isToken(element) {
			others = false
		}
		return true
	})
	if others && chunked == 1 && equalFold(last, "chunked") && len(f.coding) > len("chunked,") {
		return errOtherCoding
	}
	return errCoding
}

// parseLength accepts digits only, of a number that fits.
func parseLength(s string) (int64, bool) {
	if s == "" || !allBytes(s, digitByte) {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// hasNoBody tells whether a response to method with status ends with its head,
// whatever its fields say.
func hasNoBody(method string, status int) bool {
	return method == "HEAD" || !statusAllowsBody(status)
}

func statusAllowsBody(status int) bool {
	return status >= 200 && status != 204 && status != 304
}
