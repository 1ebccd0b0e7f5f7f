package udp

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"fairway/proxy"
)

const longest = 20 * time.Second

// echo answers with its name, whom it hears and what.
func echo(t *testing.T, name string) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buf := make([]byte, largest)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(fmt.Appendf(nil, "%s %s %s", name, from, buf[:n]), from)
		}
	}()
	return conn.LocalAddr().String()
}

// run serves datagrams by a service.
func run(t *testing.T, s Service, timeout time.Duration) (*Sessions, string) {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	sessions := &Sessions{Conn: conn, All: &atomic.Int64{}, Timeout: timeout, Choose: func() Service { return s }, Failed: func(_ netip.AddrPort, err error) { t.Error(err) }}
	ended := make(chan struct{})
	go func() { defer close(ended); sessions.Run() }()
	t.Cleanup(func() { _ = conn.Close(); <-ended })
	return sessions, conn.LocalAddr().String()
}

func dial(t *testing.T, at string) net.Conn {
	t.Helper()
	conn, err := net.Dial("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(longest))
	return conn
}

func say(t *testing.T, conn net.Conn, text string) (name, from, heard string) {
	t.Helper()
	if _, err := conn.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, largest)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = fmt.Sscan(string(buf[:n]), &name, &from, &heard)
	return name, from, heard
}

func TestSessions_StayAtTheirServerUntilTheyEnd(t *testing.T) {
	s, err := (&LoadBalancer{Servers: []Server{{Address: echo(t, "a")}, {Address: echo(t, "b")}}}).New()
	if err != nil {
		t.Fatal(err)
	}
	sessions, at := run(t, s, 50*time.Millisecond)
	one, other := dial(t, at), dial(t, at)
	name1, from1, heard := say(t, one, "x")
	name2, _, _ := say(t, other, "y")
	if name1 == name2 || heard != "x" {
		t.Errorf("got %s and %s, %q", name1, name2, heard)
	}
	if name, from, _ := say(t, one, "z"); name != name1 || from != from1 {
		t.Errorf("the session has moved from %s %s to %s %s", name1, from1, name, from)
	}
	for end := time.Now().Add(longest); sessions.Open() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("sessions do not end")
		}
	}
	if _, from, _ := say(t, one, "again"); from == from1 {
		t.Error("a new session has the socket of the old one")
	}
}

func TestSessions_OfNobodyAreDropped(t *testing.T) {
	conn, _ := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	asked := make(chan struct{}, 10)
	sessions := &Sessions{Conn: conn, All: &atomic.Int64{}, Timeout: time.Second, Choose: func() Service { asked <- struct{}{}; return nil }}
	ended := make(chan struct{})
	go func() { defer close(ended); sessions.Run() }()
	_, _ = dial(t, conn.LocalAddr().String()).Write([]byte("x"))
	<-asked
	_ = conn.Close()
	<-ended
	if sessions.Open() != 0 {
		t.Error("there is a session")
	}
}

func TestWeighted(t *testing.T) {
	find := func(name string) (Service, error) {
		if name == "empty" {
			return (&LoadBalancer{}).New()
		}
		return (&LoadBalancer{Servers: []Server{{Address: echo(t, name)}}}).New()
	}
	three := 3
	s, err := (&Weighted{Services: []proxy.Part{{Name: "a", Weight: &three}, {Name: "b"}, {Name: "empty"}}}).New(find)
	if err != nil {
		t.Fatal(err)
	}
	_, at := run(t, s, longest)
	counts := map[string]int{}
	for range 8 {
		name, _, _ := say(t, dial(t, at), "x")
		counts[name]++
	}
	if counts["a"] != 6 || counts["b"] != 2 {
		t.Errorf("got %v", counts)
	}
	if _, err := (&Weighted{}).New(find); err == nil {
		t.Error("one of nothing is taken")
	}
	if _, err := (&LoadBalancer{Servers: []Server{{Address: "x"}}}).New(); err == nil {
		t.Error("an address that is none is taken")
	}
}

// Sessions that wait take no buffers, and there are so many of them and no more.
func TestSessions_AreBounded(t *testing.T) {
	s, err := (&LoadBalancer{Servers: []Server{{Address: echo(t, "a")}}}).New()
	if err != nil {
		t.Fatal(err)
	}
	sessions, at := run(t, s, longest)
	before := heap()
	for range 500 {
		say(t, dial(t, at), "x")
	}
	if grown := heap() - before; sessions.Open() != 500 || grown > 500*20<<10 {
		t.Errorf("%d sessions take %d KiB", sessions.Open(), grown>>10)
	}
	sessions.All.Add(mostSessions) // of other entry points
	_, _ = dial(t, at).Write([]byte("x"))
	for end := time.Now().Add(longest); sessions.Dropped() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it was not dropped")
		}
	}
}

// Whoever keeps sending does not stay at a server that is gone, or that a new configuration does not have.
func TestSessions_LeaveServersThatAreGone(t *testing.T) {
	first, second := echo(t, "first"), echo(t, "second")
	chosen, _ := (&LoadBalancer{Servers: []Server{{Address: first}}}).New()
	var service atomic.Pointer[Service]
	service.Store(&chosen)
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	sessions := &Sessions{Conn: conn, All: &atomic.Int64{}, Timeout: longest, Choose: func() Service { return *service.Load() }}
	ended := make(chan struct{})
	go func() { defer close(ended); sessions.Run() }()
	client := dial(t, conn.LocalAddr().String())
	if name, _, _ := say(t, client, "x"); name != "first" {
		t.Errorf("got %s", name)
	}
	sessions.Leave() // nothing is new
	if name, _, _ := say(t, client, "x"); name != "first" || sessions.Open() != 1 {
		t.Errorf("got %s", name)
	}
	other, _ := (&LoadBalancer{Servers: []Server{{Address: second}}}).New()
	service.Store(&other)
	sessions.Leave()
	if name, _, _ := say(t, client, "x"); name != "second" {
		t.Errorf("got %s", name)
	}
	gone, _ := net.ListenPacket("udp", "127.0.0.1:0")
	away, _ := (&LoadBalancer{Servers: []Server{{Address: gone.LocalAddr().String()}}}).New()
	_ = gone.Close()
	service.Store(&away)
	sessions.Leave()
	_, _ = client.Write([]byte("x")) // nobody listens: the session ends
	for end := time.Now().Add(longest); sessions.All.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the session does not end")
		}
	}
	_ = conn.Close()
	<-ended
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
