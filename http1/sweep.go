package http1

import (
	"net/http"
	"sync/atomic"
	"time"
)

// Deadlines are coarse. Setting a timer of the kernel's or the runtime's twice per
// request costs more than looking at every connection four times a second. Only
// timeouts below a second are set exactly.

const (
	tick         = 250 * time.Millisecond
	exactBelow   = time.Second
	dateTemplate = http.TimeFormat
)

// clock has the time and the Date field, as of the last tick. Its goroutine runs
// while the server has connections.
type clock struct {
	running atomic.Bool
	now     atomic.Int64 // Unix time in nanoseconds
	date    atomic.Pointer[stamp]
}

type stamp struct {
	second int64
	line   string // "Date: ...\r\n"
}

// run starts the sweeper of s unless it runs.
func (k *clock) run(s *Server) {
	if k.running.Load() || !k.running.CompareAndSwap(false, true) {
		return
	}
	k.set(time.Now())
	go k.sweep(s)
}

func (k *clock) sweep(s *Server) {
	t := time.NewTicker(tick)
	defer t.Stop()
	for now := range t.C {
		k.set(now)
		s.conns.each(func(c *conn) { c.sweep(now.UnixNano()) })
		if s.conns.open.Load() > 0 {
			continue
		}
		k.running.Store(false)
		// A connection may have come in before it could see that.
		if s.conns.open.Load() == 0 || !k.running.CompareAndSwap(false, true) {
			return
		}
	}
}

func (k *clock) set(now time.Time) {
	k.now.Store(now.UnixNano())
	if last := k.date.Load(); last == nil || last.second != now.Unix() {
		k.date.Store(&stamp{now.Unix(), "Date: " + now.UTC().Format(dateTemplate) + "\r\n"})
	}
}

// dateLine returns the Date field. It is at most one tick old, but right after
// the first connection in a long time.
func (k *clock) dateLine() string {
	if d := k.date.Load(); d != nil {
		return d.line
	}
	return ""
}

// meter judges the pace of a client in one direction: the bytes it has moved over
// the time that the server had to wait for it. Time that handlers and upstreams
// take does not count.
type meter struct {
	waiting atomic.Bool
	moved   atomic.Int64  // with those of the call that is under way
	message atomic.Uint32 // counts the messages

	judged uint32 // the rest belongs to the sweeper
	waited time.Duration
}

// start begins with a new message.
func (m *meter) start() {
	m.moved.Store(0)
	m.message.Add(1)
}

// begin notes that a call which moves up to n bytes may wait.
func (m *meter) begin(n int64) {
	m.moved.Add(n)
	m.waiting.Store(true)
}

// end takes back what the call has not moved.
func (m *meter) end(missed int64) {
	m.waiting.Store(false)
	if missed != 0 {
		m.moved.Add(-missed)
	}
}

// tooSlow is asked once every tick.
func (m *meter) tooSlow(rate int64, grace time.Duration) bool {
	if message := m.message.Load(); message != m.judged {
		m.judged, m.waited = message, 0
	}
	if !m.waiting.Load() {
		return false
	}
	m.waited += tick
	return rate > 0 && m.waited > grace && m.moved.Load() < int64(m.waited.Seconds()*float64(rate))
}

// sweep ends what the connection waits for when its time is over. The goroutine
// of the connection sees a passed deadline and does the rest.
func (c *conn) sweep(now int64) {
	s := c.srv
	slow := c.readPace.tooSlow(s.MinBodyRate, s.RateGrace)
	if due := c.readDue.Load(); due != 0 && now > due || slow && !c.answering.Load() {
		c.expire()
		_ = c.rwc.SetReadDeadline(longAgo)
	}
	if due := c.writeDue.Load(); due != 0 && now > due || c.writePace.tooSlow(s.MinBodyRate, s.RateGrace) {
		c.expire()
		_ = c.rwc.SetWriteDeadline(longAgo)
	}
}

// expire marks that the connection ends with what it is at.
func (c *conn) expire() { c.expired.Store(true) }

var longAgo = time.Unix(1, 0)

// limitRead lets reads wait for d from now, or without end when d is 0.
func (c *conn) limitRead(d time.Duration) {
	if d > 0 && d < exactBelow {
		c.readDue.Store(0)
		c.exactRead = true
		_ = c.rwc.SetReadDeadline(time.Now().Add(d))
		return
	}
	if c.exactRead {
		c.exactRead = false
		_ = c.rwc.SetReadDeadline(time.Time{})
	}
	c.readDue.Store(c.dueIn(d))
}

// limitWrite is limitRead for writes.
func (c *conn) limitWrite(d time.Duration) {
	if d > 0 && d < exactBelow {
		c.exactWrite = true
		_ = c.rwc.SetWriteDeadline(time.Now().Add(d))
		return
	}
	if c.exactWrite {
		c.exactWrite = false
		_ = c.rwc.SetWriteDeadline(time.Time{})
	}
	if d > 0 || c.writeDue.Load() != 0 {
		c.writeDue.Store(c.dueIn(d))
	}
}

func (c *conn) dueIn(d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return c.srv.clock.now.Load() + int64(d)
}
