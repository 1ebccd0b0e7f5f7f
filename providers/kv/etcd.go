package kv

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"fairway/internal/secret"
	"fairway/providers"
)

// Etcd is the provider for the keys and values of etcd.
type Etcd struct {
	// Endpoints are members, as host:port. Default: 127.0.0.1:2379.
	Endpoints []string `json:"endpoints,omitempty"`
	// RootKey is what keys begin with, in place of traefik. Those that begin with fairway are
	// read in any case, and go first. Default: traefik.
	RootKey string `json:"rootKey,omitempty"`
	// Username of the login.
	Username string `json:"username,omitempty"`
	// Password of the login.
	Password secret.String `json:"password,omitempty"`
	// TLS protects the connection.
	TLS *TLS `json:"tls,omitempty"`
}

const (
	defaultEtcd = "127.0.0.1:2379"
	nameEtcd    = "etcd"
	etcdTimeout = 5 * time.Second
	// etcdAlive is how often it is asked whether somebody is there: the client waits for
	// changes without a word when its connection is lost.
	etcdAlive = 3 * time.Second
)

// SetDefaults implements the defaults documented at the fields.
func (c *Etcd) SetDefaults() { c.Endpoints, c.RootKey = []string{defaultEtcd}, defaultRoot }

// New implements providers.Config.
func (c *Etcd) New(log logrus.FieldLogger) (providers.Provider, error) {
	root := strings.Trim(c.RootKey, "/")
	switch {
	case len(c.Endpoints) == 0:
		return nil, errors.New("endpoints: none is given")
	case root == "":
		return nil, errors.New("rootKey: is empty: all keys of the store would be read")
	}
	cfg := clientv3.Config{
		Endpoints: slices.Clone(c.Endpoints), Username: c.Username, Password: c.Password.Reveal(), DialTimeout: etcdTimeout,
		DialKeepAliveTime: 10 * time.Second, DialKeepAliveTimeout: etcdTimeout, Logger: zap.NewNop(),
	}
	if c.TLS != nil {
		var err error
		if cfg.TLS, err = c.TLS.options().Settings(); err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
	}
	return &provider{name: nameEtcd, address: strings.Join(c.Endpoints, ","), store: &etcdStore{root: root, config: cfg}, log: log}, nil
}

// etcdStore reads all keys at one revision, and is told of those that come after it.
type etcdStore struct {
	root   string
	config clientv3.Config
}

func (s *etcdStore) watch(ctx context.Context, tell func(pairs)) error {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	cfg := s.config
	cfg.Context = ctx
	client, err := clientv3.New(cfg)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = client.Close() }()
	now, revision, err := s.read(ctx, client)
	if err != nil {
		return err
	}
	tell(now)
	changed, failed := make(chan struct{}, 1), make(chan error, 1)
	for _, root := range rootsOf(s.root) {
		go follow(client.Watch(ctx, root+"/", clientv3.WithPrefix(), clientv3.WithRev(revision+1)), changed, failed)
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-failed:
			return err
		case <-changed:
			settle(ctx, changed)
		case <-time.After(etcdAlive):
			if err := s.alive(ctx, client); err != nil {
				return err
			}
			continue
		}
		if now, _, err = s.read(ctx, client); err != nil {
			return err
		}
		tell(now)
	}
}

// follow tells that something is another, until the stream of changes ends.
func follow(events clientv3.WatchChan, changed chan<- struct{}, failed chan<- error) {
	for e := range events {
		if err := e.Err(); err != nil {
			select {
			case failed <- fmt.Errorf("wait for a change: %w", err):
			default:
			}
			return
		}
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	select {
	case failed <- errors.New("the stream of changes has ended"):
	default:
	}
}

func (s *etcdStore) alive(ctx context.Context, client *clientv3.Client) error {
	ctx, cancel := context.WithTimeout(ctx, etcdTimeout)
	defer cancel()
	if _, err := client.Get(ctx, s.root+"/", clientv3.WithPrefix(), clientv3.WithCountOnly()); err != nil {
		return fmt.Errorf("ask whether it is there: %w", err)
	}
	return nil
}

func (s *etcdStore) read(ctx context.Context, client *clientv3.Client) (out pairs, revision int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, etcdTimeout)
	defer cancel()
	out = pairs{}
	for _, root := range rootsOf(s.root) {
		options := []clientv3.OpOption{clientv3.WithPrefix(), clientv3.WithLimit(mostKeys)}
		if revision > 0 {
			options = append(options, clientv3.WithRev(revision)) // of the same moment as the first
		}
		res, err := client.Get(ctx, root+"/", options...)
		if err != nil {
			return nil, 0, fmt.Errorf("read the keys below %s: %w", root, err)
		}
		if res.More {
			return nil, 0, fmt.Errorf("there are more than %d keys", mostKeys)
		}
		revision = res.Header.Revision
		for _, pair := range res.Kvs {
			key, ok := below(string(pair.Key), root)
			if _, had := out[key]; ok && !had {
				out[key] = value{string(pair.Value), root}
			}
		}
	}
	return out, revision, nil
}
