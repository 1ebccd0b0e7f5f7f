package http1

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// oneByOne gives out one byte per Read, as the worst of networks would.
type oneByOne struct{ io.Reader }

func (r oneByOne) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return r.Reader.Read(p[:1])
}

// parsed is a request or response with its body, read from src to its end.
type parsed struct {
	body    string
	trailer http.Header
	rest    string // what follows in the connection
	err     error
}

func drain(in *input, f *framing, limits *Limits) parsed {
	var b body
	b.start(in, f, limits)
	content, err := io.ReadAll(&b)
	rest := string(in.buffered())
	more, _ := io.ReadAll(in.src)
	return parsed{body: string(content), trailer: b.trailer, rest: rest + string(more), err: err}
}

func readRequest(src io.Reader) (*request, parsed, error) {
	limits := Limits{}.withDefaults()
	in := &input{src: src}
	q := newRequest(new(http.Request))
	head, err := in.head(limits.HeadBytes)
	if err != nil {
		return nil, parsed{}, err
	}
	if err := q.parse(head, &limits); err != nil {
		return nil, parsed{}, err
	}
	in.consume(len(head))
	return q, drain(in, &q.framing, &limits), nil
}

func readResponse(src io.Reader, method string) (*Response, parsed, error) {
	limits := Limits{}.withDefaults()
	in := &input{src: src}
	p := new(Response)
	head, err := in.head(limits.HeadBytes)
	if err != nil {
		return nil, parsed{}, err
	}
	if err := p.parse(head, method, &limits); err != nil {
		return nil, parsed{}, err
	}
	in.consume(len(head))
	return p, drain(in, &p.framing, &limits), nil
}

// lines joins the lines of a head and ends it.
func lines(l ...string) string { return strings.Join(l, "\r\n") + "\r\n\r\n" }

func mustEqual[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
