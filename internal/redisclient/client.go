package redisclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gomodule/redigo/redis"
)

// Client sends commands to the servers that have the keys. Its answers are read by the functions
// of redigo: redis.String, redis.Bytes, redis.Int64 and so on; redis.ErrNil says that there is
// nothing.
type Client struct {
	settings *settings
	finder   finder
	address  string

	mu    sync.Mutex
	nodes map[string]*node // by address
	ended bool
	tasks sync.WaitGroup // goroutines that look for servers
	life  context.Context
}

// finder knows which server has a key.
type finder interface {
	// of is the server of a key; any will do for an empty one.
	of(ctx context.Context, key string) (*node, error)
	// instead is the server of a key after one was missed.
	instead(ctx context.Context, key string) (*node, error)
	// all are the servers that have all keys together.
	all(ctx context.Context) ([]*node, error)
	// missed learns that a server did not answer as one that has the key.
	missed(n *node)
}

// mostTries bounds how often a command is sent, when servers say that another one has the key.
const mostTries = 5

func newClient(ctx context.Context, config *Config, s *settings) *Client {
	c := &Client{settings: s, nodes: map[string]*node{}, life: ctx, address: strings.Join(config.Endpoints, ",")}
	switch {
	case config.Sentinel != nil:
		c.finder = newSentinels(c, config)
	case config.clustered():
		c.finder = &cluster{client: c, seeds: config.Endpoints}
	default:
		c.finder = single{c.node(config.Endpoints[0])}
	}
	context.AfterFunc(ctx, c.end)
	return c
}

// Address is what the operator calls the servers, for messages.
func (c *Client) Address() string { return c.address }

// Do sends a command about a key, and returns the answer. It is over when ctx is, and in any case
// when the times of the configuration are. A command is sent twice if a connection breaks that
// was open before: then it may have been carried out twice.
func (c *Client) Do(ctx context.Context, command, key string, args ...any) (any, error) {
	all := make([]any, 0, len(args)+1)
	return c.on(ctx, key, ask{command, append(append(all, key), args...)})
}

// Command is one of several.
type Command struct {
	Name string
	Args []any
}

// Transaction sends commands that are carried out together (MULTI), or not at all. In a cluster
// their keys have to be of one slot. The first argument of the first one is its key.
func (c *Client) Transaction(ctx context.Context, commands ...Command) ([]any, error) {
	key := ""
	if len(commands) > 0 && len(commands[0].Args) > 0 {
		key, _ = commands[0].Args[0].(string)
	}
	return redis.Values(c.on(ctx, key, transaction(commands)))
}

// sending is what is done with a connection.
type sending interface {
	on(conn redis.Conn, within time.Duration) (any, error)
}

type ask Command

func (a ask) on(conn redis.Conn, within time.Duration) (any, error) {
	return redis.DoWithTimeout(conn, within, a.Name, a.Args...)
}

type transaction []Command

func (t transaction) on(conn redis.Conn, within time.Duration) (any, error) {
	if err := conn.Send("MULTI"); err != nil {
		return nil, err
	}
	for _, c := range t {
		if err := conn.Send(c.Name, c.Args...); err != nil {
			return nil, err
		}
	}
	return redis.DoWithTimeout(conn, within, "EXEC")
}

// on does something at the server of a key, and again where that has gone.
func (c *Client) on(ctx context.Context, key string, what sending) (any, error) {
	until := c.deadline(ctx)
	at, err := c.finder.of(ctx, key)
	if err != nil {
		return nil, err
	}
	asking := false
	for range mostTries {
		var answer any
		if answer, err = at.do(ctx, until, what, asking); err == nil {
			return answer, nil
		}
		next, ask, again := c.instead(ctx, at, key, err)
		if !again || ctx.Err() != nil || !time.Now().Before(until) {
			break
		}
		at, asking = next, ask
	}
	return nil, err
}

// instead is the server to ask after one has failed, if that is worth while.
func (c *Client) instead(ctx context.Context, at *node, key string, failed error) (next *node, asking, again bool) {
	text, said := errors.AsType[redis.Error](failed)
	if said {
		switch address, kind := redirected(string(text), at.address); {
		case kind == moved:
			c.finder.missed(at)
			return c.node(address), false, true
		case kind == asked:
			return c.node(address), true, true
		case !stale(string(text)):
			return nil, false, false
		}
	}
	c.finder.missed(at)
	next, err := c.finder.instead(ctx, key)
	return next, false, err == nil && next != at
}

// stale tells whether an answer means that another server has become the one to ask, whose
// address may be none that can be read.
func stale(text string) bool {
	return strings.HasPrefix(text, "MOVED ") || strings.HasPrefix(text, "READONLY") || strings.HasPrefix(text, "MASTERDOWN") || strings.HasPrefix(text, "CLUSTERDOWN")
}

// deadline is when a command is over that nobody has given less time.
func (c *Client) deadline(ctx context.Context) time.Time {
	own := time.Now().Add(c.settings.dial + c.settings.write + c.settings.read)
	if theirs, ok := ctx.Deadline(); ok && theirs.Before(own) {
		return theirs
	}
	return own
}

// broken tells whether a connection had ended before something was sent by it.
func broken(err error) bool {
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return false
	}
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed)
}

// ErrEnded is why nothing is asked by a client that has ended: it says nothing of the servers.
var ErrEnded = errors.New("the client has ended")

// node is that of an address.
func (c *Client) node(address string) *node {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.nodes[address]
	if n == nil {
		n = newNode(address, c.settings)
		n.ended = c.ended
		c.nodes[address] = n
	}
	return n
}

// keepOnly forgets servers that are not there any more.
func (c *Client) keepOnly(nodes map[*node]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for address, n := range c.nodes {
		if !nodes[n] {
			delete(c.nodes, address)
			n.end()
		}
	}
}

// look runs a goroutine that the end of the client waits for; false: it has ended.
func (c *Client) look(run func(ctx context.Context)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false
	}
	c.tasks.Go(func() {
		ctx, cancel := context.WithTimeout(c.life, c.settings.dial+c.settings.read)
		defer cancel()
		run(ctx)
	})
	return true
}

func (c *Client) end() {
	c.mu.Lock()
	c.ended = true
	for _, n := range c.nodes {
		n.end()
	}
	c.mu.Unlock()
	c.tasks.Wait()
}

// single is one server, whatever happens.
type single struct{ node *node }

func (s single) of(context.Context, string) (*node, error)      { return s.node, nil }
func (s single) instead(context.Context, string) (*node, error) { return s.node, nil }
func (s single) all(context.Context) ([]*node, error)           { return []*node{s.node}, nil }
func (s single) missed(*node)                                   {}

// each does something at every server that has keys.
func (c *Client) each(ctx context.Context, what sending) ([]any, error) {
	nodes, err := c.finder.all(ctx)
	if err != nil {
		return nil, err
	}
	answers := make([]any, len(nodes))
	for i, n := range nodes {
		if answers[i], err = n.do(ctx, c.deadline(ctx), what, false); err != nil {
			c.finder.missed(n)
			return nil, fmt.Errorf("ask %s: %w", n.address, err)
		}
	}
	return answers, nil
}
