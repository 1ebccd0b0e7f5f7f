package idempotency

import (
	"context"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/internal/cachestore"
)

// open opens the files behind the memory. What is wrong with them is a warning: keys are in
// memory all the same.
func (m *memory) open(path string, most int64, log logrus.FieldLogger) {
	if m.disk.Load() != nil {
		return
	}
	disk, err := cachestore.NewDisk(path, most, log)
	if err != nil {
		log.Warnf("keys are not known after a restart: %v", err)
		return
	}
	m.disk.CompareAndSwap(nil, disk)
}

// recall takes into memory what only the disk knows of a name.
func (m *memory) recall(ctx context.Context, name string) {
	disk := m.disk.Load()
	if disk == nil || m.knows(name) {
		return
	}
	e := disk.Load(ctx, []byte(name))
	if e == nil {
		return
	}
	k, err := knownOf(e)
	left := e.FreshFor(time.Now())
	if err != nil || left <= 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.names[name] != nil { // meanwhile
		return
	}
	n := &noted{known: k, name: name, until: time.Now().Add(left)}
	n.at = m.order.PushBack(n)
	m.names[name] = n
	m.held += n.size()
}

func (m *memory) knows(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.names[name] != nil
}
