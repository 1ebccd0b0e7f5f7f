// Package dockerengine speaks to engines of Docker for all who look at one: how it is
// reached, by a socket, TCP, TLS or SSH, what it tells as it happens, and by which networks
// its containers are reached.
package dockerengine

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/docker/docker/client"

	"fairway/internal/secret"
	"fairway/internal/tlsclient"
)

// Access is how engines are reached.
type Access struct {
	Username string
	Password secret.String
	TLS      *TLS
	SSH      *SSH
	Timeout  time.Duration // of one request; zero: none
}

// TLS are the keys for talking to an engine, as files or as PEM text.
type TLS struct {
	// CA is the authority that signed the engine's certificate.
	CA string `json:"ca,omitempty"`
	// Cert is the certificate to show to the engine.
	Cert string `json:"cert,omitempty"`
	// Key is the private key of cert.
	Key secret.String `json:"key,omitempty"`
	// InsecureSkipVerify accepts any certificate of the engine. Default: false.
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}

// SSH says how to log in to an engine's machine. The engine is reached through
// the connection at the path of the endpoint, by default /var/run/docker.sock.
type SSH struct {
	// KeyFile is the private key to log in with. Default: id_ed25519,
	// id_ecdsa and id_rsa in ~/.ssh, whichever are there.
	KeyFile string `json:"keyFile,omitempty"`
	// KnownHostsFile has the keys of the machines that may be logged in to.
	// Default: ~/.ssh/known_hosts.
	KnownHostsFile string `json:"knownHostsFile,omitempty"`
}

// Client makes the client of the engine at an address. It does not connect.
func (a Access) Client(address string) (*client.Client, error) {
	u, err := url.Parse(address)
	if wrong, ok := errors.AsType[*url.Error](err); ok {
		return nil, wrong.Err // the rest repeats the address, and a password in it
	} else if err != nil {
		return nil, err
	}
	transport := &http.Transport{ResponseHeaderTimeout: a.Timeout}
	options := []client.Opt{
		client.WithHTTPClient(&http.Client{Transport: transport, CheckRedirect: client.CheckRedirect}),
		client.WithAPIVersionNegotiation(),
	}
	if a.Username != "" {
		login := base64.StdEncoding.EncodeToString([]byte(a.Username + ":" + a.Password.Reveal()))
		options = append(options, client.WithHTTPHeaders(map[string]string{"Authorization": "Basic " + login}))
	}
	switch u.Scheme {
	case "unix", "npipe":
		options = append(options, client.WithHost(address))
	case "tcp", "http", "https":
		options = append(options, client.WithHost("tcp://"+u.Host+u.Path))
		if u.Scheme == "https" || a.TLS != nil {
			if transport.TLSClientConfig, err = a.TLS.config(); err != nil {
				return nil, fmt.Errorf("tls: %w", err)
			}
			options = append(options, client.WithScheme("https"))
		}
	case "ssh":
		options = append(options, client.WithHost("http://docker.via.ssh"), client.WithDialContext(a.SSH.dialer(u)))
	default:
		return nil, errors.New("use unix://, tcp://, http://, https:// or ssh://")
	}
	return client.NewClientWithOpts(options...)
}

// config makes the settings of crypto/tls. It accepts a nil TLS.
func (t *TLS) config() (*tls.Config, error) {
	if t == nil {
		return tlsclient.Options{}.Settings()
	}
	return tlsclient.Options{CA: t.CA, Cert: t.Cert, Key: t.Key, InsecureSkipVerify: t.InsecureSkipVerify}.Settings()
}

// IsLocal tells whether an engine runs on this machine, as far as its address
// shows.
func IsLocal(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	switch u.Hostname() {
	case "", "localhost", "127.0.0.1", "::1":
		return u.Scheme != "ssh"
	}
	return false
}
