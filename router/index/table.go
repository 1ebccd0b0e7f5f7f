package index

import (
	"hash/maphash"
	"maps"
)

// shardCount divides a table into maps small enough to copy for one change:
// 40 keys each in a table of 10,000.
const shardCount = 256

// seed only spreads keys over shards; what is found does not depend on it.
var seed = maphash.MakeSeed()

// table is a map that can be changed in a copy which shares most of its
// memory. The zero value is empty.
type table[V any] struct {
	shards []map[string]V // none or shardCount
}

func shardOf(key string) int { return int(maphash.String(seed, key) % shardCount) }

func (t table[V]) get(key string) V {
	if len(t.shards) == 0 {
		var zero V
		return zero
	}
	return t.shards[shardOf(key)][key]
}

// with returns a table in which update has decided on the value of each of
// the keys; false drops the key.
func (t table[V]) with(keys []string, update func(key string, old V) (V, bool)) table[V] {
	if len(keys) == 0 {
		return t
	}
	shards := make([]map[string]V, shardCount)
	copy(shards, t.shards)
	var copied [shardCount]bool
	for _, key := range keys {
		i := shardOf(key)
		if !copied[i] {
			copied[i] = true
			if shards[i] = maps.Clone(shards[i]); shards[i] == nil {
				shards[i] = make(map[string]V)
			}
		}
		if v, keep := update(key, shards[i][key]); keep {
			shards[i][key] = v
		} else {
			delete(shards[i], key)
		}
	}
	return table[V]{shards}
}
