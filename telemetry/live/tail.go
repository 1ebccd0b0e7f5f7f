package live

import (
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"fairway/internal/secret"
	"fairway/telemetry"
)

// Request is one that is over.
type Request struct {
	ID         uint64    `json:"id"` // counts up
	Time       time.Time `json:"time"`
	Method     string    `json:"method"`
	Scheme     string    `json:"scheme"`
	Host       string    `json:"host"`
	Path       string    `json:"path"` // with the names in its query
	Status     int       `json:"status"`
	Millis     float64   `json:"millis"`
	Bytes      int64     `json:"bytes"`
	EntryPoint string    `json:"entryPoint"`
	Router     string    `json:"router,omitempty"`
	Service    string    `json:"service,omitempty"`
	Server     string    `json:"server,omitempty"`
	Client     string    `json:"client"`
	User       string    `json:"user,omitempty"`
	Cause      string    `json:"cause,omitempty"`
	RequestID  string    `json:"requestID,omitempty"`
}

// mostPerSecond bounds what the tail costs under load: further requests of a second are
// only counted.
const mostPerSecond = 100

// longest is how much of a text is kept.
const longest = 512

// tail has the last requests: those that have failed always, the others while somebody
// looks at them.
type tail struct {
	size    int // 0: none are kept
	readers atomic.Int64
	second  atomic.Int64
	taken   atomic.Int64 // in that second
	missed  atomic.Uint64

	mu   sync.Mutex
	list []Request // a ring
	next uint64    // identifier of the next
}

func (t *tail) add(e *telemetry.Exchange) {
	failed := e.Status >= 500 || e.Status == 499
	if t.size == 0 || !failed && t.readers.Load() == 0 {
		return
	}
	if now := time.Now().Unix(); t.second.Swap(now) != now {
		t.taken.Store(0)
	}
	if t.taken.Add(1) > mostPerSecond {
		t.missed.Add(1)
		return
	}
	t.keep(requestOf(e))
}

func (t *tail) keep(r Request) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r.ID = t.next + 1
	if len(t.list) < t.size {
		t.list = append(t.list, r)
	} else {
		t.list[t.next%uint64(t.size)] = r
	}
	t.next++
}

// requestOf copies what is shown: the strings of an exchange end with it.
func requestOf(e *telemetry.Exchange) Request {
	rec, r := e.Record, e.Request
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return Request{
		Time: rec.Start.Add(e.Duration), Method: short(r.Method), Scheme: scheme, Host: short(r.Host), Path: short(shown(r.URL)), Status: e.Status,
		Millis: float64(e.Duration.Microseconds()) / 1000, Bytes: e.Written, EntryPoint: rec.EntryPoint, Router: rec.Router, Service: rec.Service,
		Server: secret.URL(rec.Server), Client: short(rec.Peer), User: short(rec.User), Cause: short(rec.Cause), RequestID: short(rec.RequestID),
	}
}

func short(s string) string {
	if len(s) > longest {
		return strings.ToValidUTF8(s[:longest], "") + "…"
	}
	return strings.Clone(s)
}

// shown is a path with its query. Of that only the names are: values may be secret.
func shown(u *url.URL) string {
	path := u.EscapedPath()
	if u.RawQuery == "" {
		return path
	}
	var b strings.Builder
	b.WriteString(path)
	before := byte('?')
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		name, _, has := strings.Cut(part, "=")
		b.WriteByte(before)
		b.WriteString(name)
		if has {
			b.WriteString("=…")
		}
		before = '&'
		if b.Len() > longest {
			break
		}
	}
	return b.String()
}

// Read begins to keep all requests, until end is called.
func (l *Live) Read() (end func()) {
	l.tail.readers.Add(1)
	return sync.OnceFunc(func() { l.tail.readers.Add(-1) })
}

// After returns the requests behind one, the oldest first, and how many have been left out
// since the start because there were too many.
func (l *Live) After(id uint64) (list []Request, missed uint64) {
	t := &l.tail
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range uint64(len(t.list)) {
		if r := &t.list[(t.next+i)%uint64(len(t.list))]; r.ID > id {
			list = append(list, *r)
		}
	}
	return list, t.missed.Load()
}
