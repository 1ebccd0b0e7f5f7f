package limit

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/traefik/paerser/types"

	"fairway/internal/redisclient"
	"fairway/internal/secret"
	"fairway/internal/sharing"
)

// Redis has several gateways count together.
type Redis struct {
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
	TLS *redisclient.TLS `json:"tls,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// Sentinel finds the master.
	Sentinel *redisclient.Sentinel `json:"sentinel,omitempty"`
	// Cluster says that a single endpoint is a node of a cluster, too. Default: false.
	Cluster bool `json:"cluster,omitempty"`
	// PoolSize is the number of connections to one server that are kept for further use.
	// Default: 32.
	PoolSize int `json:"poolSize,omitempty"`
	// MinIdleConns is the number of connections that stay open however long nobody needs them;
	// others are closed after 5 minutes. Default: 0.
	MinIdleConns int `json:"minIdleConns,omitempty"`
	// MaxActiveConns is the most connections to one server; a decision waits for one within its
	// time. Default: poolSize.
	MaxActiveConns int `json:"maxActiveConns,omitempty"`
	// DialTimeout is the longest time for a new connection. Default: 5s.
	DialTimeout types.Duration `json:"dialTimeout,omitempty"`
	// ReadTimeout is the longest time until an answer is there. Default: 3s.
	ReadTimeout types.Duration `json:"readTimeout,omitempty"`
	// WriteTimeout is the longest time for sending a command. Default: 3s.
	WriteTimeout types.Duration `json:"writeTimeout,omitempty"`
	// Timeout is the longest time of a decision, all of it together: a Redis that takes longer
	// is away. Default: 200ms.
	Timeout types.Duration `json:"timeout,omitempty"`
	// WhenAway says what becomes of requests while the Redis is away: local counts them here,
	// by the same limit, for this gateway alone; open lets them pass; closed answers 503.
	// Default: local.
	WhenAway string `json:"whenAway,omitempty"`
	// Prefix of the names of what is kept there; the name of the middleware follows. Default:
	// "fairway:limit:".
	Prefix string `json:"prefix,omitempty"`
}

const (
	whenLocal  = "local"
	whenOpen   = "open"
	whenClosed = "closed"

	defaultPrefix  = "fairway:limit:"
	defaultTimeout = 200 * time.Millisecond
	// again is how often somebody tries whether a Redis is back, which costs him the timeout.
	again = 500 * time.Millisecond
)

// SetDefaults fills in what is not zero by default.
func (c *Redis) SetDefaults() {
	var own redisclient.Config
	own.SetDefaults()
	c.Endpoints, c.PoolSize = own.Endpoints, own.PoolSize
	c.DialTimeout, c.ReadTimeout, c.WriteTimeout = own.DialTimeout, own.ReadTimeout, own.WriteTimeout
	c.Timeout, c.WhenAway, c.Prefix = types.Duration(defaultTimeout), whenLocal, defaultPrefix
}

func (c *Redis) config() *redisclient.Config {
	return &redisclient.Config{
		Endpoints: c.Endpoints, Username: c.Username, Password: c.Password, PasswordFile: c.PasswordFile, DB: c.DB, TLS: c.TLS, Sentinel: c.Sentinel, Cluster: c.Cluster,
		PoolSize: c.PoolSize, MinIdleConns: c.MinIdleConns, MaxActiveConns: c.MaxActiveConns, DialTimeout: c.DialTimeout, ReadTimeout: c.ReadTimeout, WriteTimeout: c.WriteTimeout,
	}
}

// Outages are those of a middleware's Redis: what was known of it last, and how many decisions
// had to be made without. It is away when it has failed three times in a row: one decision that
// was too slow is nothing yet.
type Outages struct {
	missed atomic.Uint64
	row    atomic.Int32 // failures since it was there
	next   atomic.Int64 // when to try again, in nanoseconds since start; 0: at once
	start  time.Time

	mu    sync.Mutex
	cause string
}

// patience is the number of failures in a row that one is not yet away by.
const patience = 2

// Missed are the decisions that were made without the Redis.
func (o *Outages) Missed() uint64 { return o.missed.Load() }

// Trouble says what is wrong at the moment; empty: nothing.
func (o *Outages) Trouble() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.cause
}

// may tells whether somebody is to ask. While the Redis is away that is one at a time, so that the
// others do not wait for it.
func (o *Outages) may() bool {
	next := o.next.Load()
	if next == 0 {
		return true
	}
	now := int64(time.Since(o.start))
	return now >= next && o.next.CompareAndSwap(next, now+int64(again))
}

func (o *Outages) failed(log logrus.FieldLogger, address, then string, err error) {
	if o.row.Add(1) <= patience {
		return
	}
	o.next.Store(int64(time.Since(o.start)) + int64(again))
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cause == "" { // what comes later is the same, or less clear
		o.cause = fmt.Sprintf("the Redis at %s is away, %s: %v", address, then, err)
		log.WithError(err).WithField("redis", address).Warn("the Redis with the counts is away: " + then)
	}
}

func (o *Outages) well(log logrus.FieldLogger, address string) {
	if o.row.Load() == 0 {
		return
	}
	if o.over() {
		log.WithField("redis", address).Info("the Redis with the counts is back")
	}
}

// over forgets what was wrong, and tells whether anything was.
func (o *Outages) over() bool {
	o.row.Store(0)
	o.next.Store(0)
	o.mu.Lock()
	defer o.mu.Unlock()
	was := o.cause != ""
	o.cause = ""
	return was
}

// Shared counts in Redis.
type Shared struct {
	store   *store
	timeout time.Duration
	mode    string
	outages *Outages
	log     logrus.FieldLogger
}

var fates = map[string]string{
	whenLocal: "this gateway counts by itself meanwhile", whenOpen: "requests pass uncounted meanwhile", whenClosed: "requests are refused meanwhile",
}

// Clients are connections that the instances of a middleware have in common.
type Clients = sharing.ByOptions[*redisclient.Client]

// Open returns the store of a middleware. It does not dial.
func (c *Redis) Open(ctx context.Context, clients *Clients, outages *Outages, name string, log logrus.FieldLogger) (*Shared, error) {
	if fates[c.WhenAway] == "" {
		return nil, fmt.Errorf("whenAway: %q is none of local, open and closed", c.WhenAway)
	}
	if c.Timeout < types.Duration(time.Millisecond) {
		return nil, fmt.Errorf("timeout: %v is less than a millisecond", time.Duration(c.Timeout))
	}
	config := c.config()
	secrets := []secret.String{c.Password}
	if c.TLS != nil {
		secrets = append(secrets, c.TLS.Key)
	}
	if c.Sentinel != nil {
		secrets = append(secrets, c.Sentinel.Password)
	}
	client, err := clients.Use(ctx, sharing.Options(config, secrets...), config.Open)
	if err != nil {
		return nil, err
	}
	return &Shared{
		store: &store{client: client, prefix: c.Prefix + name + ":"}, timeout: time.Duration(c.Timeout), mode: c.WhenAway, outages: outages, log: log,
	}, nil
}

// take is a decision, if the Redis is there.
func (s *Shared) take(ctx context.Context, source Source, r *Rule, n int64, forced bool) (d Decision, ok bool) {
	if !s.outages.may() {
		s.outages.missed.Add(1)
		return d, false
	}
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
	defer cancel()
	d, err := s.store.take(within, source, r, n, forced)
	if err != nil {
		s.outages.missed.Add(1)
		s.outages.failed(s.log, s.store.client.Address(), fates[s.mode], err)
		return d, false
	}
	s.outages.well(s.log, s.store.client.Address())
	return d, true
}
