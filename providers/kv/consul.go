package kv

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/sirupsen/logrus"

	"fairway/internal/secret"
	"fairway/providers"
)

// Consul is the provider for the keys and values of Consul.
type Consul struct {
	// Endpoints are agents, as host:port; the first one that answers is asked. Default:
	// 127.0.0.1:8500.
	Endpoints []string `json:"endpoints,omitempty"`
	// RootKey is what keys begin with, in place of traefik. Those that begin with fairway are
	// read in any case, and go first. Default: traefik.
	RootKey string `json:"rootKey,omitempty"`
	// Token of the ACL system. It has to have key_prefix with policy read for the root keys.
	Token secret.String `json:"token,omitempty"`
	// TLS is how an agent is spoken to by https.
	TLS *TLS `json:"tls,omitempty"`
	// Namespaces that are looked at, each by a provider of its own named consul-NAME (Consul
	// Enterprise). Default: the one of the token.
	Namespaces []string `json:"namespaces,omitempty"`
}

// TLS are the keys for talking to a store, as files or as PEM text.
type TLS struct {
	// CA is the authority that signed the store's certificate.
	CA string `json:"ca,omitempty"`
	// Cert is the certificate to show to the store.
	Cert string `json:"cert,omitempty"`
	// Key is the private key of cert.
	Key secret.String `json:"key,omitempty"`
	// InsecureSkipVerify accepts any certificate of the store. Default: false.
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}

const (
	defaultRoot   = "traefik"
	ownRoot       = "fairway"
	defaultConsul = "127.0.0.1:8500"
	nameConsul    = "consul"
	pace          = 200 * time.Millisecond // between two long questions
	longQuestion  = 5 * time.Minute        // the agent waits for a change
	patience      = 15 * time.Second       // with an answer that nothing has to be waited for
	beat          = 20 * time.Second       // after which the agent is asked whether it is there
)

// SetDefaults implements the defaults documented at the fields.
func (c *Consul) SetDefaults() {
	c.Endpoints, c.RootKey = []string{defaultConsul}, defaultRoot
}

// New implements providers.Config, for the namespace of the token.
func (c *Consul) New(log logrus.FieldLogger) (providers.Provider, error) {
	return c.build(nameConsul, "", log)
}

// Each returns the providers by their names: one, or one for each namespace.
func (c *Consul) Each() map[string]providers.Config {
	if len(c.Namespaces) == 0 {
		return map[string]providers.Config{nameConsul: c}
	}
	all := map[string]providers.Config{}
	for _, ns := range c.Namespaces {
		all[nameConsul+"-"+ns] = &consulNamespace{c, ns}
	}
	return all
}

type consulNamespace struct {
	config *Consul
	name   string
}

// New implements providers.Config.
func (n *consulNamespace) New(log logrus.FieldLogger) (providers.Provider, error) {
	return n.config.build(nameConsul+"-"+n.name, n.name, log)
}

func (c *Consul) build(name, namespace string, log logrus.FieldLogger) (providers.Provider, error) {
	root := strings.Trim(c.RootKey, "/")
	switch {
	case len(c.Endpoints) == 0:
		return nil, errors.New("endpoints: none is given")
	case root == "":
		return nil, errors.New("rootKey: is empty: all keys of the store would be read")
	}
	s := &consulStore{root: root, patience: patience, beat: beat}
	for _, address := range c.Endpoints {
		if u, err := url.Parse("http://" + address); err != nil || u.Host != address {
			return nil, fmt.Errorf("endpoints: %q is no host and port", address)
		}
		cfg := &api.Config{Address: address, Token: c.Token.Reveal(), Namespace: namespace, Transport: api.DefaultConfig().Transport}
		if c.TLS != nil {
			cfg.Scheme = "https"
			var err error
			if cfg.TLSConfig, err = c.TLS.consul(); err != nil {
				return nil, fmt.Errorf("tls: %w", err)
			}
		}
		client, err := api.NewClient(cfg)
		if err != nil {
			return nil, fmt.Errorf("endpoints: %s: %w", address, err)
		}
		s.clients = append(s.clients, client)
	}
	return &provider{name: name, address: strings.Join(c.Endpoints, ","), store: s, log: log}, nil
}

func (t *TLS) consul() (api.TLSConfig, error) {
	texts, err := t.options().Texts()
	return api.TLSConfig{CAPem: texts.CA, CertPEM: texts.Cert, KeyPEM: texts.Key, InsecureSkipVerify: t.InsecureSkipVerify}, err
}

// consulStore asks long questions for all keys below a root: the answer is the state of one
// moment.
type consulStore struct {
	root     string
	clients  []*api.Client
	turn     int // of the client that is asked
	patience time.Duration
	beat     time.Duration
}

func (s *consulStore) roots() []string { return rootsOf(s.root) }

// answer is what is below one root.
type answer struct {
	root string
	all  api.KVPairs
	err  error
}

func (s *consulStore) watch(ctx context.Context, tell func(pairs)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client := s.clients[s.turn%len(s.clients)]
	answers := make(chan answer)
	for _, root := range s.roots() {
		go s.ask(ctx, client, root, answers)
	}
	known := map[string]api.KVPairs{}
	ticker := time.NewTicker(s.beat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			if err := s.alive(ctx, client); err != nil {
				s.turn++
				return err
			}
		case a := <-answers:
			if a.err != nil {
				s.turn++ // another one may answer
				return fmt.Errorf("read the keys below %s: %w", a.root, a.err)
			}
			known[a.root] = a.all
			if len(known) < len(s.roots()) {
				continue
			}
			if n := s.count(known); n > mostKeys {
				return fmt.Errorf("there are %d keys: %d are the most", n, mostKeys)
			}
			tell(s.together(known))
		}
	}
}

// alive asks whether the agent is there: one that stands still answers no long question, and its
// connection stands.
func (s *consulStore) alive(ctx context.Context, client *api.Client) error {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	if _, err := client.Status().LeaderWithQueryOptions((&api.QueryOptions{}).WithContext(ctx)); err != nil {
		return fmt.Errorf("ask whether the agent is there: %w", err)
	}
	return nil
}

// list asks a question, a long one if there is an index. Consul adds up to a sixteenth to its time.
func (s *consulStore) list(ctx context.Context, client *api.Client, root string, index uint64) (api.KVPairs, *api.QueryMeta, error) {
	longest := s.patience
	if index > 0 {
		longest += longQuestion + longQuestion/16
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	return client.KV().List(root+"/", (&api.QueryOptions{WaitIndex: index, WaitTime: longQuestion}).WithContext(ctx))
}

func (s *consulStore) count(known map[string]api.KVPairs) (n int) {
	for _, all := range known {
		n += len(all)
	}
	return n
}

func (s *consulStore) together(known map[string]api.KVPairs) pairs {
	out := pairs{}
	for _, root := range s.roots() {
		for _, pair := range known[root] {
			key, ok := below(pair.Key, root)
			if _, had := out[key]; ok && !had {
				out[key] = value{string(pair.Value), root}
			}
		}
	}
	return out
}

func (s *consulStore) ask(ctx context.Context, client *api.Client, root string, answers chan<- answer) {
	index := uint64(0)
	for ctx.Err() == nil {
		all, meta, err := s.list(ctx, client, root, index)
		select {
		case answers <- answer{root, all, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
		if index, meta.LastIndex = meta.LastIndex, index; index < meta.LastIndex {
			index = 0 // of another life of the servers
		}
		select {
		case <-time.After(pace):
		case <-ctx.Done():
		}
	}
}
