package file

import (
	"bytes"
	"os"
	"time"
)

const (
	// settle is how long a file must have been left alone before it is read: a
	// writer that empties and rewrites it is not caught half way.
	settle = 50 * time.Millisecond
	// doubt takes the place of settle for a file that looks like one half written:
	// it is empty, or cut short. Its routes stay for that long.
	doubt = 2 * time.Second
)

// look is how a file was found, and when it was first found so.
type look struct {
	size    int64
	changed time.Time
	first   time.Time
}

// settled tells whether the text of a file is all that its writer means. Files
// that are renamed into place are: they have not been written to lately.
func (f *folder) settled(path string, text []byte, d *document) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	now := time.Now()
	seen := f.looks[path]
	if seen.size != info.Size() || !seen.changed.Equal(info.ModTime()) {
		seen = look{size: info.Size(), changed: info.ModTime(), first: now}
		f.looks[path] = seen
	}
	if info.Size() != int64(len(text)) {
		return false // written while it was read
	}
	need := settle
	if d.http != nil && (len(bytes.TrimSpace(text)) == 0 || bytes.HasPrefix(d.text, text)) {
		need = doubt
	}
	// Clocks of network file systems differ: what was seen here counts as well.
	return now.Sub(seen.first) >= need || now.Sub(seen.changed) >= need
}
