package cachestore

import (
	"context"
	"fmt"
	"math"
	"unsafe"

	"github.com/maypok86/otter/v2"

	"fairway/internal/httpcache"
)

// Memory keeps entries in the memory of the process.
type Memory struct {
	entries *otter.Cache[string, *httpcache.Entry]
}

// NewMemory makes a store of so many bytes, about.
func NewMemory(most int64) (*Memory, error) {
	entries, err := otter.New(&otter.Options[string, *httpcache.Entry]{
		MaximumWeight: uint64(max(most, 1)),
		Weigher:       func(_ string, e *httpcache.Entry) uint32 { return uint32(min(e.Size(), math.MaxUint32)) },
	})
	if err != nil {
		return nil, fmt.Errorf("make a store in memory: %w", err)
	}
	return &Memory{entries: entries}, nil
}

// Load implements Store.
func (m *Memory) Load(_ context.Context, key []byte) *httpcache.Entry {
	// The key is looked at during the call only.
	e, _ := m.entries.GetIfPresent(unsafe.String(unsafe.SliceData(key), len(key))) //nolint:gosec // it does not keep the key
	return e
}

// Save implements Store.
func (m *Memory) Save(_ context.Context, e *httpcache.Entry) { m.entries.Set(e.Key, e) }

// Purge implements Store.
func (m *Memory) Purge(_ context.Context, match Match) (n int, err error) {
	if match.Key != "" { // its variants are out of reach without it
		if _, there := m.entries.Invalidate(match.Key); there {
			n++
		}
		return n, nil
	}
	for key, e := range m.entries.All() {
		if match.Matches(e) {
			m.entries.Invalidate(key)
			n++
		}
	}
	return n, nil
}

// Size implements Sized.
func (m *Memory) Size() (entries int, bytes int64) {
	return m.entries.EstimatedSize(), int64(min(m.entries.WeightedSize(), math.MaxInt64))
}
