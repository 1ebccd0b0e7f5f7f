package http1

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// refusals are the rules against request smuggling, one line or more for each.
// fields go into a request and into a response.
var refusals = []struct {
	name   string
	fields string
	body   string
	want   error
}{
	{"length and coding", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", errLengthAndCoding},
	{"coding and length", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n", errLengthAndCoding},
	{"differing lengths", "Content-Length: 5\r\nContent-Length: 6\r\n", "123456", errSeveralLengths},
	{"repeated length", "Content-Length: 5\r\ncontent-length: 5\r\n", "12345", errSeveralLengths},
	{"list of lengths", "Content-Length: 5, 5\r\n", "12345", errLength},
	{"length with a sign", "Content-Length: +5\r\n", "12345", errLength},
	{"negative length", "Content-Length: -5\r\n", "12345", errLength},
	{"length in hexadecimal", "Content-Length: 0x5\r\n", "12345", errLength},
	{"length with a blank", "Content-Length: 5 5\r\n", "12345", errLength},
	{"empty length", "Content-Length:\r\n", "12345", errLength},
	{"length too large", "Content-Length: 9223372036854775808\r\n", "12345", errLength},
	{"length with underscore", "Content-Length: 1_0\r\n", "1234567890", errLength},

	{"coding identity", "Transfer-Encoding: identity\r\n", "", errCoding},
	{"coding twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", errCoding},
	{"coding twice in a list", "Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n", errCoding},
	{"coding not final", "Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n", errCoding},
	{"coding unknown", "Transfer-Encoding: xchunked\r\n", "0\r\n\r\n", errCoding},
	{"coding quoted", "Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n", errCoding},
	{"coding with an empty element", "Transfer-Encoding: ,chunked\r\n", "0\r\n\r\n", errCoding},
	{"coding empty", "Transfer-Encoding:\r\n", "0\r\n\r\n", errCoding},
	{"coding and vertical tab", "Transfer-Encoding: \vchunked\r\n", "0\r\n\r\n", errControlByte},
	{"another coding first", "Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n", errOtherCoding},

	{"folded field", "X-A: b\r\n c\r\n", "", errFold},
	{"folded by tab", "X-A: b\r\n\tc\r\n", "", errFold},
	{"bare CR in a value", "X-A: b\rc\r\n", "", errBareCR},
	{"CR before CRLF", "X-A: b\r\r\n", "", errBareCR},
	{"bare LF", "X-A: b\nX-B: c\r\n", "", errBareLF},
	{"bare LF after a name", "X-A\nX-B: c\r\n", "", errBareLF},
	{"bare CR before a line", "\rX-A: b\r\n", "", errBareCR},
	{"bare CR in a name", "X\r-A: b\r\n", "", errFieldName},
	{"NUL in a value", "X-A: b\x00c\r\n", "", errControlByte},
	{"control byte in a value", "X-A: b\x1bc\r\n", "", errControlByte},
	{"DEL in a value", "X-A: b\x7f\r\n", "", errControlByte},
	{"space before the colon", "X-A : b\r\n", "", errSpaceColon},
	{"tab before the colon", "Transfer-Encoding\t: chunked\r\n", "", errSpaceColon},
	{"line without colon", "X-A\r\n", "", errFieldName},
	{"empty name", ": b\r\n", "", errFieldName},
	{"name with a parenthesis", "X(A): b\r\n", "", errFieldName},
	{"name with a letter beyond ASCII", "X-\u00c4: b\r\n", "", errFieldName},
	{"name with NUL", "X\x00A: b\r\n", "", errFieldName},

	{"chunk size missing", "Transfer-Encoding: chunked\r\n", "\r\n", errChunkSize},
	{"chunk size no number", "Transfer-Encoding: chunked\r\n", "x\r\n", errChunkSize},
	{"chunk size with a sign", "Transfer-Encoding: chunked\r\n", "+1\r\na\r\n0\r\n\r\n", errChunkSize},
	{"chunk size with 0x", "Transfer-Encoding: chunked\r\n", "0x1\r\na\r\n0\r\n\r\n", errChunkSize},
	{"chunk size padded left", "Transfer-Encoding: chunked\r\n", " 1\r\na\r\n0\r\n\r\n", errChunkSize},
	{"chunk size padded right", "Transfer-Encoding: chunked\r\n", "1 \r\na\r\n0\r\n\r\n", errChunkSize},
	{"chunk size padded before extension", "Transfer-Encoding: chunked\r\n", "1 ;x\r\na\r\n0\r\n\r\n", errChunkSize},
	{"chunk size overflowing", "Transfer-Encoding: chunked\r\n", "10000000000000001\r\na\r\n", errChunkTooLong},
	{"chunk size beyond a signed number", "Transfer-Encoding: chunked\r\n", "ffffffffffffffff\r\na\r\n", errChunkTooLong},
	{"chunk line with bare LF", "Transfer-Encoding: chunked\r\n", "1\na\r\n0\r\n\r\n", errBareLF},
	{"chunk line with bare CR", "Transfer-Encoding: chunked\r\n", "1;\ra\r\na\r\n0\r\n\r\n", errChunkExtension},
	{"chunk data too long", "Transfer-Encoding: chunked\r\n", "1\r\nab\r\n0\r\n\r\n", errChunkEnd},
	{"chunk data ends in LF", "Transfer-Encoding: chunked\r\n", "1\r\na\n0\r\n\r\n", errChunkEnd},
	{"chunk data without end", "Transfer-Encoding: chunked\r\n", "1\r\na0\r\n\r\n", errChunkEnd},
	{"long chunk line", "Transfer-Encoding: chunked\r\n", "1;" + strings.Repeat("a", 2000) + "\r\na\r\n0\r\n\r\n", errChunkLine},
	{"endless extensions", "Transfer-Encoding: chunked\r\n", strings.Repeat("1;"+strings.Repeat("a", 900)+"\r\na\r\n", 12), errChunkOverhead},

	{"length in trailers", "Transfer-Encoding: chunked\r\n", "0\r\nContent-Length: 5\r\n\r\n", errTrailerName},
	{"coding in trailers", "Transfer-Encoding: chunked\r\n", "0\r\ntransfer-encoding: chunked\r\n\r\n", errTrailerName},
	{"host in trailers", "Transfer-Encoding: chunked\r\n", "0\r\nHost: b\r\n\r\n", errTrailerName},
	{"connection in trailers", "Transfer-Encoding: chunked\r\n", "0\r\nConnection: close\r\n\r\n", errTrailerName},
	{"folded trailer", "Transfer-Encoding: chunked\r\n", "0\r\nA: b\r\n c\r\n\r\n", errFold},
	{"trailer without colon", "Transfer-Encoding: chunked\r\n", "0\r\nGET / HTTP/1.1\r\n\r\n", errSpaceColon},
	{"bare LF in trailers", "Transfer-Encoding: chunked\r\n", "0\r\nA: b\n\r\n", errBareLF},
	{"long trailers", "Transfer-Encoding: chunked\r\n", "0\r\n" + strings.Repeat("A: "+strings.Repeat("b", 90)+"\r\n", 100) + "\r\n", errTrailerTooLong},
	{"very long trailer", "Transfer-Encoding: chunked\r\n", "0\r\nA: " + strings.Repeat("b", 90000), errTrailerTooLong},

	{"too many fields", strings.Repeat("A: b\r\n", 200), "", errTooManyFields},
	{"head too long", "A: " + strings.Repeat("b", 70000) + "\r\n", "", errHeadTooLong},
}

func TestRefusals(t *testing.T) {
	for _, tt := range refusals {
		for _, m := range []struct{ name, first string }{
			{"request", "POST / HTTP/1.1\r\nHost: a\r\n"},
			{"response", "HTTP/1.1 200 OK\r\n"},
		} {
			t.Run(m.name+"/"+tt.name, func(t *testing.T) {
				text := m.first + tt.fields + "\r\n" + tt.body
				for _, src := range []io.Reader{strings.NewReader(text), oneByOne{strings.NewReader(text)}} {
					var p parsed
					var err error
					if m.name == "request" {
						_, p, err = readRequest(src)
					} else {
						_, p, err = readResponse(src, "GET")
					}
					if err == nil {
						err = p.err
					}
					if !errors.Is(err, tt.want) {
						t.Errorf("got %v, want %v", err, tt.want)
					}
				}
			})
		}
	}
}

func TestRefusals_OldVersion(t *testing.T) {
	if _, _, err := readRequest(strings.NewReader("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")); !errors.Is(err, errOldCoding) {
		t.Errorf("request: %v", err)
	}
	if _, _, err := readResponse(strings.NewReader("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "GET"); !errors.Is(err, errOldCoding) {
		t.Errorf("response: %v", err)
	}
}

func TestRequest_Refusals(t *testing.T) {
	tests := []struct {
		name, head string
		want       error
	}{
		{"no host", "GET / HTTP/1.1\r\n\r\n", errNoHost},
		{"two hosts", lines("GET / HTTP/1.1", "Host: a", "Host: a"), errSeveralHosts},
		{"empty host", lines("GET / HTTP/1.1", "Host:"), errHost},
		{"list of hosts", lines("GET / HTTP/1.1", "Host: a, b"), errHost},
		{"host with user", lines("GET / HTTP/1.1", "Host: u@a"), errHost},
		{"host with path", lines("GET / HTTP/1.1", "Host: a/b"), errHost},
		{"host with a strange port", lines("GET / HTTP/1.1", "Host: a:80a"), errHost},
		{"host with an open bracket", lines("GET / HTTP/1.1", "Host: [::1"), errHost},
		{"host with only a port", lines("GET / HTTP/1.1", "Host: :80"), errHost},
		{"several hosts in HTTP/1.0", lines("GET / HTTP/1.0", "Host: a", "Host: b"), errSeveralHosts},
		{"URL with another host", lines("GET http://b/ HTTP/1.1", "Host: a"), errTargetHost},
		{"URL with another port", lines("GET http://a:81/ HTTP/1.1", "Host: a"), errTargetHost},
		{"URL with user", lines("GET http://u:p@a/ HTTP/1.1", "Host: a"), errTarget},
		{"URL of another scheme", lines("GET ftp://a/ HTTP/1.1", "Host: a"), errTarget},
		{"URL without host", lines("GET http:///x HTTP/1.1", "Host: a"), errTarget},
		{"relative target", lines("GET x HTTP/1.1", "Host: a"), errTarget},
		{"star for GET", lines("GET * HTTP/1.1", "Host: a"), errTarget},
		{"fragment", lines("GET /a#b HTTP/1.1", "Host: a"), errTarget},
		{"fragment in query", lines("GET /a?b#c HTTP/1.1", "Host: a"), errTarget},
		{"tab in target", lines("GET /a\tb HTTP/1.1", "Host: a"), errTarget},
		{"NUL in query", lines("GET /?a\x00b HTTP/1.1", "Host: a"), errTarget},
		{"bad escape", lines("GET /%zz HTTP/1.1", "Host: a"), errTarget},
		{"CONNECT with path", lines("CONNECT /a HTTP/1.1", "Host: a"), errTarget},
		{"CONNECT to another host", lines("CONNECT b:443 HTTP/1.1", "Host: a:443"), errTargetHost},
		{"space before method", lines(" GET / HTTP/1.1", "Host: a"), errRequestLine},
		{"two spaces after method", lines("GET  / HTTP/1.1", "Host: a"), errTarget},
		{"two spaces before version", lines("GET /  HTTP/1.1", "Host: a"), errTarget},
		{"space after version", lines("GET / HTTP/1.1 ", "Host: a"), errRequestLine},
		{"tab after version", lines("GET / HTTP/1.1\t", "Host: a"), errRequestLine},
		{"tab as separator", lines("GET\t/\tHTTP/1.1", "Host: a"), errRequestLine},
		{"no version", lines("GET /", "Host: a"), errRequestLine},
		{"no target", lines("GET HTTP/1.1", "Host: a"), errRequestLine},
		{"lower case version", lines("GET / http/1.1", "Host: a"), errRequestLine},
		{"HTTP/2.0", lines("PRI * HTTP/2.0"), errVersion},
		{"HTTP/0.9", lines("GET / HTTP/0.9", "Host: a"), errVersion},
		{"HTTP/1.2", lines("GET / HTTP/1.2", "Host: a"), errVersion},
		{"long version", lines("GET / HTTP/1.10", "Host: a"), errRequestLine},
		{"method no token", lines("G(T / HTTP/1.1", "Host: a"), errMethod},
		{"empty lines", "\r\n\r\n", errRequestLine},
		{"CR in request line", lines("GET /\ra HTTP/1.1", "Host: a"), errTarget},
		{"long target", lines("GET /"+strings.Repeat("a", 20000)+" HTTP/1.1", "Host: a"), errURITooLong},
		{"bad trailer name", lines("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Trailer: Content-Length"), errTrailerName},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, _, err := readRequest(strings.NewReader(tt.head)); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestResponse_Refusals(t *testing.T) {
	tests := []struct {
		name, head string
		want       error
	}{
		{"no status", lines("HTTP/1.1"), errStatusLine},
		{"short status", lines("HTTP/1.1 20 OK"), errStatusLine},
		{"long status", lines("HTTP/1.1 2000 OK"), errStatusLine},
		{"status with letters", lines("HTTP/1.1 2x0 OK"), errStatusLine},
		{"status below 100", lines("HTTP/1.1 099 OK"), errStatusLine},
		{"two spaces", lines("HTTP/1.1  200 OK"), errStatusLine},
		{"space in front", lines(" HTTP/1.1 200 OK"), errStatusLine},
		{"HTTP/2.0", lines("HTTP/2.0 200 OK"), errVersion},
		{"no HTTP", lines("SSH-2.0-OpenSSH"), errStatusLine},
		{"NUL in reason", lines("HTTP/1.1 200 O\x00K"), errControlByte},
		{"CR in reason", lines("HTTP/1.1 200 O\rK"), errBareCR},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, _, err := readResponse(strings.NewReader(tt.head), "GET"); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}
