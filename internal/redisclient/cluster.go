package redisclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gomodule/redigo/redis"
)

// cluster knows which master has a slot, by the table that the nodes have of that (CLUSTER
// SLOTS, which all versions answer). It is asked for again when a node says that a slot has
// moved, or does not answer.
type cluster struct {
	client *Client
	seeds  []string

	table  atomic.Pointer[table]
	search search
}

type table struct {
	of      [slots]*node
	masters []*node
	lacking atomic.Pointer[node] // somebody who did not answer: things may have changed
}

// of is by the table that there is: while another one is asked for, the keys of all nodes that
// answer are where they were.
func (c *cluster) of(ctx context.Context, key string) (*node, error) {
	t := c.table.Load()
	switch {
	case t == nil:
		return c.instead(ctx, key)
	case t.lacking.Load() != nil:
		c.search.begin(c.client, c.ask)
	}
	return t.node(key)
}

func (c *cluster) instead(ctx context.Context, key string) (*node, error) {
	t, err := c.current(ctx)
	if err != nil {
		return nil, err
	}
	return t.node(key)
}

func (t *table) node(key string) (*node, error) {
	if key == "" {
		return t.masters[0], nil
	}
	n := t.of[slotOf(key)]
	if n == nil {
		t.lacking.Store(t.masters[0])
		return nil, fmt.Errorf("no node of the cluster has the slot %d", slotOf(key))
	}
	return n, nil
}

func (c *cluster) all(ctx context.Context) ([]*node, error) {
	t, err := c.current(ctx)
	if err != nil {
		return nil, err
	}
	return t.masters, nil
}

// missed has the table be asked for.
func (c *cluster) missed(n *node) {
	if t := c.table.Load(); t != nil {
		t.lacking.Store(n)
	}
}

// current is a table that nobody is missing in.
func (c *cluster) current(ctx context.Context) (*table, error) {
	if t := c.table.Load(); t != nil && t.lacking.Load() == nil {
		return t, nil
	}
	if err := c.search.begin(c.client, c.ask).wait(ctx); err != nil {
		return nil, err
	}
	return c.table.Load(), nil
}

// ask asks the nodes that are known, and then those of the configuration; the one that was missed
// comes last.
func (c *cluster) ask(ctx context.Context) error {
	var from, last []string
	if t := c.table.Load(); t != nil {
		for _, n := range t.masters {
			if n == t.lacking.Load() {
				last = append(last, n.address)
				continue
			}
			from = append(from, n.address)
		}
	}
	for _, seed := range c.seeds {
		if !slices.Contains(from, seed) && !slices.Contains(last, seed) {
			from = append(from, seed)
		}
	}
	from = append(from, last...)
	until, _ := ctx.Deadline()
	var all []error
	for i, address := range from {
		// Each one has its part of the time, so that one that hangs does not use it up.
		part := time.Until(until) / time.Duration(len(from)-i)
		t, err := c.askOne(ctx, address, time.Now().Add(part))
		if err == nil {
			c.table.Store(t)
			return nil
		}
		all = append(all, fmt.Errorf("ask %s for the slots of the cluster: %w", address, err))
	}
	return errors.Join(all...)
}

func (c *cluster) askOne(ctx context.Context, address string, until time.Time) (*table, error) {
	rows, err := redis.Values(c.client.node(address).do(ctx, until, ask{"CLUSTER", []any{"SLOTS"}}, false))
	if err != nil {
		return nil, err
	}
	list, err := readSlots(rows, address)
	if err != nil {
		return nil, err
	}
	t := &table{}
	for _, r := range list {
		n := c.client.node(r.master)
		if !slices.Contains(t.masters, n) {
			t.masters = append(t.masters, n)
		}
		for slot := r.first; slot <= r.last; slot++ {
			t.of[slot] = n
		}
	}
	keep := map[*node]bool{}
	for _, n := range t.masters {
		keep[n] = true
	}
	c.client.keepOnly(keep)
	return t, nil
}

// span is a range of slots with its master.
type span struct {
	first, last int
	master      string
}

// readSlots reads the answer of a node: rows of the first slot, the last one, and nodes, the
// master in front.
func readSlots(rows []any, asked string) (list []span, err error) {
	for _, row := range rows {
		cells, err := redis.Values(row, nil)
		if err != nil || len(cells) < 3 {
			return nil, errors.New("the answer has a row without nodes")
		}
		first, err1 := redis.Int(cells[0], nil)
		last, err2 := redis.Int(cells[1], nil)
		node, err3 := redis.Values(cells[2], nil)
		if err := errors.Join(err1, err2, err3); err != nil || first < 0 || last >= slots || len(node) < 2 {
			return nil, errors.New("the answer has a row that is none of slots")
		}
		host, _ := redis.String(node[0], nil) // nothing: the one that was asked
		port, err := redis.Int(node[1], nil)
		if err != nil {
			return nil, fmt.Errorf("the port of a node: %w", err)
		}
		list = append(list, span{first, last, beside(asked, net.JoinHostPort(host, strconv.Itoa(port)))})
	}
	if len(list) == 0 {
		return nil, errors.New("nobody has a slot")
	}
	return list, nil
}

// beside is an address as a node says it: without a host it is that of the node.
func beside(node, address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host != "" && host != "?" {
		return address
	}
	own, _, _ := net.SplitHostPort(node)
	return net.JoinHostPort(own, port)
}

type redirection int

const (
	stays redirection = iota
	moved             // for good
	asked             // this time
)

// redirected reads an error that says where a key is: MOVED 3999 127.0.0.1:6381, or ASK.
func redirected(text, by string) (address string, kind redirection) {
	words := strings.Fields(text)
	if len(words) != 3 {
		return "", stays
	}
	named, ok := nodeAddress(words[2])
	if !ok {
		return "", stays
	}
	switch words[0] {
	case "MOVED":
		return beside(by, named), moved
	case "ASK":
		return beside(by, named), asked
	}
	return "", stays
}

// nodeAddress reads how a cluster names a node: host:port, where the host is a name or an
// address, of IPv6 without brackets as well, or "" or "?" for the host that says it.
func nodeAddress(text string) (address string, ok bool) {
	colon := strings.LastIndexByte(text, ':')
	if colon < 0 {
		return "", false
	}
	host, port := text[:colon], text[colon+1:]
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
		return "", false
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if ip, err := netip.ParseAddr(host); err == nil {
		return net.JoinHostPort(ip.String(), port), true
	}
	odd := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.' || r == '-' || r == '_')
	}
	return net.JoinHostPort(host, port), host == "?" || strings.IndexFunc(host, odd) < 0
}
