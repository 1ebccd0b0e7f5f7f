package docker

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"fairway/config/dynamic"
	"fairway/internal/dockerengine"
)

// machine is an SSH server that opens connections to sockets, as sshd does.
type machine struct {
	address string
	keys    []ssh.Signer // of the machine, of several kinds
	user    ssh.Signer   // who may log in
	keyFile string
}

func newMachine(tb testing.TB) *machine {
	tb.Helper()
	m := &machine{}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		tb.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	for _, key := range []any{rsaKey, edKey} {
		signer, err := ssh.NewSignerFromKey(key)
		if err != nil {
			tb.Fatal(err)
		}
		m.keys = append(m.keys, signer)
	}
	_, userKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	if m.user, err = ssh.NewSignerFromKey(userKey); err != nil {
		tb.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(userKey, "")
	if err != nil {
		tb.Fatal(err)
	}
	m.keyFile = filepath.Join(tb.TempDir(), "key")
	if err := os.WriteFile(m.keyFile, pem.EncodeToMemory(block), 0o600); err != nil {
		tb.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	m.address = l.Addr().String()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go m.serve(conn)
		}
	}()
	return m
}

func (m *machine) serve(conn net.Conn) {
	c := &ssh.ServerConfig{PublicKeyCallback: func(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if meta.User() != "docker" || string(key.Marshal()) != string(m.user.PublicKey().Marshal()) {
			return nil, os.ErrPermission
		}
		return nil, nil
	}}
	for _, key := range m.keys {
		c.AddHostKey(key)
	}
	_, channels, requests, err := ssh.NewServerConn(conn, c)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for ch := range channels {
		if ch.ChannelType() != "direct-streamlocal@openssh.com" {
			_ = ch.Reject(ssh.UnknownChannelType, "")
			continue
		}
		var target struct {
			Socket   string
			Reserved string
			Port     uint32
		}
		if err := ssh.Unmarshal(ch.ExtraData(), &target); err != nil {
			_ = ch.Reject(ssh.ConnectionFailed, err.Error())
			continue
		}
		socket, err := net.Dial("unix", target.Socket)
		if err != nil {
			_ = ch.Reject(ssh.ConnectionFailed, "open failed")
			continue
		}
		near, more, err := ch.Accept()
		if err != nil {
			_ = socket.Close()
			continue
		}
		go ssh.DiscardRequests(more)
		go func() { _, _ = io.Copy(socket, near); _ = socket.Close() }()
		go func() { _, _ = io.Copy(near, socket); _ = near.Close() }()
	}
}

// known writes a file of known hosts with some of the machine's keys.
func (m *machine) known(tb testing.TB, keys ...ssh.Signer) string {
	tb.Helper()
	var text strings.Builder
	for _, k := range keys {
		text.WriteString(knownhosts.Line([]string{m.address}, k.PublicKey()) + "\n")
	}
	file := filepath.Join(tb.TempDir(), "known_hosts")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		tb.Fatal(err)
	}
	return file
}

func TestRun_ThroughSSH(t *testing.T) {
	m := newMachine(t)
	tests := map[string][]ssh.Signer{
		"all keys of the machine are known": m.keys,
		"only its RSA key is":               m.keys[:1],
		"only its Ed25519 key is":           m.keys[1:],
	}
	for name, keys := range tests {
		t.Run(name, func(t *testing.T) {
			e := newEngine()
			e.run("web", fake{})
			socket := strings.TrimPrefix(e.listen(t), "unix://")
			w := follow(t, func(c *Config) { c.SSH = &dockerengine.SSH{KeyFile: m.keyFile, KnownHostsFile: m.known(t, keys...)} }, "ssh://docker@"+m.address+socket)
			w.servers("web=http://10.0.0.3:80")
		})
	}
}

func TestRun_ThroughSSH_Refusals(t *testing.T) {
	m, impostor := newMachine(t), newMachine(t)
	tests := map[string]struct {
		ssh  dockerengine.SSH
		user string
		want string
	}{
		"an unknown machine":   {dockerengine.SSH{KeyFile: m.keyFile, KnownHostsFile: m.known(t)}, "docker", "key is unknown"},
		"another's key":        {dockerengine.SSH{KeyFile: m.keyFile, KnownHostsFile: m.known(t, impostor.keys...)}, "docker", "key mismatch"},
		"a user without right": {dockerengine.SSH{KeyFile: m.keyFile, KnownHostsFile: m.known(t, m.keys...)}, "root", "unable to authenticate"},
		"a key without right":  {dockerengine.SSH{KeyFile: impostor.keyFile, KnownHostsFile: m.known(t, m.keys...)}, "docker", "unable to authenticate"},
		"no key":               {dockerengine.SSH{KeyFile: "/nowhere", KnownHostsFile: m.known(t, m.keys...)}, "docker", "keyFile: open /nowhere"},
		"no known hosts":       {dockerengine.SSH{KeyFile: m.keyFile, KnownHostsFile: "/nowhere"}, "docker", "known hosts: open /nowhere"},
		"no socket there":      {dockerengine.SSH{KeyFile: m.keyFile, KnownHostsFile: m.known(t, m.keys...)}, "docker", "open /nowhere/docker.sock on "},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := follow(t, func(c *Config) { c.SSH = &tt.ssh }, "ssh://"+tt.user+"@"+m.address+"/nowhere/docker.sock")
			w.until("a problem", func(c *dynamic.Configuration) bool { return len(c.Problems) == 1 })
			if got := w.last.Problems[0].Reason; !strings.Contains(got, tt.want) {
				t.Errorf("got %s, want %q in it", got, tt.want)
			}
		})
	}
}
