package server

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// malformed are requests that no server may receive: what they say could mean
// another request in HTTP/1.1, or something else to two servers in a row.
var malformed = map[string]struct {
	without string // pseudo-field that is left out
	fields  [][2]string
	body    string
}{
	"CR in a value":              {fields: [][2]string{{"x-a", "1\rx"}}},
	"LF in a value":              {fields: [][2]string{{"x-a", "1\nx-b: 2"}}},
	"NUL in a value":             {fields: [][2]string{{"x-a", "1\x00"}}},
	"LF in a name":               {fields: [][2]string{{"x-a\nx-b", "1"}}},
	"space in a name":            {fields: [][2]string{{"x a", "1"}}},
	"colon in a name":            {fields: [][2]string{{"x:a", "1"}}},
	"capital in a name":          {fields: [][2]string{{"X-A", "1"}}},
	"empty name":                 {fields: [][2]string{{"", "1"}}},
	"connection":                 {fields: [][2]string{{"connection", "x-a"}}},
	"keep-alive":                 {fields: [][2]string{{"keep-alive", "5"}}},
	"proxy-connection":           {fields: [][2]string{{"proxy-connection", "close"}}},
	"transfer-encoding":          {fields: [][2]string{{"transfer-encoding", "chunked"}}, body: "0\r\n\r\n"},
	"upgrade":                    {fields: [][2]string{{"upgrade", "websocket"}}},
	"te that is not trailers":    {fields: [][2]string{{"te", "gzip"}}},
	"unknown pseudo-field":       {fields: [][2]string{{":evil", "1"}}},
	"pseudo-field at the end":    {without: ":path", fields: [][2]string{{"x-a", "1"}, {":path", "/"}}},
	"status in a request":        {fields: [][2]string{{":status", "200"}}},
	"path twice":                 {fields: [][2]string{{":path", "/other"}}},
	"no path":                    {without: ":path"},
	"no method":                  {without: ":method"},
	"path without slash":         {without: ":path", fields: [][2]string{{":path", "evil"}}},
	"path with LF":               {without: ":path", fields: [][2]string{{":path", "/ HTTP/1.1\nx: y"}}},
	"path with fragment":         {without: ":path", fields: [][2]string{{":path", "/a#b"}}},
	"method that is none":        {without: ":method", fields: [][2]string{{":method", "GET / HTTP/1.1"}}},
	"host and another authority": {fields: [][2]string{{"host", "b.test"}}},
	"two hosts":                  {fields: [][2]string{{"host", "a.test"}, {"host", "b.test"}}},
	"authority with a path":      {without: ":authority", fields: [][2]string{{":authority", "a.test/b"}}},
	"authority with a user":      {without: ":authority", fields: [][2]string{{":authority", "x@a.test"}}},
	"authority with a space":     {without: ":authority", fields: [][2]string{{":authority", "a.test b"}}},
	"longer than it says":        {fields: [][2]string{{"content-length", "4"}}, body: "body and more"},
	"shorter than it says":       {fields: [][2]string{{"content-length", "9"}}, body: "body"},
	"says a length, has nothing": {fields: [][2]string{{"content-length", "9"}}},
	"says nothing, has a body":   {fields: [][2]string{{"content-length", "0"}}, body: "body"},
	"length that is none":        {fields: [][2]string{{"content-length", "x"}}, body: "body"},
	"negative length":            {fields: [][2]string{{"content-length", "-4"}}, body: "body"},
	"two lengths":                {fields: [][2]string{{"content-length", "4"}, {"content-length", "5"}}, body: "body"},
}

// head returns the fields of a request with those of a case.
func head(without string, more [][2]string) (list [][2]string) {
	for _, f := range [][2]string{{":method", "POST"}, {":scheme", "https"}, {":authority", "a.test"}, {":path", "/"}} {
		if f[0] != without {
			list = append(list, f)
		}
	}
	return append(list, more...)
}

// whole is a server that counts the requests that came to their end.
func whole(t *testing.T) (string, *atomic.Int64) {
	var n atomic.Int64
	return scripted(t, func(c net.Conn, r *bufio.Reader) {
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return
			}
			n.Add(1)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	}), &n
}

func TestHTTP3_MalformedRequests(t *testing.T) {
	url, received := whole(t)
	r := start3(t, routeTo(url))
	for name, tt := range malformed {
		t.Run(name, func(t *testing.T) {
			frames := frame(1, section(head(tt.without, tt.fields)...))
			for part := range slices.Chunk([]byte(tt.body), 4) {
				frames += frame(0, string(part))
			}
			answer, err := send(t, r.dialQUIC(t), frames)
			if err == nil && !isRefusal(answer) {
				t.Errorf("got %q", answer)
			}
		})
	}
	if n := received.Load(); n != 0 {
		t.Errorf("the server received %d of them", n)
	}
	answer, err := send(t, r.dialQUIC(t), frame(1, section(head("", [][2]string{{"content-length", "4"}})...))+frame(0, "bo")+frame(0, "dy"))
	if err != nil || !strings.Contains(answer, "ok") || received.Load() != 1 {
		t.Errorf("a request that is right: got %q, %v, received %d", answer, err, received.Load())
	}
}

// isRefusal tells whether a response begins with the status 400: number 67 of the
// static table of QPACK (RFC 9204, appendix A), in one or two bytes.
func isRefusal(answer string) bool { return strings.Contains(answer, "\xff\x04") }

func TestHTTP2_MalformedRequests(t *testing.T) {
	url, received := whole(t)
	r := start(t, secured(routeTo(url)))
	for name, tt := range malformed {
		if name == "says nothing, has a body" {
			continue // the library resets it when the body comes; what was announced may be on its way by then
		}
		t.Run(name, func(t *testing.T) {
			if status, err := r.ask2(t, head(tt.without, tt.fields), tt.body); err == nil && status != "400" {
				t.Errorf("got %s", status)
			}
		})
	}
	if n := received.Load(); n != 0 {
		t.Errorf("the server received %d of them", n)
	}
	status, err := r.ask2(t, head("", [][2]string{{"content-length", "4"}}), "body")
	if err != nil || status != "200" || received.Load() != 1 {
		t.Errorf("a request that is right: got %s, %v, received %d", status, err, received.Load())
	}
}

// ask2 sends a request by HTTP/2 as it is, and returns the status of the answer or
// how the stream or connection ended.
func (r *running) ask2(t *testing.T, list [][2]string, body string) (string, error) {
	t.Helper()
	c := trusting.Clone()
	c.NextProtos = []string{"h2"}
	conn, err := tls.Dial("tcp", r.Addresses()["web"], c)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(longest))
	_, _ = io.WriteString(conn, http2.ClientPreface)
	f := http2.NewFramer(conn, conn)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for _, field := range list {
		_ = enc.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	_ = f.WriteSettings()
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: body == ""})
	if body != "" {
		_ = f.WriteData(1, true, []byte(body))
	}
	for {
		got, err := f.ReadFrame()
		if err != nil {
			return "", err
		}
		switch got := got.(type) {
		case *http2.MetaHeadersFrame:
			return got.PseudoValue("status"), nil
		case *http2.RSTStreamFrame:
			return "", errors.New(got.ErrCode.String())
		case *http2.GoAwayFrame:
			return "", errors.New(got.ErrCode.String())
		}
	}
}
