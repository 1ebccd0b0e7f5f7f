package grpcweb

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func decoded(from io.Reader) (string, error) {
	b, err := io.ReadAll(newDecoder(io.NopCloser(from)))
	return string(b), err
}

func TestDecoder(t *testing.T) {
	long := strings.Repeat("long text ", 2000)
	tests := map[string]struct {
		text, want string
		fails      bool
	}{
		"empty":          {"", "", false},
		"one piece":      {"aGVsbG8=", "hello", false},
		"several pieces": {"aGVs" + "bG8=" + "IQ==" + "YWJj", "hello!abc", false},
		"long":           {base64.StdEncoding.EncodeToString([]byte(long)), long, false},
		"cut short":      {"aGVsbG", "hel", true},
		"no base64":      {"aGVs!!!!", "hel", true},
		"end within":     {"aG=s", "", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, from := range []io.Reader{strings.NewReader(tt.text), iotest.OneByteReader(strings.NewReader(tt.text)), iotest.DataErrReader(strings.NewReader(tt.text))} {
				got, err := decoded(from)
				if (err != nil) != tt.fails || !tt.fails && got != tt.want {
					t.Errorf("got %q, %v", got, err)
				}
			}
		})
	}
	if _, err := decoded(iotest.ErrReader(io.ErrClosedPipe)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}

// FuzzDecoder compares pieces that come in any parts with the pieces read each by
// itself.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte("hello"), uint8(2), []byte("aGVsbG8="))
	f.Add([]byte(""), uint8(0), []byte("a=b="))
	f.Fuzz(func(t *testing.T, data []byte, size uint8, raw []byte) {
		var text bytes.Buffer
		for rest := data; len(rest) > 0; {
			n := min(int(size)+1, len(rest))
			text.WriteString(base64.StdEncoding.EncodeToString(rest[:n]))
			rest = rest[n:]
		}
		for _, from := range []io.Reader{bytes.NewReader(text.Bytes()), iotest.HalfReader(bytes.NewReader(text.Bytes()))} {
			if got, err := decoded(from); err != nil || got != string(data) {
				t.Fatalf("got %q, %v, want %q", got, err, data)
			}
		}
		one, err1 := decoded(bytes.NewReader(raw))
		two, err2 := decoded(iotest.OneByteReader(bytes.NewReader(raw)))
		if (err1 == nil) != (err2 == nil) || err1 == nil && one != two {
			t.Errorf("%q: %q, %v and %q, %v", raw, one, err1, two, err2)
		}
	})
}
