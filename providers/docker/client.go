package docker

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/docker/docker/client"
)

// newClient makes the client of one endpoint. It does not connect.
func (c *Config) newClient(address string) (*client.Client, error) {
	u, err := url.Parse(address)
	if wrong, ok := errors.AsType[*url.Error](err); ok {
		return nil, wrong.Err // the rest repeats the address, and a password in it
	} else if err != nil {
		return nil, err
	}
	transport := &http.Transport{ResponseHeaderTimeout: time.Duration(c.HTTPClientTimeout)}
	options := []client.Opt{
		client.WithHTTPClient(&http.Client{Transport: transport, CheckRedirect: client.CheckRedirect}),
		client.WithAPIVersionNegotiation(),
	}
	if c.Username != "" {
		login := base64.StdEncoding.EncodeToString([]byte(c.Username + ":" + c.Password.Reveal()))
		options = append(options, client.WithHTTPHeaders(map[string]string{"Authorization": "Basic " + login}))
	}
	switch u.Scheme {
	case "unix", "npipe":
		options = append(options, client.WithHost(address))
	case "tcp", "http", "https":
		options = append(options, client.WithHost("tcp://"+u.Host+u.Path))
		if u.Scheme == "https" || c.TLS != nil {
			if transport.TLSClientConfig, err = c.TLS.config(); err != nil {
				return nil, fmt.Errorf("tls: %w", err)
			}
			options = append(options, client.WithScheme("https"))
		}
	case "ssh":
		options = append(options, client.WithHost("http://docker.via.ssh"), client.WithDialContext(c.SSH.dialer(u)))
	default:
		return nil, errors.New("use unix://, tcp://, http://, https:// or ssh://")
	}
	return client.NewClientWithOpts(options...)
}

// config makes the settings of crypto/tls. It accepts a nil TLS.
func (t *TLS) config() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if t == nil {
		return cfg, nil
	}
	cfg.InsecureSkipVerify = t.InsecureSkipVerify
	if t.CA != "" {
		pem, err := contentOf(t.CA)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("ca: no certificate in it")
		}
	}
	if t.Cert == "" && t.Key == "" {
		return cfg, nil
	}
	cert, err := contentOf(t.Cert)
	if err != nil {
		return nil, fmt.Errorf("cert: %w", err)
	}
	key, err := contentOf(t.Key.Reveal())
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("cert and key: %w", err)
	}
	cfg.Certificates = []tls.Certificate{pair}
	return cfg, nil
}

// contentOf returns PEM text itself, or reads the file that is named instead.
func contentOf(fileOrText string) ([]byte, error) {
	if strings.Contains(fileOrText, "-----BEGIN") {
		return []byte(fileOrText), nil
	}
	return os.ReadFile(fileOrText)
}

// isLocal tells whether an engine runs on this machine, as far as its address
// shows.
func isLocal(address string) bool {
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
