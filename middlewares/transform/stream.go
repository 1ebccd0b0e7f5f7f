package transform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"

	"fairway/internal/answer"
	"fairway/internal/jq"
	"fairway/internal/record"
	"fairway/internal/responsehead"
)

// items cuts a stream into its items: lines, or events as far as their empty line (WHATWG HTML, section
// 9.2.6). Lines end with CR, LF or both.
type items struct {
	*bodyChange
	ctx       context.Context
	variables []any
	most      int64

	rest    []byte   // of a line
	event   [][]byte // lines of an event that is not over
	length  int64    // of those
	skipsLF bool     // a CR was the last one of what came before
}

// take takes a part of the stream, and appends to out what is made of the items that end in it.
func (s *items) take(part, out []byte) ([]byte, error) {
	for len(part) > 0 {
		if s.skipsLF {
			s.skipsLF = false
			if part[0] == '\n' {
				part = part[1:]
				continue
			}
		}
		end := bytes.IndexAny(part, "\r\n")
		line := part
		if end >= 0 {
			line = part[:end]
		}
		if s.length+int64(len(s.rest)+len(line)) > s.most {
			return out, errors.New("an item is longer than maxBodyBytes")
		}
		s.rest = append(s.rest, line...)
		if end < 0 {
			return out, nil
		}
		s.skipsLF, part = part[end] == '\r', part[end+1:]
		var err error
		if out, err = s.endLine(out); err != nil {
			return out, err
		}
	}
	return out, nil
}

// end is told that nothing comes any more. An event without its empty line is none.
func (s *items) end(out []byte) ([]byte, error) {
	if s.from == asEvents || len(s.rest) == 0 {
		return out, nil
	}
	return s.endLine(out)
}

func (s *items) endLine(out []byte) ([]byte, error) {
	line := s.rest
	if s.from == asLines {
		s.rest = s.rest[:0]
		if len(bytes.TrimSpace(line)) == 0 {
			return out, nil
		}
		in, err := jq.Read(line, deepest)
		if err != nil {
			return out, &readError{"an item: " + err.Error()}
		}
		return s.change(out, in, nil)
	}
	s.rest = nil
	if len(line) > 0 {
		s.event, s.length = append(s.event, line), s.length+int64(len(line))
		return out, nil
	}
	event := s.event
	s.event, s.length = nil, 0
	return s.changeEvent(out, event)
}

// changeEvent changes the data of an event. One whose data is no JSON, as the last words of some streams
// are, stays as it is.
func (s *items) changeEvent(out []byte, event [][]byte) ([]byte, error) {
	var data, others [][]byte
	for _, line := range event {
		text, is := bytes.CutPrefix(line, []byte("data:"))
		if !is {
			others = append(others, line)
			continue
		}
		data = append(data, bytes.TrimPrefix(text, []byte(" ")))
	}
	if in, err := jq.Read(bytes.Join(data, []byte("\n")), deepest); err == nil {
		return s.change(out, in, others)
	}
	if s.to == asEvents && len(event) > 0 {
		out = appendLines(out, event)
		out = append(out, '\n')
	}
	return out, nil
}

func appendLines(out []byte, lines [][]byte) []byte {
	for _, line := range lines {
		out = append(append(out, line...), '\n')
	}
	return out
}

// change appends what the expression makes of an item: nothing, or one or more. others are lines that an
// event has beside its data.
func (s *items) change(out []byte, in any, others [][]byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(s.ctx, longest)
	defer cancel()
	err := s.made.Each(ctx, in, func(v any) error {
		made, err := encode(v)
		if err != nil {
			return err
		}
		if s.to == asEvents {
			out = append(appendLines(out, others), "data: "...)
			made = append(made, '\n')
		}
		out = append(append(out, made...), '\n')
		return nil
	}, s.variables...)
	if err != nil {
		return out, fmt.Errorf("an item: %w", err)
	}
	return out, nil
}

// streamBody has the body of a request be changed item by item, while the service reads it.
func (c *requestChange) streamBody(r, out *http.Request, v *values, most int64) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	out.Body = &streamReader{ReadCloser: r.Body, items: items{bodyChange: c.body, ctx: r.Context(), variables: v.variables(0, nil), most: most}}
	out.ContentLength, out.TransferEncoding = -1, nil
	c.describe(out)
}

// streamReader is a stream that is read.
type streamReader struct {
	io.ReadCloser
	items
	made []byte
	err  error
}

// Read implements io.Reader.
func (s *streamReader) Read(p []byte) (int, error) {
	for len(s.made) == 0 && s.err == nil {
		buf := make([]byte, 8<<10)
		n, err := s.ReadCloser.Read(buf)
		made, failed := s.take(buf[:n], nil)
		if failed == nil && errors.Is(err, io.EOF) {
			made, failed = s.end(made)
		}
		if s.made, s.err = made, err; failed != nil {
			s.err = fmt.Errorf("transform: request: %w", failed)
		}
	}
	if len(s.made) == 0 {
		return 0, s.err
	}
	n := copy(p, s.made)
	s.made = s.made[n:]
	return n, nil
}

// streamed is a response that is changed item by item. One that is none of those passes as it is.
type streamed struct {
	http.ResponseWriter
	*responseChange
	request *http.Request
	values  *values
	most    int64

	decided bool
	items   *items // nil: it passes
	err     error
}

// serveStreamed serves a request whose response may be a stream that is changed.
func (h *handler) serveStreamed(w http.ResponseWriter, r *http.Request, v *values) {
	out := &streamed{ResponseWriter: w, responseChange: h.response, request: r, values: v, most: h.most}
	h.next.ServeHTTP(out, r)
	out.finish()
}

// streamTypes are the media types of streams.
var streamTypes = map[format][]string{
	asEvents: {"text/event-stream"},
	asLines:  {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/json-lines"},
}

// WriteHeader implements http.ResponseWriter. Informational responses pass.
func (w *streamed) WriteHeader(status int) {
	if w.decided || status < 200 && status != http.StatusSwitchingProtocols {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.decided = true
	h := w.Header()
	if !w.changes(status, h) {
		if w.when == nil {
			w.headers.edit(responsehead.HeadOf(h, nil), w.values)
		}
		w.ResponseWriter.WriteHeader(status)
		return
	}
	if encoding := h.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		w.err = errors.New("the service has encoded the body (" + encoding + "), although it was not asked to")
		fail(record.From(w.request.Context()), w.err.Error())
		clear(h)
		answer.Refuse(w.ResponseWriter, w.request, http.StatusBadGateway, "transform: response: "+w.err.Error())
		return
	}
	w.items = &items{bodyChange: w.body, ctx: w.request.Context(), variables: w.values.variables(status, h), most: w.most}
	describe(h, w.body)
	delete(h, "Content-Length")
	w.headers.edit(responsehead.HeadOf(h, nil), w.values)
	if w.status != 0 {
		status = w.status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *streamed) changes(status int, h http.Header) bool {
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	return (w.when == nil || w.when.Has(status)) && slices.Contains(streamTypes[w.body.from], kind)
}

func (w *streamed) Write(p []byte) (int, error) {
	if !w.decided {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case w.err != nil:
		return 0, w.err
	case w.items == nil:
		return w.ResponseWriter.Write(p)
	}
	made, err := w.items.take(p, nil)
	if len(made) > 0 {
		if _, err := w.ResponseWriter.Write(made); err != nil {
			return 0, err
		}
	}
	if err != nil {
		w.err = err
		return 0, err
	}
	return len(p), nil
}

// finish ends the response; one that could not be changed to its end breaks off, so that nobody takes
// it for a whole one.
func (w *streamed) finish() {
	if !w.decided {
		w.WriteHeader(http.StatusOK)
	}
	if w.items == nil {
		return
	}
	if w.err == nil {
		var made []byte
		if made, w.err = w.items.end(nil); len(made) > 0 {
			_, _ = w.ResponseWriter.Write(made)
		}
	}
	if w.err != nil {
		fail(record.From(w.request.Context()), w.err.Error())
		panic(http.ErrAbortHandler)
	}
}

// FlushError is the form of Flush that http.ResponseController looks for.
func (w *streamed) FlushError() error {
	if !w.decided {
		w.WriteHeader(http.StatusOK)
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush implements http.Flusher, for handlers that ask for it directly.
func (w *streamed) Flush() { _ = w.FlushError() }

// Unwrap is for the rest of http.ResponseController.
func (w *streamed) Unwrap() http.ResponseWriter { return w.ResponseWriter }
