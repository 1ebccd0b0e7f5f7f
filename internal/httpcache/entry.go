package httpcache

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"fairway/internal/headername"
)

// Field is one line of a head, the name in canonical form.
type Field struct{ Name, Value string }

// Entry is a stored response. It never changes. One with Names is none itself: it says by
// which fields of the request the responses for a URL are told apart, and Salt is part of
// the keys of these, so that they are gone together with it.
type Entry struct {
	Key    string
	URL    string // as in https://example.com/a?b, for those who purge
	Status int
	Fields []Field
	Body   []byte
	Tags   []string

	Came     time.Time     // from the server, or validated there
	Age      time.Duration // it had then
	Lifetime time.Duration

	Always, NeverStale                 bool // see Verdict
	StaleWhileRevalidate, StaleIfError time.Duration

	Names []string
	Salt  uint64

	lines  []byte // the fields as they are sent
	cookie bool   // there is one among them
}

// NewEntry makes an entry of a head, whose body follows.
func NewEntry(key, url string, status int, v Verdict, came time.Time, each func(visit func(name, value string))) *Entry {
	e := &Entry{Key: key, URL: url, Status: status}
	dated := false
	each(func(name, value string) {
		if !Storable(name) || withheld(v.Directives.Withheld, name) {
			return
		}
		dated = dated || name == "Date"
		e.Fields = append(e.Fields, Field{name, value})
	})
	if !dated { // RFC 9110, section 6.6.1
		e.Fields = append(e.Fields, Field{"Date", came.UTC().Format(http.TimeFormat)})
	}
	e.judge(v, came)
	return e
}

func (e *Entry) judge(v Verdict, came time.Time) {
	e.Came, e.Age, e.Lifetime = came, v.Age, v.Lifetime
	e.Always, e.NeverStale = v.Always, v.NeverStale
	e.StaleWhileRevalidate, e.StaleIfError = v.StaleWhileRevalidate, v.StaleIfError
}

func withheld(names []string, name string) bool {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// Storable tells whether a field is part of a stored response (RFC 9111, section 3.1): not
// those of the connection, not those that are made anew, and not what one client has left of a
// limit, which says nothing to the next one.
func Storable(name string) bool {
	switch name = http.CanonicalHeaderKey(name); name {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
		"Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization", "Age", "Content-Length",
		"Ratelimit", "Ratelimit-Policy", "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset":
		return false
	}
	return !strings.HasPrefix(name, http.TrailerPrefix)
}

// Init prepares what is derived of an entry. Who has made or read one calls it. The lines go out
// as they are, so that what is none, or would end the head, is none of them.
func (e *Entry) Init() {
	e.Fields = slices.DeleteFunc(e.Fields, func(f Field) bool { return !Storable(f.Name) || !headername.Valid(f.Name) })
	for i := range e.Fields {
		if f := &e.Fields[i]; strings.ContainsAny(f.Value, "\r\n\x00") {
			f.Value = oneLine.Replace(f.Value)
		}
	}
	e.cookie = e.Get("Set-Cookie") != ""
	size := 0
	for _, f := range e.Fields {
		size += len(f.Name) + len(f.Value) + len(": \r\n")
	}
	e.lines = make([]byte, 0, size)
	for _, f := range e.Fields {
		e.lines = append(append(append(append(e.lines, f.Name...), ": "...), f.Value...), "\r\n"...)
	}
}

var oneLine = strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ")

// Lines are the fields as they are sent.
func (e *Entry) Lines() []byte { return e.lines }

// SetsCookie tells whether it has a Set-Cookie.
func (e *Entry) SetsCookie() bool { return e.cookie }

// AgeAt is how old it is.
func (e *Entry) AgeAt(now time.Time) time.Duration {
	passed := now.Sub(e.Came)
	if passed < -mostAhead {
		return old
	}
	return e.Age + min(max(passed, 0), old)
}

// mostAhead is by how much the clock may have been ahead of whoever has stored an entry. Of one
// that came later than that, nobody can tell how old it is.
const mostAhead = time.Minute

// FreshFor is how long it is fresh still; below 0: it is stale since.
func (e *Entry) FreshFor(now time.Time) time.Duration { return e.Lifetime - e.AgeAt(now) }

// Get returns the first value of a field, or "".
func (e *Entry) Get(name string) string {
	for i := range e.Fields {
		if e.Fields[i].Name == name {
			return e.Fields[i].Value
		}
	}
	return ""
}

// Values returns those of all fields of a name.
func (e *Entry) Values(name string) (values []string) {
	for i := range e.Fields {
		if e.Fields[i].Name == name {
			values = append(values, e.Fields[i].Value)
		}
	}
	return values
}

// overhead is what an entry takes beside its bytes.
const overhead = 512

// Size is what it takes in memory, about.
func (e *Entry) Size() int {
	n := overhead + len(e.Key)*2 + len(e.URL) + len(e.lines)*2 + len(e.Body)
	for _, f := range e.Fields {
		n += 2*16 + len(f.Name)
	}
	for _, t := range e.Tags {
		n += 16 + len(t)
	}
	return n
}

// Tags are the words in the fields that name them, by blanks or commas.
func Tags(lines Lines, names []string) (tags []string) {
	for _, name := range names {
		for _, line := range lines(name) {
			for _, tag := range strings.FieldsFunc(line, func(c rune) bool { return c == ' ' || c == ',' || c == '\t' }) {
				if len(tags) < mostTags && len(tag) <= longestTag {
					tags = append(tags, tag)
				}
			}
		}
	}
	return tags
}

const (
	mostTags   = 128
	longestTag = 256
)

// AppendSeconds appends a number of seconds that is not below 0.
func AppendSeconds(dst []byte, d time.Duration) []byte {
	return strconv.AppendInt(dst, max(int64(d/time.Second), 0), 10)
}
