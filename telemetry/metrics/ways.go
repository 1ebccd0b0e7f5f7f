package metrics

import (
	"hash/maphash"
	"sync/atomic"

	"fairway/internal/record"
	"fairway/telemetry"
)

// Requests that go the same way, by one entry point and router to one service, with the same
// status, method and protocol, count in the same three cells. The cells of the ways that
// were last gone are found with one look instead of six.

// waysKept is how many ways there is room for; the next with the same place takes it.
const waysKept = 1024

// way is where the requests of one way count.
type way struct {
	entryPoint, router, service, leaf string
	key                               cellKey
	at                                [3]stop
}

// stop is a cell with what it belongs to; nothing, where that is not counted.
type stop struct {
	family *family
	object *object
	*cell
}

type ways struct {
	seed maphash.Seed
	list [waysKept]atomic.Pointer[way]
}

func newWays() *ways { return &ways{seed: maphash.MakeSeed()} }

// is tells whether a request goes this way, and all of it is still there.
func (w *way) is(rec *record.Record, key cellKey) bool {
	if w.key != key || w.router != rec.Router || w.leaf != rec.Leaf || w.service != rec.Service || w.entryPoint != rec.EntryPoint {
		return false
	}
	for i := range w.at {
		if o := w.at[i].object; o != nil && o.gone.Load() {
			return false
		}
	}
	return true
}

// way is where a request counts.
func (m *Metrics) way(e *telemetry.Exchange) *way {
	rec, key := e.Record, keyOf(e)
	place := &m.ways.list[(maphash.String(m.ways.seed, rec.Router)^uint64(key))%waysKept]
	if w := place.Load(); w != nil && w.is(rec, key) {
		return w
	}
	fresh := &way{entryPoint: rec.EntryPoint, router: rec.Router, service: rec.Service, leaf: rec.Leaf, key: key}
	if m.entryPoints != nil {
		fresh.at[0] = m.entryPoints.at(objectKey{name: rec.EntryPoint}, key)
	}
	if m.routers != nil && rec.Router != "" {
		fresh.at[1] = m.routers.at(objectKey{rec.Router, rec.Service}, key)
	}
	if m.services != nil && rec.Leaf != "" {
		fresh.at[2] = m.services.at(objectKey{name: rec.Leaf}, key)
	}
	place.Store(fresh)
	return fresh
}

func (f *family) at(name objectKey, key cellKey) stop {
	o := f.object(name)
	return stop{f, o, f.cell(o, key)}
}
