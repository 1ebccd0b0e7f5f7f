// Package redistest starts real servers of Redis for tests: single ones, clusters, and masters
// with replicas and sentinels, all on this machine and for the time of a test.
package redistest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Password is that of all servers.
const Password = "s3cret"

// Server is one.
type Server struct {
	Address, Port string

	tb   testing.TB
	args []string
	mu   sync.Mutex
	cmd  *exec.Cmd
}

// New starts a server that forgets everything when it ends, with more options if there are.
func New(tb testing.TB, more ...string) *Server {
	tb.Helper()
	port := freePort(tb)
	return start(tb, port, append([]string{"--port", port}, more...)...)
}

// NewTLS starts a server that is spoken to by TLS only, with files of its certificate and key.
func NewTLS(tb testing.TB, cert, key string) *Server {
	tb.Helper()
	port := freePort(tb)
	return start(tb, port, "--port", "0", "--tls-port", port, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no")
}

func start(tb testing.TB, port string, more ...string) *Server {
	tb.Helper()
	need(tb)
	s := &Server{Address: "127.0.0.1:" + port, Port: port, tb: tb}
	s.args = append([]string{"--bind", "127.0.0.1", "--save", "", "--requirepass", Password, "--masterauth", Password, "--dir", tb.TempDir(), "--loglevel", "warning"}, more...)
	s.Start()
	tb.Cleanup(s.Stop)
	return s
}

func need(tb testing.TB) {
	tb.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") != "" {
			tb.Fatal(err)
		}
		tb.Skipf("no redis-server: %s", err)
	}
}

func freePort(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// Start starts it, at first and after Stop.
func (s *Server) Start() {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cmd = exec.Command("redis-server", s.args...) //nolint:gosec // a program of the tests
	if err := s.cmd.Start(); err != nil {
		s.tb.Fatal(err)
	}
	Await(s.tb, "redis-server to listen at "+s.Address, func() bool {
		c, err := net.Dial("tcp", s.Address)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

// Stop kills it.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// Halt has it do nothing, although it is there; the function returned lets it go on.
func (s *Server) Halt() (resume func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	process := s.cmd.Process
	_ = process.Signal(syscall.SIGSTOP)
	return func() { _ = process.Signal(syscall.SIGCONT) }
}

// Dial returns a connection with a login, at a database.
func (s *Server) Dial(db int) redis.Conn {
	s.tb.Helper()
	c, err := redis.Dial("tcp", s.Address, redis.DialPassword(Password), redis.DialDatabase(db))
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() { _ = c.Close() })
	return c
}

// Do carries out a command.
func (s *Server) Do(command string, args ...any) any {
	s.tb.Helper()
	c, err := redis.Dial("tcp", s.Address, redis.DialPassword(Password))
	if err != nil {
		s.tb.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	answer, err := c.Do(command, args...)
	if err != nil {
		s.tb.Fatalf("%s %v: %v", command, args, err)
	}
	return answer
}

// Together carries out commands, one to a text, as one transaction. Words are between spaces.
func (s *Server) Together(commands ...string) {
	s.tb.Helper()
	c := s.Dial(0)
	_ = c.Send("MULTI")
	for _, command := range commands {
		words := strings.Fields(command)
		args := make([]any, len(words)-1)
		for i, w := range words[1:] {
			args[i] = w
		}
		_ = c.Send(words[0], args...)
	}
	if _, err := c.Do("EXEC"); err != nil {
		s.tb.Fatalf("%v: %v", commands, err)
	}
}

// Leads tells whether it is a master.
func (s *Server) Leads() bool {
	role, err := redis.Values(s.Do("ROLE"), nil)
	if err != nil || len(role) == 0 {
		return false
	}
	name, _ := redis.String(role[0], nil)
	return name == "master"
}

// NewCluster starts masters that share the slots.
func NewCluster(tb testing.TB, masters int) []*Server {
	tb.Helper()
	const slots = 16384
	var all []*Server
	for i := range masters {
		s := New(tb, "--cluster-enabled", "yes", "--cluster-port", freePort(tb), "--cluster-node-timeout", "2000", "--cluster-config-file", "nodes.conf", "--cluster-require-full-coverage", "no")
		first, last := i*slots/masters, (i+1)*slots/masters-1
		s.Do("CLUSTER", "ADDSLOTSRANGE", first, last)
		all = append(all, s)
	}
	for i, s := range all {
		s.Do("CLUSTER", "SET-CONFIG-EPOCH", i+1)
	}
	for _, s := range all[1:] {
		all[0].Do("CLUSTER", "MEET", "127.0.0.1", s.Port, s.option("--cluster-port"))
	}
	for _, s := range all {
		Await(tb, "the cluster to be one", func() bool {
			text, _ := redis.String(s.Do("CLUSTER", "INFO"), nil)
			return strings.Contains(text, "cluster_state:ok") && strings.Contains(text, "cluster_known_nodes:"+strconv.Itoa(masters)) && strings.Contains(text, "cluster_slots_ok:16384")
		})
	}
	return all
}

func (s *Server) option(name string) string {
	for i, arg := range s.args {
		if arg == name {
			return s.args[i+1]
		}
	}
	return ""
}

// NewSentinels starts a master of the name "main", a replica of it, and three sentinels that have
// the replica be the master when the first one is gone for half a second.
func NewSentinels(tb testing.TB) (master, replica *Server, sentinels []string) {
	tb.Helper()
	master = New(tb)
	replica = New(tb, "--replicaof", "127.0.0.1", master.Port)
	Await(tb, "the replica to follow", func() bool {
		text, _ := redis.String(replica.Do("INFO", "replication"), nil)
		return strings.Contains(text, "master_link_status:up")
	})
	for range 3 {
		port := freePort(tb)
		file := filepath.Join(tb.TempDir(), "sentinel.conf")
		text := fmt.Sprintf("port %s\nbind 127.0.0.1\nloglevel warning\nrequirepass guard\nsentinel sentinel-pass guard\nsentinel monitor main 127.0.0.1 %s 2\nsentinel auth-pass main %s\nsentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n", port, master.Port, Password)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
		cmd := exec.Command("redis-server", file, "--sentinel") //nolint:gosec // a program of the tests
		if err := cmd.Start(); err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
		sentinels = append(sentinels, "127.0.0.1:"+port)
	}
	for _, address := range sentinels {
		Await(tb, "the sentinels to know each other", func() bool {
			c, err := redis.Dial("tcp", address, redis.DialPassword(SentinelPassword))
			if err != nil {
				return false
			}
			defer func() { _ = c.Close() }()
			known, err := redis.StringMap(c.Do("SENTINEL", "master", "main"))
			return err == nil && known["num-other-sentinels"] == "2" && known["num-slaves"] == "1"
		})
	}
	return master, replica, sentinels
}

// SentinelPassword is that of the sentinels.
const SentinelPassword = "guard"

// Await waits for what other programs do.
func Await(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	for until := time.Now().Add(30 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			tb.Fatalf("waited in vain for %s", what)
		}
	}
}
