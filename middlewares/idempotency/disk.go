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
	m.opening.Lock()
	defer m.opening.Unlock()
	if m.disk.Load() != nil {
		return
	}
	disk, err := cachestore.NewDisk(path, most, log)
	if err != nil {
		log.Warnf("keys are not known after a restart: %v", err)
		return
	}
	m.disk.Store(disk)
}

// recall returns what only the disk knows of a name, or nil.
func (m *memory) recall(ctx context.Context, name string) *noted {
	disk := m.disk.Load()
	if disk == nil || m.knows(name) {
		return nil
	}
	e := disk.Load(ctx, []byte(name))
	if e == nil {
		return nil
	}
	k, err := knownOf(e)
	if err != nil {
		return nil
	}
	now := time.Now()
	return &noted{known: k, name: name, until: now.Add(e.FreshFor(now))}
}

func (m *memory) knows(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.names[name] != nil
}
