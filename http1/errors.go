package http1

// ProtocolError tells which rule a message broke. From a client it is answered
// with its status; from an upstream the answer is 502. The connection is closed
// either way: nobody knows where the next message would begin.
type ProtocolError struct {
	Status int    // what to answer a client
	Rule   string // what is wrong with the message
}

func (e *ProtocolError) Error() string { return e.Rule }

// The rules. Errors are compared by identity.
var (
	errRequestLine  = &ProtocolError{400, "malformed request line"}
	errMethod       = &ProtocolError{400, "method is no token"}
	errTarget       = &ProtocolError{400, "malformed request target"}
	errTargetHost   = &ProtocolError{400, "request target names another host than the Host field"}
	errURITooLong   = &ProtocolError{414, "request target is too long"}
	errVersion      = &ProtocolError{505, "HTTP version is neither 1.0 nor 1.1"}
	errStatusLine   = &ProtocolError{400, "malformed status line"}
	errNoHost       = &ProtocolError{400, "no Host field"}
	errSeveralHosts = &ProtocolError{400, "several Host fields"}
	errHost         = &ProtocolError{400, "malformed Host field"}

	errHeadTooLong   = &ProtocolError{431, "head is too long"}
	errHeadTooSlow   = &ProtocolError{408, "head came too slowly"}
	errTooManyFields = &ProtocolError{431, "too many fields"}
	errFold          = &ProtocolError{400, "field is folded over several lines"}
	errFieldName     = &ProtocolError{400, "field name is no token"}
	errSpaceColon    = &ProtocolError{400, "space between field name and colon"}
	errBareLF        = &ProtocolError{400, "line ends in LF without CR"}
	errBareCR        = &ProtocolError{400, "CR without LF"}
	errControlByte   = &ProtocolError{400, "control byte in a field value"}

	errLengthAndCoding = &ProtocolError{400, "both Content-Length and Transfer-Encoding"}
	errSeveralLengths  = &ProtocolError{400, "several Content-Length fields"}
	errLength          = &ProtocolError{400, "Content-Length is no number"}
	errCoding          = &ProtocolError{400, "Transfer-Encoding is not one chunked"}
	errOtherCoding     = &ProtocolError{501, "Transfer-Encoding other than chunked"}
	errOldCoding       = &ProtocolError{400, "Transfer-Encoding in HTTP/1.0"}
	errTrailerName     = &ProtocolError{400, "field is not allowed as a trailer"}

	errChunkSize      = &ProtocolError{400, "malformed chunk size"}
	errChunkTooLong   = &ProtocolError{400, "chunk size is too large"}
	errChunkExtension = &ProtocolError{400, "malformed chunk extension"}
	errChunkEnd       = &ProtocolError{400, "chunk does not end where its size says"}
	errChunkLine      = &ProtocolError{400, "line of a chunk is too long"}
	errChunkOverhead  = &ProtocolError{400, "chunks have more extensions than data"}
	errTrailerTooLong = &ProtocolError{400, "trailers are too long"}

	errSwitch        = &ProtocolError{400, "change to a protocol that was not asked for"}
	errInformational = &ProtocolError{400, "too many informational responses"}

	errConnect     = &ProtocolError{501, "CONNECT is not served"}
	errExpectation = &ProtocolError{417, "expectation other than 100-continue"}
)
