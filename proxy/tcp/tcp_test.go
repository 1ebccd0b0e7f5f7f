package tcp

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/proxy"
)

const longest = 20 * time.Second

// server accepts connections and hands each to serve.
func serve(t *testing.T, handle func(*net.TCPConn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				handle(conn.(*net.TCPConn))
			}()
		}
	}()
	return l.Addr().String()
}

func named(name string) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		_, _ = io.WriteString(c, name)
		_ = c.CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	}
}

func dead(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// through connects by a service, and returns the client's end and how serving ended.
func through(t *testing.T, s Handler, peeked string) (*net.TCPConn, chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	_ = client.SetDeadline(time.Now().Add(longest))
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- s.ServeTCP(t.Context(), &Client{
			Conn: conn, Peeked: []byte(peeked), Source: netip.MustParseAddrPort("192.0.2.7:4711"), Destination: netip.MustParseAddrPort("198.51.100.1:80"),
		})
	}()
	return client.(*net.TCPConn), ended
}

func build(t *testing.T, c *LoadBalancer, over *ServersTransport) Service {
	t.Helper()
	var transport *Transport
	if over != nil {
		var err error
		if transport, err = over.New(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.New(t.Context(), transport, DefaultTransport())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLoadBalancer_TakesTurnsAndTheNextOneThatIsThere(t *testing.T) {
	s := build(t, &LoadBalancer{Servers: []Server{{Address: serve(t, named("a"))}, {Address: dead(t)}, {Address: serve(t, named("b"))}}}, nil)
	counts := map[string]int{}
	for range 6 {
		client, ended := through(t, s, "")
		text, err := io.ReadAll(client)
		if err != nil {
			t.Fatal(err)
		}
		counts[string(text)]++
		_ = client.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if counts["a"] != 2 || counts["b"] != 4 {
		t.Errorf("got %v", counts)
	}
}

func TestLoadBalancer_TellsWhyThereIsNobody(t *testing.T) {
	gone := dead(t)
	for want, c := range map[string]*LoadBalancer{"there is no server": {}, "server " + gone + ": dial tcp": {Servers: []Server{{Address: gone}}}} {
		client, ended := through(t, build(t, c, nil), "")
		if err := <-ended; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the client: got %v", err)
		}
	}
}

// A side that has nothing more to say still hears the rest.
func TestPipe_HalfClosed(t *testing.T) {
	s := build(t, &LoadBalancer{Servers: []Server{{Address: serve(t, func(c *net.TCPConn) {
		all, _ := io.ReadAll(c)
		_, _ = io.WriteString(c, "heard "+string(all))
	})}}}, &ServersTransport{TerminationDelay: -1})
	client, ended := through(t, s, "before ")
	_, _ = io.WriteString(client, "and after")
	_ = client.CloseWrite()
	if text, err := io.ReadAll(client); string(text) != "heard before and after" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// What flows behind the end of the other side is carried to its end; who is silent then is not waited for.
func TestPipe_TerminationDelay(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	s := build(t, &LoadBalancer{Servers: []Server{{Address: serve(t, func(c *net.TCPConn) {
		_, _ = io.Copy(io.Discard, c)
		for range 200 { // it takes longer than the delay, and is never silent
			_, _ = c.Write(make([]byte, 1000))
			time.Sleep(time.Millisecond) // the pace is what is tested
		}
		<-release
	})}}}, &ServersTransport{TerminationDelay: types.Duration(100 * time.Millisecond)})
	client, ended := through(t, s, "")
	_ = client.CloseWrite()
	n, _ := io.Copy(io.Discard, client)
	if n != 200_000 {
		t.Errorf("got %d bytes", n)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestPipe_EndsWithItsContext(t *testing.T) {
	s := build(t, &LoadBalancer{Servers: []Server{{Address: serve(t, func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) })}}}, nil)
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, _ := l.Accept()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.ServeTCP(ctx, &Client{Conn: conn}) }()
	cancel()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	_ = client.SetReadDeadline(time.Now().Add(longest))
	if _, err := client.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is still there")
	}
}

func TestProxyProtocol_TellsServersTheClient(t *testing.T) {
	heard := make(chan string, 1)
	at := serve(t, func(c *net.TCPConn) {
		r := bufio.NewReader(c)
		head, _ := r.Peek(5)
		if string(head) == "PROXY" {
			line, _ := r.ReadString('\n')
			heard <- line
			return
		}
		b := make([]byte, 28)
		_, _ = io.ReadFull(r, b)
		heard <- netip.AddrFrom4([4]byte(b[16:20])).String() + " " + netip.AddrFrom4([4]byte(b[20:24])).String()
	})
	for _, tt := range []struct {
		config *LoadBalancer
		over   *ServersTransport
		want   string
	}{
		{&LoadBalancer{}, &ServersTransport{ProxyProtocol: &ProxyProtocol{Version: 1}}, "PROXY TCP4 192.0.2.7 198.51.100.1 4711 80\r\n"},
		{&LoadBalancer{}, &ServersTransport{ProxyProtocol: &ProxyProtocol{Version: 2}}, "192.0.2.7 198.51.100.1"},
		{&LoadBalancer{ProxyProtocol: &ProxyProtocol{Version: 1}}, nil, "PROXY TCP4 192.0.2.7 198.51.100.1 4711 80\r\n"},
	} {
		tt.config.Servers = []Server{{Address: at}}
		through(t, build(t, tt.config, tt.over), "")
		if got := <-heard; got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestHealthCheck_LeavesOutWhoIsAway(t *testing.T) {
	sick := make(chan bool, 1)
	sick <- true
	at := serve(t, func(c *net.TCPConn) {
		line, _ := bufio.NewReader(c).ReadString('\n')
		if line == "ping\n" {
			answer := "pong"
			if is := <-sick; is {
				answer = "pang"
			}
			sick <- answer == "pang"
			_, _ = io.WriteString(c, answer)
		}
	})
	s := build(t, &LoadBalancer{Servers: []Server{{Address: at}}, HealthCheck: &HealthCheck{Send: "ping\n", Expect: "pong", Interval: types.Duration(5 * time.Millisecond), Timeout: types.Duration(longest)}}, nil)
	wait := func(up bool) ServerStatus {
		for end := time.Now().Add(longest); s.Up() != up; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("it is never up: %v", up)
			}
		}
		return s.Servers()[0]
	}
	if got := wait(false); got.Reason != `it answers "pang", and not "pong"` {
		t.Errorf("got %+v", got)
	}
	<-sick
	sick <- false
	if got := wait(true); got.Reason != "" {
		t.Errorf("got %+v", got)
	}
}

func TestWeighted_SpreadsAndLeavesOutWhoHasNobody(t *testing.T) {
	heavy, none := 3, 0
	children := map[string]Service{
		"a": build(t, &LoadBalancer{Servers: []Server{{Address: serve(t, named("a"))}}}, nil), "b": build(t, &LoadBalancer{Servers: []Server{{Address: serve(t, named("b"))}}}, nil),
		"empty": build(t, &LoadBalancer{}, nil),
	}
	find := func(name string) (Service, error) {
		if s := children[name]; s != nil {
			return s, nil
		}
		return nil, errors.New("no such service")
	}
	s, err := (&Weighted{Services: []proxy.Part{{Name: "a", Weight: &heavy}, {Name: "b"}, {Name: "empty"}, {Name: "a", Weight: &none}}}).New(find)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for range 50 {
		client, _ := through(t, s, "")
		text, _ := io.ReadAll(client)
		counts[string(text)]++
		_ = client.Close()
	}
	if counts[""] != 0 || counts["a"] < counts["b"] || counts["b"] == 0 {
		t.Errorf("got %v", counts)
	}
	for _, c := range []*Weighted{{}, {Services: []proxy.Part{{Name: "c"}}}} {
		if _, err := c.New(find); err == nil {
			t.Errorf("%v is taken", c)
		}
	}
}

func TestNew_MistakesAreTold(t *testing.T) {
	bad := -1
	for want, c := range map[string]*LoadBalancer{
		`servers[0]: has no address`:                  {Servers: []Server{{}}},
		`servers[0]: address "db": is none`:           {Servers: []Server{{Address: "db"}}},
		`servers[0]: address "db:0": has no port`:     {Servers: []Server{{Address: "db:0"}}},
		`proxyProtocol.version: 3 is neither 1 nor 2`: {ProxyProtocol: &ProxyProtocol{Version: 3}},
		`healthCheck: interval and timeout`:           {HealthCheck: &HealthCheck{}},
		`healthCheck.port: -1 is no port`:             {HealthCheck: &HealthCheck{Port: bad, Interval: 1, Timeout: 1}},
	} {
		if _, err := c.New(t.Context(), nil, DefaultTransport()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for want, c := range map[string]*ServersTransport{
		"dialTimeout: is below 0":      {DialTimeout: -1},
		"proxyProtocol.version: 7 is ": {ProxyProtocol: &ProxyProtocol{Version: 7}},
		"tls.rootCAs[0]: ":             {TLS: &ClientTLS{RootCAs: []string{"/nowhere.pem"}}},
	} {
		if _, err := c.New(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
