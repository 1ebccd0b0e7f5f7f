package compress

import (
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	gzipName   = "gzip"
	brotliName = "br"
	zstdName   = "zstd"

	brotliLevel = 4
	zstdWindow  = 1 << 20 // clients bear 8 MiB (RFC 9659); this is for our memory
)

// compressor is what all encodings have in common.
type compressor interface {
	io.WriteCloser
	Flush() error
	Reset(to io.Writer)
}

// compressors are those that nobody uses just now: each one is large.
type compressors struct{ gzip, brotli, zstd sync.Pool }

func (c *compressors) pool(encoding string) *sync.Pool {
	switch encoding {
	case brotliName:
		return &c.brotli
	case zstdName:
		return &c.zstd
	}
	return &c.gzip
}

func (c *compressors) take(encoding string, to io.Writer) (compressor, error) {
	if idle, ok := c.pool(encoding).Get().(compressor); ok {
		idle.Reset(to)
		return idle, nil
	}
	switch encoding {
	case brotliName:
		return brotli.NewWriterLevel(to, brotliLevel), nil
	case zstdName:
		// With one worker it has no goroutine that somebody must end.
		return zstd.NewWriter(to, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(zstdWindow), zstd.WithLowerEncoderMem(true))
	}
	return gzip.NewWriter(to), nil
}

func (c *compressors) giveBack(encoding string, used compressor) {
	used.Reset(io.Discard) // it must not hold the response
	c.pool(encoding).Put(used)
}
