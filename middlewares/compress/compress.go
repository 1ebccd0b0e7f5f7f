// Package compress compresses the bodies of responses, for clients that take that
// (RFC 9110, section 12.5.3).
//
// Left as they are: bodies that are short, or encoded already, or only a part (206);
// event streams and gRPC; responses to HEAD; and whatever says no-transform in
// Cache-Control (RFC 9111, section 5.2.2.6). A body that is compressed is sent as it
// comes, and flushed when the service flushes. Its ETag becomes a weak one, for the
// bytes are not the service's any more (RFC 9110, section 8.8.1), also where only the head
// of such a response is sent: after HEAD, and with 304. Responses that could have been
// compressed for another client, or if they were longer, say Vary: Accept-Encoding.
package compress

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"

	"fairway/internal/encodings"
	"fairway/internal/responsehead"
	"fairway/middlewares"
)

// Config is the compress middleware.
type Config struct {
	// ExcludedContentTypes lists the media types that are not compressed, as in
	// "image/png". Default: none but event streams and gRPC, which never are.
	ExcludedContentTypes []string `json:"excludedContentTypes,omitempty"`
	// IncludedContentTypes lists the only media types that are compressed. It cannot be
	// given together with excludedContentTypes. Default: all.
	IncludedContentTypes []string `json:"includedContentTypes,omitempty"`
	// MinResponseBodyBytes is the length below which a body is not compressed.
	// Default 1024.
	MinResponseBodyBytes int `json:"minResponseBodyBytes,omitempty"`
	// Encodings lists the encodings to use, the best first; of those that a client
	// likes as much the first one is taken. Default "gzip, br, zstd".
	Encodings []string `json:"encodings,omitempty"`
	// DefaultEncoding is used for clients that do not say what they take. Default:
	// none.
	DefaultEncoding string `json:"defaultEncoding,omitempty"`
}

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() {
	c.MinResponseBodyBytes, c.Encodings = 1024, []string{gzipName, brotliName, zstdName}
}

type handler struct {
	types       map[string]bool
	only        bool // types are those to compress, and not those to leave
	least       int
	encodings   []string
	byDefault   string
	compressors *compressors
	next        http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	h := &handler{types: map[string]bool{}, least: c.MinResponseBodyBytes, encodings: c.Encodings, byDefault: c.DefaultEncoding, next: next}
	switch {
	case len(c.ExcludedContentTypes) > 0 && len(c.IncludedContentTypes) > 0:
		return nil, errors.New("excludedContentTypes and includedContentTypes cannot be given together")
	case c.MinResponseBodyBytes < 0:
		return nil, errors.New("minResponseBodyBytes must not be negative")
	}
	for option, list := range map[string][]string{"excludedContentTypes": c.ExcludedContentTypes, "includedContentTypes": c.IncludedContentTypes} {
		for _, text := range list {
			kind, _, err := mime.ParseMediaType(text)
			if err != nil || !strings.Contains(kind, "/") {
				return nil, fmt.Errorf("%s: %q is no media type", option, text)
			}
			h.types[kind] = true
		}
	}
	h.only = len(c.IncludedContentTypes) > 0
	if len(h.encodings) == 0 {
		h.encodings = []string{gzipName, brotliName, zstdName}
	}
	for _, name := range h.encodings {
		if !slices.Contains([]string{gzipName, brotliName, zstdName}, name) {
			return nil, fmt.Errorf("encodings: %q is neither gzip, br nor zstd", name)
		}
	}
	if h.byDefault != "" && !slices.Contains(h.encodings, h.byDefault) {
		return nil, fmt.Errorf("defaultEncoding: %q is not one of the encodings", h.byDefault)
	}
	h.compressors, _ = env.Keep(func() any { return &compressors{} }).(*compressors)
	return h, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isGRPC(r.Header.Get("Content-Type")) {
		h.next.ServeHTTP(w, r)
		return
	}
	rw := &response{
		inner: w, handler: h, bodiless: r.Method == http.MethodHead,
		encoding: encodings.Choose(r.Header["Accept-Encoding"], h.encodings, h.byDefault),
	}
	defer rw.release() // of a response that breaks off, too
	h.next.ServeHTTP(rw, r)
	rw.finish()
}

// fit tells whether a response is one to compress, if it is long enough.
func (h *handler) fit(status int, header responsehead.Head) bool {
	switch status {
	case http.StatusSwitchingProtocols, http.StatusNoContent, http.StatusResetContent, http.StatusPartialContent:
		return false
	}
	if header.Get("Content-Encoding") != "" || header.Get("Content-Range") != "" {
		return false
	}
	for _, line := range header.Values("Cache-Control") {
		if strings.Contains(strings.ToLower(line), "no-transform") {
			return false
		}
	}
	kind, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	if kind == "" && status == http.StatusNotModified {
		return true // it need not say what it is about (RFC 9110, section 15.4.5)
	}
	if kind == "text/event-stream" || isGRPC(kind) {
		return false
	}
	return h.types[kind] == h.only
}

func isGRPC(kind string) bool {
	const grpc = "application/grpc"
	return len(kind) >= len(grpc) && strings.EqualFold(kind[:len(grpc)], grpc)
}
