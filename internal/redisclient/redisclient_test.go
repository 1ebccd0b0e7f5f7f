package redisclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/traefik/paerser/types"

	"fairway/internal/certtest"
	"fairway/internal/redistest"
	"fairway/internal/secret"
)

func open(t *testing.T, change func(c *Config)) *Client {
	t.Helper()
	c := &Config{}
	c.SetDefaults()
	c.Password = redistest.Password
	change(c)
	client, err := c.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func at(address string) func(c *Config) { return func(c *Config) { c.Endpoints = []string{address} } }

// works tells whether a key can be written and read.
func works(t *testing.T, c *Client, key string) {
	t.Helper()
	if _, err := c.Do(t.Context(), "SET", key, "v of "+key); err != nil {
		t.Errorf("set %s: %v", key, err)
		return
	}
	if got, err := redis.String(c.Do(t.Context(), "GET", key)); err != nil || got != "v of "+key {
		t.Errorf("get %s: got %q, %v", key, got, err)
	}
}

func TestClient_OneServer(t *testing.T) {
	s := redistest.New(t)
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(redistest.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := open(t, func(c *Config) {
		c.Endpoints, c.Password, c.PasswordFile, c.DB = []string{s.Address}, "", file, 3
	})
	works(t, c, "a")
	if n, _ := redis.Int(s.Dial(3).Do("EXISTS", "a")); n != 1 {
		t.Error("it is not in the database 3")
	}
	if _, err := redis.String(c.Do(t.Context(), "GET", "none")); !errors.Is(err, redis.ErrNil) {
		t.Errorf("what is not there: got %v", err)
	}
	if _, err := c.Do(t.Context(), "LPUSH", "a", "x"); err == nil || !strings.HasPrefix(err.Error(), "WRONGTYPE") {
		t.Errorf("a mistake: got %v", err)
	}
	answers, err := c.Transaction(t.Context(), Command{"SET", []any{"b", "1"}}, Command{"INCR", []any{"b"}})
	if n, _ := redis.Int(answers[1], nil); err != nil || n != 2 {
		t.Errorf("a transaction: got %v, %v", answers, err)
	}
	s.Stop()
	if _, err := c.Do(t.Context(), "GET", "a"); err == nil || !strings.Contains(err.Error(), s.Address) {
		t.Errorf("away: got %v", err)
	}
	s.Start()
	works(t, c, "again")
	s.Stop()
	s.Start()
	works(t, c, "by a connection that was open before")
}

func TestClient_RunsScripts(t *testing.T) {
	s := redistest.New(t)
	c := open(t, at(s.Address))
	script := NewScript(`return {KEYS[1], ARGV[1], tostring(redis.call("incr", KEYS[1]))}`)
	for i := range 3 {
		if i == 2 {
			s.Do("SCRIPT", "FLUSH")
		}
		got, err := redis.Strings(c.Eval(t.Context(), script, []string{"k"}, "x"))
		if want := fmt.Sprintf("k x %d", i+1); err != nil || strings.Join(got, " ") != want {
			t.Errorf("got %v, %v, want %s", got, err, want)
		}
	}
}

func TestClient_IsOverInTime(t *testing.T) {
	s := redistest.New(t)
	c := open(t, func(c *Config) {
		c.Endpoints, c.MaxActiveConns, c.ReadTimeout = []string{s.Address}, 2, types.Duration(300*time.Millisecond)
	})
	works(t, c, "a")
	resume := s.Halt()
	defer resume()
	var all sync.WaitGroup
	for range 8 { // two of them by connections, the others wait for one
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if _, err := c.Do(ctx, "GET", "a"); err == nil {
				t.Error("a server that does nothing has answered")
			}
		})
	}
	all.Wait()
	if _, err := c.Do(t.Context(), "GET", "a"); err == nil {
		t.Error("without a time of the caller's it did not end")
	}
	resume()
	works(t, c, "b")
}

func TestClient_ConnectionsAreFew(t *testing.T) {
	s := redistest.New(t)
	c := open(t, func(c *Config) { c.Endpoints, c.PoolSize = []string{s.Address}, 4 })
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() { works(t, c, fmt.Sprint("k", i)) })
	}
	all.Wait()
	text, _ := redis.String(s.Do("CLIENT", "LIST"), nil)
	if n := strings.Count(text, "\n") - 1; n > 4 {
		t.Errorf("%d connections, want 4 at most", n)
	}
}

func TestClient_EndsWithItsContext(t *testing.T) {
	s := redistest.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	config := &Config{Endpoints: []string{s.Address}, Password: redistest.Password}
	c, err := config.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	works(t, c, "a")
	cancel()
	redistest.Await(t, "the connections to close", func() bool {
		text, _ := redis.String(s.Do("CLIENT", "LIST"), nil)
		return strings.Count(text, "\n") == 1
	})
	if _, err := c.Do(t.Context(), "GET", "a"); !errors.Is(err, ErrEnded) {
		t.Errorf("got %v", err)
	}
}

func TestClient_ByTLS(t *testing.T) {
	ca := certtest.NewAuthority(t, "redis")
	cert, key := ca.Files(time.Now().Add(time.Hour), "127.0.0.1")
	s := redistest.NewTLS(t, cert, key)
	c := open(t, func(c *Config) { c.Endpoints, c.TLS = []string{s.Address}, &TLS{CA: ca.PEM()} })
	works(t, c, "a")
	c = open(t, func(c *Config) { c.Endpoints, c.TLS = []string{s.Address}, &TLS{} })
	if _, err := c.Do(t.Context(), "GET", "a"); err == nil || !strings.Contains(err.Error(), "tls: ") {
		t.Errorf("by an authority that is not known: got %v", err)
	}
	c = open(t, func(c *Config) { c.Endpoints, c.TLS = []string{s.Address}, &TLS{InsecureSkipVerify: true} })
	works(t, c, "b")
}

func TestSubscription(t *testing.T) {
	s := redistest.New(t)
	c := open(t, at(s.Address))
	sub, err := c.Subscribe(t.Context(), "a.*", "b.*")
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	for _, channel := range []string{"a.x", "b.x"} {
		s.Do("PUBLISH", channel, "1")
		<-sub.Told
	}
	s.Do("PUBLISH", "c.x", "1")
	s.Do("PUBLISH", "a.x", "1")
	<-sub.Told
	s.Stop()
	<-sub.Lost
}

func TestSentinel_FollowsTheMaster(t *testing.T) {
	master, replica, sentinels := redistest.NewSentinels(t)
	c := open(t, func(c *Config) {
		c.Endpoints = append([]string{"127.0.0.1:1"}, sentinels...) // one is away
		c.Sentinel = &Sentinel{MasterName: "main", Password: redistest.SentinelPassword}
	})
	works(t, c, "before")
	master.Stop()
	redistest.Await(t, "the replica to take over", func() bool {
		_, err := c.Do(t.Context(), "SET", "after", "x")
		return err == nil
	})
	if got, err := redis.String(replica.Do("GET", "before"), nil); err != nil || got != "v of before" {
		t.Errorf("the replica has %q, %v", got, err)
	}
	master.Start() // and is told to follow
	for i := range 50 {
		works(t, c, fmt.Sprint("k", i))
	}
	c = open(t, func(c *Config) {
		c.Endpoints, c.Sentinel = sentinels, &Sentinel{MasterName: "none", Password: redistest.SentinelPassword}
	})
	if _, err := c.Do(t.Context(), "GET", "a"); err == nil || !strings.Contains(err.Error(), `knows no master "none"`) {
		t.Errorf("got %v", err)
	}
}

func TestCluster_FindsTheNodeOfAKey(t *testing.T) {
	nodes := redistest.NewCluster(t, 3)
	c := open(t, func(c *Config) { c.Endpoints, c.Cluster = []string{nodes[1].Address}, true })
	script := NewScript(`return redis.call("incr", KEYS[1])`)
	for i := range 100 {
		key := fmt.Sprint("key", i)
		works(t, c, key)
		if n, err := redis.Int(c.Eval(t.Context(), script, []string{"n" + key})); err != nil || n != 1 {
			t.Errorf("a script: got %d, %v", n, err)
		}
	}
	if _, err := c.Transaction(t.Context(), Command{"SET", []any{"{tag}a", "1"}}, Command{"SET", []any{"{tag}b", "1"}}); err != nil {
		t.Errorf("keys of one slot: %v", err)
	}
	all, err := c.EvalEach(t.Context(), NewScript(`return #redis.call('KEYS', '*')`))
	sum := 0
	for _, n := range all {
		n, _ := redis.Int(n, nil)
		sum += n
	}
	if err != nil || len(all) != 3 || sum != 202 {
		t.Errorf("%d keys at %d nodes, %v", sum, len(all), err)
	}
	sub, err := c.Subscribe(t.Context(), "told")
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	nodes[2].Do("PUBLISH", "told", "x")
	<-sub.Told
}

// TestCluster_FollowsASlot moves one from a node to another while its keys are used.
func TestCluster_FollowsASlot(t *testing.T) {
	nodes := redistest.NewCluster(t, 3)
	c := open(t, func(c *Config) { c.Endpoints = []string{nodes[0].Address, nodes[1].Address} })
	key := "moving"
	slot := slotOf(key)
	works(t, c, key)
	from, to := nodes[slot*3/slots], nodes[(slot*3/slots+1)%3]
	id := func(s *redistest.Server) string {
		text, _ := redis.String(s.Do("CLUSTER", "MYID"), nil)
		return text
	}
	to.Do("CLUSTER", "SETSLOT", slot, "IMPORTING", id(from))
	from.Do("CLUSTER", "SETSLOT", slot, "MIGRATING", id(to))
	works(t, c, key)
	works(t, c, "{"+key+"}new") // ASK: it is made at the other one
	if n, _ := redis.Int(from.Do("CLUSTER", "COUNTKEYSINSLOT", slot), nil); n != 1 {
		t.Errorf("%d keys at the old node, want the one that was there", n)
	}
	from.Do("MIGRATE", "127.0.0.1", to.Port, key, 0, 5000, "AUTH", redistest.Password)
	for _, s := range []*redistest.Server{to, from, nodes[(slot*3/slots+2)%3]} {
		s.Do("CLUSTER", "SETSLOT", slot, "NODE", id(to))
	}
	works(t, c, key) // MOVED
	works(t, c, key)
	to.Stop()
	if _, err := c.Do(t.Context(), "GET", key); err == nil {
		t.Error("the node is away, and answers")
	}
	for i := range 100 { // keys of others are there all the same
		if k := fmt.Sprint("k", i); slotOf(k)*3/slots == slotOf(key)*3/slots && slotOf(k) != slot {
			works(t, c, k)
		}
	}
}

func TestConfig_MistakesAreNamed(t *testing.T) {
	for want, change := range map[string]func(c *Config){
		"endpoints: none":         func(c *Config) { c.Endpoints = nil },
		`"redis" is no host:port`: func(c *Config) { c.Endpoints = []string{"redis"} },
		"only one of password":    func(c *Config) { c.Password, c.PasswordFile = "a", "b" },
		"passwordFile: ":          func(c *Config) { c.PasswordFile = "/none" },
		"sentinel: masterName":    func(c *Config) { c.Sentinel = &Sentinel{} },
		"only one of sentinel":    func(c *Config) { c.Sentinel, c.Cluster = &Sentinel{MasterName: "a"}, true },
		"db: there is no 1":       func(c *Config) { c.Cluster, c.DB = true, 1 },
		"db: there is no -1":      func(c *Config) { c.DB = -1 },
		"poolSize":                func(c *Config) { c.PoolSize = -1 },
		"dialTimeout":             func(c *Config) { c.DialTimeout = -1 },
		"tls: ca: ":               func(c *Config) { c.TLS = &TLS{CA: "/none"} },
		"tls: ca: there is no":    func(c *Config) { c.TLS = &TLS{CA: "-----BEGIN X"} },
		"tls: key: is neither":    func(c *Config) { c.TLS = &TLS{Cert: "-----BEGIN X", Key: secret.String("CANARY")} },
	} {
		c := &Config{}
		c.SetDefaults()
		change(c)
		if _, err := c.Open(t.Context()); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestSlotOf(t *testing.T) {
	for key, want := range map[string]int{"123456789": 0x31c3, "foo": 12182, "{foo}bar": 12182, "a{foo}{bar}": 12182, "{}foo": slotOf("{}foo"), "": 0} {
		if got := slotOf(key); got != want {
			t.Errorf("%q: got %d, want %d", key, got, want)
		}
	}
	if slotOf("{}foo") == slotOf("foo") {
		t.Error("nothing between braces counts as a tag")
	}
}

func TestRedirected(t *testing.T) {
	for text, want := range map[string]string{
		"MOVED 3999 127.0.0.1:6381": "127.0.0.1:6381", "ASK 1 [::1]:6379": "[::1]:6379", "MOVED 1 2001:db8::1:6379": "[2001:db8::1]:6379", "ASK 1 ::1:7000": "[::1]:7000",
		"MOVED 1 :6379": "10.0.0.1:6379", "MOVED 1 ?:6379": "10.0.0.1:6379", "MOVED 1 redis_1.test:6379": "redis_1.test:6379",
		"MOVED 1 fe80::1%eth0:6379": "[fe80::1%eth0]:6379",
		"MOVED 1 ?0:1":              "", "MOVED 1 a:0": "", "MOVED 1 a:65536": "", "MOVED 1 a:": "", "MOVED 1 a": "", "MOVED 1 a/b:1": "", "MOVED 1": "", "ERR x y:1": "",
	} {
		got, kind := redirected(text, "10.0.0.1:1")
		if got != want || (kind == stays) != (want == "") {
			t.Errorf("%q: got %q, %v; want %q", text, got, kind, want)
		}
		if strings.HasPrefix(text, "MOVED ") && !stale(text) {
			t.Errorf("%q does not have the places of keys looked up again", text)
		}
	}
}

func FuzzRedirected(f *testing.F) {
	for _, text := range []string{"MOVED 3999 127.0.0.1:6381", "ASK 1 [::1]:6379", "MOVED 1 2001:db8::1:6379", "MOVED 1 :6379", "MOVED 1 ?:6379", "MOVED 0 ?0:0", "MOVED 0 ?0:1", "MOVED 1 a:65536", "ASK", "ERR x y z", "MOVED 1 a"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		address, kind := redirected(text, "10.0.0.1:1")
		if (address == "") != (kind == stays) {
			t.Errorf("%q: %q, %v", text, address, kind)
		}
		if host, port, err := net.SplitHostPort(address); kind != stays && (err != nil || host == "" || port == "" || strings.ContainsAny(host, "?/@ ")) {
			t.Errorf("%q: the address %q is none of a node", text, address)
		}
	})
}

// answers is a connection on which a server has said something already.
type answers struct {
	net.Conn
	io.Reader
}

func (a answers) Read(b []byte) (int, error)     { return a.Reader.Read(b) }
func (answers) Write(b []byte) (int, error)      { return len(b), nil }
func (answers) Close() error                     { return nil }
func (answers) SetReadDeadline(time.Time) error  { return nil }
func (answers) SetWriteDeadline(time.Time) error { return nil }

// digits are numbers that would be too much, as a length.
var digits = regexp.MustCompile(`[*$][0-9]{4,}`)

// FuzzReadSlots reads what a node may say of the cluster.
func FuzzReadSlots(f *testing.F) {
	f.Add([]byte("*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n$9\r\n127.0.0.1\r\n:7000\r\n$2\r\nid\r\n"))
	f.Add([]byte("*2\r\n*3\r\n:0\r\n:1\r\n*2\r\n$0\r\n\r\n:7000\r\n*3\r\n:5\r\n:16384\r\n*2\r\n$1\r\n?\r\n:1\r\n"))
	f.Add([]byte("*0\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if digits.Match(text) {
			return // of a length that it says, redigo makes room for a server that it trusts
		}
		conn := redis.NewConn(answers{Reader: bytes.NewReader(text)}, time.Second, time.Second)
		rows, err := redis.Values(conn.Do("CLUSTER", "SLOTS"))
		if err != nil {
			return
		}
		list, err := readSlots(rows, "10.0.0.1:7000")
		for _, r := range list {
			if err == nil && (r.first < 0 || r.last >= slots || strings.HasPrefix(r.master, ":")) {
				t.Errorf("%+v", r)
			}
		}
	})
}
