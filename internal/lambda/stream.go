package lambda

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

// Types of what is streamed: frames of events, and what a function streams that answers requests: a
// prelude, eight bytes of zero, the body.
const (
	typeFrames  = "application/vnd.amazon.eventstream"
	typePrelude = "application/vnd.awslambda.http-integration-response"
)

const (
	longestPrelude = 64 << 10
	zeros          = 8
)

// Stream is what a function says bit by bit. Reading tells when it has failed by an *Error.
type Stream struct {
	Head *Answer // its body is empty; what follows is read from the Stream
	body io.Reader
	end  func()
}

// Read implements io.Reader.
func (s *Stream) Read(p []byte) (int, error) { return s.body.Read(p) }

// Close gives the connection back, or breaks it off.
func (s *Stream) Close() { s.end() }

// Stream calls the function, and returns as soon as the head of its answer is there.
func (c *Caller) Stream(ctx context.Context, call *Call) (*Stream, error) {
	res, end, err := c.ask(ctx, call, "response-streaming-invocations", "RequestResponse")
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		defer end()
		return nil, refusal(res)
	}
	if res.Header.Get("X-Amz-Function-Error") != "" {
		defer end()
		text, _ := io.ReadAll(io.LimitReader(res.Body, longestRefusal))
		return nil, thrown(text)
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	s := &Stream{end: func() { _ = res.Body.Close(); end() }}
	if err := s.read(ctx, res.Body, kind); err != nil {
		s.end()
		return nil, err
	}
	return s, nil
}

// read finds the payload in the frames, and the head in the payload.
func (s *Stream) read(ctx context.Context, body io.Reader, kind string) (err error) {
	raw := bufio.NewReader(body)
	first, err := raw.Peek(1)
	if err != nil && !errors.Is(err, io.EOF) {
		return unanswered(ctx, err)
	}
	// A frame begins with its length, which is below 16 MiB: no prelude begins so.
	framed := kind == typeFrames || kind == typePrelude && len(first) == 1 && first[0] == 0
	var payload io.Reader = failing{ctx, raw}
	if framed {
		payload = &frames{ctx: ctx, from: raw, decoder: eventstream.NewDecoder()}
	}
	s.Head, s.body, err = splitPrelude(payload)
	if s.Head == nil && err == nil {
		if kind == "" || framed || kind == typePrelude {
			kind = "application/octet-stream"
		}
		s.Head = &Answer{Status: http.StatusOK, Header: http.Header{"Content-Type": {kind}}}
	}
	return err
}

// splitPrelude reads the head that is in front of a body; nil: there is none, and all of it is body. What
// begins with a JSON object and goes on with eight zeros has one.
func splitPrelude(payload io.Reader) (*Answer, io.Reader, error) {
	in := bufio.NewReader(payload)
	if first, err := in.Peek(1); err != nil || first[0] != '{' {
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, nil, err
		}
		return nil, in, nil
	}
	var read bytes.Buffer
	decoder := json.NewDecoder(io.TeeReader(io.LimitReader(in, longestPrelude), &read))
	var text json.RawMessage
	if err := decoder.Decode(&text); err != nil {
		if failed, ok := errors.AsType[*Error](err); ok {
			return nil, nil, failed
		}
		return nil, io.MultiReader(&read, in), nil
	}
	after := bufio.NewReader(io.MultiReader(bytes.NewReader(read.Bytes()[decoder.InputOffset():]), in))
	if next, err := after.Peek(1); err != nil || next[0] != 0 {
		if failed, ok := errors.AsType[*Error](err); ok {
			return nil, nil, failed
		}
		return nil, io.MultiReader(bytes.NewReader(text), after), nil
	}
	if next, err := after.Peek(zeros); err != nil || !bytes.Equal(next, make([]byte, zeros)) {
		return nil, nil, malformed("there are no eight zeros after its prelude")
	}
	_, _ = after.Discard(zeros)
	head, err := readPrelude(text)
	return head, after, err
}

// frames reads the payload of events: PayloadChunk has a bit of it, InvokeComplete is the end, with an
// error or without.
type frames struct {
	ctx     context.Context //nolint:containedctx // that of the reading
	from    io.Reader
	decoder *eventstream.Decoder
	rest    []byte
	over    error
}

func (f *frames) Read(p []byte) (int, error) {
	for len(f.rest) == 0 {
		if f.over != nil {
			return 0, f.over
		}
		f.rest, f.over = f.next()
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

func (f *frames) next() ([]byte, error) {
	m, err := f.decoder.Decode(f.from, nil)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, &Error{Status: http.StatusBadGateway, Cause: "the answer of the function breaks off"}
	case err != nil:
		return nil, unanswered(f.ctx, err)
	}
	text := func(name string) string {
		if v := m.Headers.Get(name); v != nil {
			return v.String()
		}
		return ""
	}
	switch kind := text(":event-type"); {
	case text(":message-type") != "event":
		return nil, &Error{Status: http.StatusBadGateway, Cause: fmt.Sprintf("the invocation has failed: %s: %s", shown(text(":exception-type")+text(":error-code")), shown(string(m.Payload)))}
	case kind == "PayloadChunk":
		return m.Payload, nil
	case kind == "InvokeComplete":
		return nil, complete(m.Payload)
	}
	return nil, nil // an event that is not known yet
}

// complete is the end of a stream: io.EOF, or why the function has failed.
func complete(payload []byte) error {
	var end struct{ ErrorCode, ErrorDetails string }
	if len(payload) > 0 && json.Unmarshal(payload, &end) != nil {
		return malformed("its end is no JSON")
	}
	if end.ErrorCode == "" {
		return io.EOF
	}
	e := thrown([]byte(end.ErrorDetails))
	if e.Thrown.Type == "" {
		e.Thrown.Type = end.ErrorCode
		e.Cause = "the function has failed: " + shown(end.ErrorCode+": "+e.Thrown.Message)
	}
	return e
}

// failing tells of a body that breaks off in the words of an *Error.
type failing struct {
	ctx  context.Context //nolint:containedctx // that of the reading
	from io.Reader
}

func (f failing) Read(p []byte) (int, error) {
	n, err := f.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = unanswered(f.ctx, err)
	}
	return n, err
}
