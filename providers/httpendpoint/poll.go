package httpendpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"syscall"

	"fairway/config/dynamic"
	"fairway/internal/decode"
)

// answer is what the server last sent, and what to ask by whether it is still true.
type answer struct {
	text           []byte
	etag, modified string
	cfg            *dynamic.Configuration
	broken         error // why it is of no use
}

// ask makes one request. No answer and no error: the last one is still true.
func (p *provider) ask(ctx context.Context) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.config.Endpoint, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json, application/yaml, application/toml, */*;q=0.1")
	req.Header.Set("User-Agent", "fairway")
	if p.seen.etag != "" {
		req.Header.Set("If-None-Match", p.seen.etag)
	}
	if p.seen.modified != "" {
		req.Header.Set("If-Modified-Since", p.seen.modified)
	}
	for name, value := range p.config.Headers {
		if req.Header.Set(name, value); strings.EqualFold(name, "Host") {
			req.Host = value
		}
	}
	res, err := p.client.Do(req)
	if err != nil {
		return nil, plain(err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotModified && p.seen.text != nil:
		return nil, nil
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the server answers %d %s", res.StatusCode, http.StatusText(res.StatusCode))
	}
	return p.read(res)
}

// read makes an answer of a response. Another one with the same text is the same.
func (p *provider) read(res *http.Response) (*answer, error) {
	body := io.Reader(res.Body)
	most := p.config.MaxResponseBodySize
	if most > 0 {
		body = io.LimitReader(body, most+1)
	}
	text, err := io.ReadAll(body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", plain(err))
	case most > 0 && int64(len(text)) > most:
		return nil, fmt.Errorf("the answer has more than %d bytes (maxResponseBodySize)", most)
	case len(bytes.TrimSpace(text)) == 0:
		return nil, errors.New("the answer is empty; one without any routes is {}")
	}
	next := &answer{text: text, etag: res.Header.Get("ETag"), modified: res.Header.Get("Last-Modified")}
	if bytes.Equal(text, p.seen.text) {
		next.cfg, next.broken = p.seen.cfg, p.seen.broken
		return next, nil
	}
	next.cfg, _, next.broken = dynamic.ReadDocument(text, format(res.Header.Get("Content-Type"), res.Request.URL.Path), p.source)
	return next, nil
}

// plain is an error without what differs from one request to the next, as the port of the
// connection, so that one trouble is told once.
func plain(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err // the rest repeats the endpoint
	}
	for _, cut := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, cut) {
			return errors.New("the server broke the connection off")
		}
	}
	return err
}

// format is the ending that a file with such content would have.
func format(contentType, urlPath string) string {
	media, _, _ := mime.ParseMediaType(contentType)
	_, kind, _ := strings.Cut(media, "/")
	kind = kind[strings.LastIndexByte(kind, '+')+1:]
	switch strings.TrimPrefix(kind, "x-") {
	case "json":
		return ".json"
	case "yaml", "yml":
		return ".yaml"
	case "toml":
		return ".toml"
	}
	if strings.EqualFold(path.Ext(urlPath), ".toml") {
		return ".toml"
	}
	return ".yaml"
}

// lineOf is where a document cannot be read.
func lineOf(err error) int {
	if syntax, ok := errors.AsType[*decode.SyntaxError](err); ok {
		return syntax.Line
	}
	return 0
}
