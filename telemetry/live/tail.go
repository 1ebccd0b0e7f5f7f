package live

import (
	"cmp"
	"net/url"
	"slices"
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
// only counted. Failures have as many of their own.
const mostPerSecond = 100

// longest is how much of a text is kept.
const longest = 512

// tail has the last requests: those that have failed always, the others while somebody
// looks at them. Failures are kept apart, so that no other requests take their place.
type tail struct {
	size    int // of each list; 0: none are kept
	readers atomic.Int64
	missed  atomic.Uint64

	failures, others quota

	mu     sync.Mutex
	last   uint64 // identifier of the last
	failed last
	passed last
}

// quota bounds how many requests of one second are kept.
type quota struct{ second, taken atomic.Int64 }

func (q *quota) take() bool {
	if now := time.Now().Unix(); q.second.Swap(now) != now {
		q.taken.Store(0)
	}
	return q.taken.Add(1) <= mostPerSecond
}

// last has the last requests of a kind, the oldest first.
type last struct {
	list []Request // a ring
	next int
}

func (l *last) add(r Request, size int) {
	if len(l.list) < size {
		l.list = append(l.list, r)
		return
	}
	l.list[l.next] = r
	l.next = (l.next + 1) % size
}

// after adds those behind one.
func (l *last) after(id uint64, to []Request) []Request {
	for i := range l.list {
		if r := &l.list[(l.next+i)%len(l.list)]; r.ID > id {
			to = append(to, *r)
		}
	}
	return to
}

func (t *tail) add(e *telemetry.Exchange) {
	failed := e.Status >= 500 || e.Status == 499
	if t.size == 0 || !failed && t.readers.Load() == 0 {
		return
	}
	of, into := &t.others, &t.passed
	if failed {
		of, into = &t.failures, &t.failed
	}
	if !of.take() {
		t.missed.Add(1)
		return
	}
	t.keep(requestOf(e), into)
}

func (t *tail) keep(r Request, into *last) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	r.ID = t.last
	into.add(r, t.size)
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
		Server: secret.URL(rec.Server), Client: short(rec.Peer), User: short(rec.User), Cause: short(secret.Text(rec.Cause)), RequestID: short(rec.RequestID),
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
	list = t.passed.after(id, t.failed.after(id, nil))
	t.mu.Unlock()
	slices.SortFunc(list, func(a, b Request) int { return cmp.Compare(a.ID, b.ID) })
	return list, t.missed.Load()
}
