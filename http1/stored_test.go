package http1

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"fairway/internal/responsehead"
)

// whole is a response that is all there.
type whole struct {
	status int
	fields [][2]string
	body   string
}

func (s whole) StatusCode() int        { return s.status }
func (s whole) Length() int64          { return int64(len(s.body)) }
func (s whole) Content() []byte        { return []byte(s.body) }
func (s whole) Get(string) string      { return "" }
func (s whole) Values(string) []string { return nil }

func (s whole) Each(visit func(name, value string)) {
	for _, f := range s.fields {
		visit(f[0], f[1])
	}
}

func (s whole) AppendFields(dst []byte, skip func(name string) bool) []byte {
	for _, f := range s.fields {
		if skip == nil || !skip(f[0]) {
			dst = append(dst, f[0]+": "+f[1]+"\r\n"...)
		}
	}
	return dst
}

func TestForward_OfWhatIsAllThere(t *testing.T) {
	fields := [][2]string{{"Date", "now"}, {"X-A", "theirs"}, {"Set-Cookie", "a=1"}}
	long := strings.Repeat("0123456789abcdef", 20000)
	for name, tt := range map[string]struct {
		method, version string
		stored          whole
		set             http.Header
		want            answer
	}{
		"whole": {
			stored: whole{200, fields, "hello"},
			want:   answer{status: 200, header: http.Header{"Date": {"now"}, "X-A": {"theirs"}, "Set-Cookie": {"a=1"}, "Content-Length": {"5"}}, length: 5, body: "hello"},
		},
		"fields of the gateway": {
			stored: whole{404, fields, "hello"}, set: http.Header{"X-A": {"ours"}, "Set-Cookie": {"b=2"}, "X-B": {"b"}, "Date": nil, "Content-Length": {"99"}},
			want: answer{status: 404, header: http.Header{"X-A": {"ours"}, "X-B": {"b"}, "Set-Cookie": {"a=1", "b=2"}, "Content-Length": {"5"}}, length: 5, body: "hello"},
		},
		"HEAD": {
			method: "HEAD", stored: whole{200, fields, "hello"},
			want: answer{status: 200, header: http.Header{"Date": {"now"}, "X-A": {"theirs"}, "Set-Cookie": {"a=1"}, "Content-Length": {"5"}}, length: 5},
		},
		"no body": {
			stored: whole{204, fields, ""},
			want:   answer{status: 204, header: http.Header{"Date": {"now"}, "X-A": {"theirs"}, "Set-Cookie": {"a=1"}}},
		},
		"long": {
			stored: whole{200, fields[:1], long},
			want:   answer{status: 200, header: http.Header{"Date": {"now"}, "Content-Length": {"320000"}}, length: 320000, body: long},
		},
		"a long head": {
			stored: whole{200, [][2]string{{"X-A", long[:9000]}, {"Date", "now"}}, "hello"},
			want:   answer{status: 200, header: http.Header{"Date": {"now"}, "X-A": {long[:9000]}, "Content-Length": {"5"}}, length: 5, body: "hello"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			address := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/alive" {
					return
				}
				maps.Copy(w.Header(), tt.set)
				if err := w.(responsehead.Forwarder).Forward(tt.stored); err != nil {
					t.Errorf("Forward: %v", err)
				}
				if err := w.(responsehead.Forwarder).Forward(tt.stored); !errors.Is(err, errBegun) {
					t.Errorf("a second response: %v", err)
				}
				if n := w.(*Writer).Written(); n != int64(len(tt.stored.body)) {
					t.Errorf("%d bytes are said to be written", n)
				}
			})
			method := "GET"
			if tt.method != "" {
				method = tt.method
			}
			p := dial(t, address).send(method + " / HTTP/1.1\r\nHost: a\r\n\r\n")
			got := p.mustReceive(method)
			mustEqual(t, "alive", p.alive(), true)
			got.proto = ""
			if len(got.trailer) == 0 {
				got.trailer = nil
			}
			if a, b := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", tt.want); a != b {
				t.Errorf("\n got %.500s\nwant %.500s", a, b)
			}
		})
	}
}
