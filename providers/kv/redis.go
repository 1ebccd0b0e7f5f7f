package kv

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/sirupsen/logrus"

	"fairway/internal/redisclient"
	"fairway/internal/secret"
	"fairway/internal/tlsclient"
	"fairway/providers"
)

// Redis is the provider for the keys and values of Redis.
type Redis struct {
	// Endpoints are servers, as host:port. Several are the sentinels of a master, if sentinel is
	// given, else the nodes of a cluster. Default: 127.0.0.1:6379.
	Endpoints []string `json:"endpoints,omitempty"`
	// RootKey is what keys begin with, in place of traefik. Those that begin with fairway are
	// read in any case, and go first. Default: traefik.
	RootKey string `json:"rootKey,omitempty"`
	// Username of the login.
	Username string `json:"username,omitempty"`
	// Password of the login.
	Password secret.String `json:"password,omitempty"`
	// DB is the number of the database. Default: 0.
	DB int `json:"db,omitempty"`
	// TLS protects the connection.
	TLS *TLS `json:"tls,omitempty"`
	// Sentinel finds the master.
	Sentinel *Sentinel `json:"sentinel,omitempty"`
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
	defaultRedis = "127.0.0.1:6379"
	nameRedis    = "redis"
	// quiet is how often keys are read although nobody has told of a change: servers tell of
	// changes only if notify-keyspace-events says so.
	quiet = 5 * time.Second
	// gather is how long changes are collected, so that what is written together is read
	// together.
	gather = 50 * time.Millisecond
)

// SetDefaults implements the defaults documented at the fields.
func (c *Redis) SetDefaults() { c.Endpoints, c.RootKey = []string{defaultRedis}, defaultRoot }

// New implements providers.Config.
func (c *Redis) New(log logrus.FieldLogger) (providers.Provider, error) {
	root := strings.Trim(c.RootKey, "/")
	switch {
	case len(c.Endpoints) == 0:
		return nil, errors.New("endpoints: none is given")
	case root == "" || strings.ContainsAny(root, "*?[]\\"):
		return nil, fmt.Errorf("rootKey: %q cannot be one", c.RootKey)
	case c.Sentinel != nil && c.Sentinel.MasterName == "":
		return nil, errors.New("sentinel: masterName is required")
	}
	o := &redisclient.Config{Endpoints: c.Endpoints, Username: c.Username, Password: c.Password, DB: c.DB, PoolSize: 1, MaxActiveConns: 2}
	if c.Sentinel != nil {
		o.Sentinel = &redisclient.Sentinel{MasterName: c.Sentinel.MasterName, Username: c.Sentinel.Username, Password: c.Sentinel.Password}
	}
	if c.TLS != nil {
		o.TLS = &redisclient.TLS{CA: c.TLS.CA, Cert: c.TLS.Cert, Key: c.TLS.Key, InsecureSkipVerify: c.TLS.InsecureSkipVerify}
	}
	over, cancel := context.WithCancel(context.Background())
	defer cancel()
	if _, err := o.Open(over); err != nil { // now, not when it is asked for the first time
		return nil, err
	}
	return &provider{name: nameRedis, address: strings.Join(c.Endpoints, ","), store: &redisStore{root: root, config: o}, log: log}, nil
}

func (t *TLS) options() tlsclient.Options {
	return tlsclient.Options{CA: t.CA, Cert: t.Cert, Key: t.Key, InsecureSkipVerify: t.InsecureSkipVerify}
}

// redisStore reads all keys by one script, which is one moment of the server.
type redisStore struct {
	root   string
	config *redisclient.Config
}

// all returns keys and values, one behind the other. It is a script, for nothing changes while
// one runs.
var all = redisclient.NewScript(`
local out = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '/*')) do
	if redis.call('TYPE', key).ok == 'string' then
		out[#out + 1] = key
		out[#out + 1] = redis.call('GET', key)
	end
end
return out`)

func (s *redisStore) watch(ctx context.Context, tell func(pairs)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client, err := s.config.Open(ctx)
	if err != nil {
		return err
	}
	roots := rootsOf(s.root)
	patterns := make([]string, len(roots))
	for i, root := range roots {
		patterns[i] = fmt.Sprintf("__keyspace@%d__:%s/*", s.config.DB, root)
	}
	changes, err := client.Subscribe(ctx, patterns...) // what changes from now on is told
	if err != nil {
		return fmt.Errorf("ask to be told of changes: %w", err)
	}
	defer changes.Close()
	for {
		now, err := s.read(ctx, client, roots)
		if err != nil {
			return err
		}
		tell(now)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changes.Told:
			settle(ctx, changes.Told)
		case <-changes.Lost:
			return errors.New("the connection by which changes are told has ended")
		case <-time.After(quiet):
		}
	}
}

// settle waits until changes that came together have come.
func settle[T any](ctx context.Context, told <-chan T) {
	timer := time.NewTimer(gather)
	defer timer.Stop()
	for {
		select {
		case <-told:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// read asks every server that has keys: the nodes of a cluster have different ones.
func (s *redisStore) read(ctx context.Context, client *redisclient.Client, roots []string) (pairs, error) {
	out := pairs{}
	for _, root := range roots {
		answers, err := client.EvalEach(ctx, all, root)
		if err != nil {
			return nil, fmt.Errorf("read the keys below %s: %w", root, err)
		}
		for _, answer := range answers {
			list, err := redis.Strings(answer, nil)
			if err != nil {
				return nil, fmt.Errorf("read the keys below %s: %w", root, err)
			}
			if len(list)/2+len(out) > mostKeys {
				return nil, fmt.Errorf("there are more than %d keys", mostKeys)
			}
			for i := 0; i+1 < len(list); i += 2 {
				key, ok := below(list[i], root)
				if _, had := out[key]; ok && !had {
					out[key] = value{list[i+1], root}
				}
			}
		}
	}
	return out, nil
}
