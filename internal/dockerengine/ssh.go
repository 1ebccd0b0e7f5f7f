package dockerengine

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// dialer makes the function that opens a connection to the engine's socket on
// another machine. Each connection is an SSH login of its own: there is one for
// the events and one for the lists.
func (s *SSH) dialer(u *url.URL) dialFunc {
	if s == nil {
		s = &SSH{}
	}
	address := net.JoinHostPort(u.Hostname(), "22")
	if u.Port() != "" {
		address = u.Host
	}
	socket := u.Path
	if socket == "" || socket == "/" {
		socket = "/var/run/docker.sock"
	}
	user := u.User.Username()
	if user == "" {
		user = "root"
	}
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		auth, err := s.auth()
		if err != nil {
			return nil, err
		}
		hosts, err := knownhosts.New(s.knownHosts())
		if err != nil {
			return nil, fmt.Errorf("known hosts: %w", err)
		}
		return dialSSH(ctx, address, socket, &ssh.ClientConfig{
			User: user, Auth: auth, HostKeyCallback: hosts,
			HostKeyAlgorithms: knownAlgorithms(hosts, address), Timeout: 10 * time.Second,
		})
	}
}

// knownAlgorithms are those of the keys that are known of a machine. A machine
// has keys of several kinds; when it showed one that is not in the file, it would
// be taken for an impostor.
func knownAlgorithms(hosts ssh.HostKeyCallback, address string) (names []string) {
	unknown, err := ssh.NewPublicKey(ed25519.PublicKey(make([]byte, ed25519.PublicKeySize)))
	if err != nil {
		return nil
	}
	mismatch, ok := errors.AsType[*knownhosts.KeyError](hosts(address, &net.TCPAddr{}, unknown))
	if !ok {
		return nil
	}
	for _, k := range mismatch.Want {
		if k.Key.Type() == ssh.KeyAlgoRSA {
			names = append(names, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		}
		names = append(names, k.Key.Type())
	}
	return names
}

// sshConn is a connection through SSH that ends its login when it is closed.
type sshConn struct {
	net.Conn
	login *ssh.Client
}

func (c sshConn) Close() error { return errors.Join(c.Conn.Close(), c.login.Close()) }

func dialSSH(ctx context.Context, address, socket string, cfg *ssh.ClientConfig) (net.Conn, error) {
	d := net.Dialer{Timeout: cfg.Timeout, KeepAlive: 15 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(cfg.Timeout)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	c, channels, requests, err := ssh.NewClientConn(conn, address, cfg)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("log in to %s: %w", address, err), conn.Close())
	}
	login := ssh.NewClient(c, channels, requests)
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, errors.Join(err, login.Close())
	}
	through, err := login.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s on %s: %w", socket, address, err), login.Close())
	}
	return sshConn{Conn: through, login: login}, nil
}

func (s *SSH) knownHosts() string {
	if s.KnownHostsFile != "" {
		return s.KnownHostsFile
	}
	return filepath.Join(homeSSH(), "known_hosts")
}

func homeSSH() string {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "/"
	}
	return filepath.Join(home, ".ssh")
}

// auth collects the ways to log in.
func (s *SSH) auth() ([]ssh.AuthMethod, error) {
	if s.KeyFile != "" {
		signer, err := readKey(s.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("keyFile: %w", err)
		}
		return []ssh.AuthMethod{ssh.PublicKeys(signer)}, nil
	}
	var signers []ssh.Signer
	for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
		if signer, err := readKey(filepath.Join(homeSSH(), name)); err == nil {
			signers = append(signers, signer)
		}
	}
	if len(signers) == 0 {
		return nil, errors.New("there is no key to log in with: set ssh.keyFile")
	}
	return []ssh.AuthMethod{ssh.PublicKeys(signers...)}, nil
}

func readKey(path string) (ssh.Signer, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return ssh.ParsePrivateKey(pem)
}
