// Package redisclient speaks to Redis, for everything in the house that keeps something there:
// one server, the master that sentinels know, or a cluster.
//
// The protocol is that of a library (redigo); what is here is what it does not have. config.go is
// what the operator writes, client.go how a command gets to a server and what is tried when that
// has moved, node.go the connections to one server, dial.go how one is made. script.go runs
// scripts, subscribe.go waits for what servers tell. sentinel.go finds the master, cluster.go
// the server of a key, slot.go reckons with keys.
package redisclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/secret"
	"fairway/internal/tlsclient"
)

// Config says where a Redis is, and how it is spoken to.
type Config struct {
	// Endpoints are servers, as host:port. Several are the sentinels of a master, if sentinel is
	// given, else nodes of a cluster. Default: 127.0.0.1:6379.
	Endpoints []string `json:"endpoints,omitempty"`
	// Username of the login.
	Username string `json:"username,omitempty"`
	// Password of the login.
	Password secret.String `json:"password,omitempty"`
	// PasswordFile is the path of a file with the password, which is read for each new connection.
	PasswordFile string `json:"passwordFile,omitempty"`
	// DB is the number of the database. A cluster has 0 only. Default: 0.
	DB int `json:"db,omitempty"`
	// TLS protects the connection.
	TLS *TLS `json:"tls,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// Sentinel finds the master.
	Sentinel *Sentinel `json:"sentinel,omitempty"`
	// Cluster says that a single endpoint is a node of a cluster, too. Default: false.
	Cluster bool `json:"cluster,omitempty"`
	// PoolSize is the number of connections to one server that are kept for further use.
	// Default: 32.
	PoolSize int `json:"poolSize,omitempty"`
	// MinIdleConns is the number of connections that stay open however long nobody needs them;
	// others are closed after 5 minutes. Default: 0.
	MinIdleConns int `json:"minIdleConns,omitempty"`
	// MaxActiveConns is the most connections to one server; a command waits for one within its
	// time. Default: poolSize.
	MaxActiveConns int `json:"maxActiveConns,omitempty"`
	// DialTimeout is the longest time for a new connection. Default: 5s.
	DialTimeout types.Duration `json:"dialTimeout,omitempty"`
	// ReadTimeout is the longest time until an answer is there. Default: 3s.
	ReadTimeout types.Duration `json:"readTimeout,omitempty"`
	// WriteTimeout is the longest time for sending a command. Default: 3s.
	WriteTimeout types.Duration `json:"writeTimeout,omitempty"`
}

// TLS protects the connection to a Redis.
type TLS struct {
	// CA has the authorities of the server's certificate, as a PEM file or PEM text. Default: those
	// of the system.
	CA string `json:"ca,omitempty"`
	// Cert is the certificate to show to the server, as a PEM file or PEM text.
	Cert string `json:"cert,omitempty"`
	// Key is the private key of cert, as a PEM file or PEM text.
	Key secret.String `json:"key,omitempty"`
	// InsecureSkipVerify takes every certificate of the server for good. Default: false.
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}

// Sentinel says how the master is found.
type Sentinel struct {
	// MasterName is the name of the master at the sentinels. Required.
	MasterName string `json:"masterName,omitempty"`
	// Username of the login at the sentinels.
	Username string `json:"username,omitempty"`
	// Password of the login at the sentinels.
	Password secret.String `json:"password,omitempty"`
}

const (
	defaultEndpoint = "127.0.0.1:6379"
	defaultPool     = 32
	defaultDial     = 5 * time.Second
	defaultAnswer   = 3 * time.Second
)

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() {
	c.Endpoints, c.PoolSize = []string{defaultEndpoint}, defaultPool
	c.DialTimeout, c.ReadTimeout, c.WriteTimeout = types.Duration(defaultDial), types.Duration(defaultAnswer), types.Duration(defaultAnswer)
}

// settings are those of one kind of server: the ones with the keys, or sentinels.
type settings struct {
	username, password, passwordFile string
	db                               int
	tls                              *tls.Config
	dial, read, write                time.Duration
	keep, idle, most                 int
	master                           bool // a server is of use only if it is one
}

// Open returns a client, which ends with ctx. It does not dial.
func (c *Config) Open(ctx context.Context) (*Client, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	s := &settings{
		username: c.Username, password: c.Password.Reveal(), passwordFile: c.PasswordFile, db: c.DB, keep: c.PoolSize, idle: c.MinIdleConns, most: c.MaxActiveConns,
		dial: orElse(c.DialTimeout, defaultDial), read: orElse(c.ReadTimeout, defaultAnswer), write: orElse(c.WriteTimeout, defaultAnswer),
		master: c.Sentinel != nil,
	}
	if s.keep == 0 {
		s.keep = defaultPool
	}
	if s.most == 0 {
		s.most = s.keep
	}
	if _, err := s.secret(); err != nil {
		return nil, err
	}
	if c.TLS != nil {
		var err error
		if s.tls, err = c.TLS.config(); err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
	}
	return newClient(ctx, c, s), nil
}

func (c *Config) check() error {
	if len(c.Endpoints) == 0 {
		return errors.New("endpoints: none is given")
	}
	for _, e := range c.Endpoints {
		if _, _, err := net.SplitHostPort(e); err != nil {
			return fmt.Errorf("endpoints: %q is no host:port", e)
		}
	}
	switch {
	case c.Password != "" && c.PasswordFile != "":
		return errors.New("only one of password and passwordFile can be given")
	case c.Sentinel != nil && c.Sentinel.MasterName == "":
		return errors.New("sentinel: masterName is required")
	case c.Sentinel != nil && c.Cluster:
		return errors.New("only one of sentinel and cluster can be given")
	case c.DB < 0 || c.DB > 0 && c.clustered():
		return fmt.Errorf("db: there is no %d", c.DB)
	case c.PoolSize < 0 || c.MinIdleConns < 0 || c.MaxActiveConns < 0:
		return errors.New("poolSize, minIdleConns and maxActiveConns must not be negative")
	case c.DialTimeout < 0 || c.ReadTimeout < 0 || c.WriteTimeout < 0:
		return errors.New("dialTimeout, readTimeout and writeTimeout must not be negative")
	}
	return nil
}

func (c *Config) clustered() bool { return c.Sentinel == nil && (c.Cluster || len(c.Endpoints) > 1) }

func orElse(d types.Duration, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return time.Duration(d)
}

// secret is the password as it is now.
func (s *settings) secret() (string, error) {
	if s.passwordFile == "" {
		return s.password, nil
	}
	text, err := os.ReadFile(s.passwordFile)
	if err != nil {
		return "", fmt.Errorf("passwordFile: %w", err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

func (t *TLS) config() (*tls.Config, error) {
	return tlsclient.Options{CA: t.CA, Cert: t.Cert, Key: t.Key, InsecureSkipVerify: t.InsecureSkipVerify}.Settings()
}
