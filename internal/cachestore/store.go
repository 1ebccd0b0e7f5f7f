// Package cachestore keeps stored responses: in memory, on disk, or in Redis.
//
// Memory goes to those that are asked for often: a response takes the place of another only
// if it has been asked for more often lately (W-TinyLFU, by otter). Stores are bounded by
// bytes, and whatever goes wrong with them is a miss.
package cachestore

import (
	"context"
	"slices"
	"strings"

	"fairway/internal/httpcache"
)

// Store keeps entries by key. It is safe for concurrent use.
type Store interface {
	// Load returns the entry of a key, or nil.
	Load(ctx context.Context, key []byte) *httpcache.Entry
	// Save keeps an entry, or not, as it likes.
	Save(ctx context.Context, e *httpcache.Entry)
	// Purge removes what matches, and tells how many that were.
	Purge(ctx context.Context, m Match) (int, error)
}

// Sized is a store that knows how much it has.
type Sized interface {
	Size() (entries int, bytes int64)
}

// Match says what to purge: exactly one of these.
type Match struct {
	Key    string // and the variants of that
	Prefix string // of URLs
	Tag    string
	All    bool
}

// Matches tells whether m is about e.
func (m Match) Matches(e *httpcache.Entry) bool {
	switch {
	case m.All:
		return true
	case m.Key != "":
		return e.Key == m.Key || strings.HasPrefix(e.Key, m.Key+VariantMark)
	case m.Prefix != "":
		return e.URL != "" && strings.HasPrefix(e.URL, m.Prefix)
	case m.Tag != "":
		return slices.Contains(e.Tags, m.Tag)
	}
	return false
}

// VariantMark stands in the key of a variant behind that of its URL.
const VariantMark = "\x00\x01"
