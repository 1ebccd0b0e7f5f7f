package http1

// Limits bound what one message may make the engine keep in memory. A zero field
// means its default.
type Limits struct {
	// HeadBytes is the longest head: the first line and all fields. A request with a
	// longer one is answered 431. Default: 64 KiB.
	HeadBytes int
	// URIBytes is the longest target of a request, else 414. Default: 16 KiB.
	URIBytes int
	// Fields is the largest number of field lines, else 431. Default: 128.
	Fields int
	// TrailerBytes is the longest trailer section of a chunked body. Default: 8 KiB.
	TrailerBytes int
	// ChunkLineBytes is the longest line in front of a chunk: its size and its
	// extensions, which are dropped. Default: 1 KiB.
	ChunkLineBytes int
}

// withDefaults returns l with every field set.
func (l Limits) withDefaults() Limits {
	l.HeadBytes = positive(l.HeadBytes, 64<<10)
	l.URIBytes = positive(l.URIBytes, 16<<10)
	l.Fields = positive(l.Fields, 128)
	l.TrailerBytes = positive(l.TrailerBytes, 8<<10)
	l.ChunkLineBytes = positive(l.ChunkLineBytes, 1<<10)
	return l
}

func positive[T ~int | ~int64](n, otherwise T) T {
	if n > 0 {
		return n
	}
	return otherwise
}
