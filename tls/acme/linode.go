package acme

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-acme/lego/v4/challenge"
	"github.com/go-acme/lego/v4/challenge/dns01"
	"github.com/go-acme/lego/v4/platform/config/env"
)

// linode proves names by records at Linode (its API v4), with the variables that lego has for it: LINODE_TOKEN, LINODE_TTL,
// LINODE_PROPAGATION_TIMEOUT, LINODE_POLLING_INTERVAL, LINODE_HTTP_TIMEOUT. lego's own provider brings two megabytes of a
// client for everything else that Linode has.
type linode struct {
	base, token       string
	ttl               int
	timeout, interval time.Duration
	client            *http.Client

	mu   sync.Mutex
	made map[string]string // path of the record, by name and value
}

func newLinode() (challenge.Provider, error) {
	values, err := env.Get("LINODE_TOKEN")
	if err != nil {
		return nil, fmt.Errorf("linode: %w", err)
	}
	return &linode{
		base: env.GetOrDefaultString("LINODE_URL", "https://api.linode.com") + "/v4", token: values["LINODE_TOKEN"], ttl: env.GetOrDefaultInt("LINODE_TTL", 300),
		timeout: env.GetOrDefaultSecond("LINODE_PROPAGATION_TIMEOUT", 120*time.Second), interval: env.GetOrDefaultSecond("LINODE_POLLING_INTERVAL", 15*time.Second),
		client: &http.Client{Timeout: env.GetOrDefaultSecond("LINODE_HTTP_TIMEOUT", 30*time.Second)}, made: map[string]string{},
	}, nil
}

// Timeout implements challenge.ProviderTimeout.
func (l *linode) Timeout() (timeout, interval time.Duration) { return l.timeout, l.interval }

// Present implements challenge.Provider.
func (l *linode) Present(domain, _, keyAuth string) error {
	record := dns01.GetChallengeInfo(domain, keyAuth)
	name := dns01.UnFqdn(record.EffectiveFQDN)
	zone, id, err := l.zone(name)
	if err != nil {
		return fmt.Errorf("linode: find the zone of %s: %w", name, err)
	}
	var added struct{ ID int }
	err = l.ask(http.MethodPost, fmt.Sprintf("/domains/%d/records", id), "", map[string]any{
		"type": "TXT", "name": strings.TrimSuffix(strings.TrimSuffix(name, zone), "."), "target": record.Value, "ttl_sec": l.ttl,
	}, &added)
	if err != nil {
		return fmt.Errorf("linode: add a record for %s: %w", name, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made[name+" "+record.Value] = fmt.Sprintf("/domains/%d/records/%d", id, added.ID)
	return nil
}

// CleanUp implements challenge.Provider.
func (l *linode) CleanUp(domain, _, keyAuth string) error {
	record := dns01.GetChallengeInfo(domain, keyAuth)
	name := dns01.UnFqdn(record.EffectiveFQDN)
	l.mu.Lock()
	path := l.made[name+" "+record.Value]
	delete(l.made, name+" "+record.Value)
	l.mu.Unlock()
	if path == "" {
		return nil
	}
	if err := l.ask(http.MethodDelete, path, "", nil, nil); err != nil {
		return fmt.Errorf("linode: remove the record of %s: %w", name, err)
	}
	return nil
}

// zone is the one that a name is in: the longest of those that the account has.
func (l *linode) zone(name string) (zone string, id int, err error) {
	for zone = name; strings.Contains(zone, "."); _, zone, _ = strings.Cut(zone, ".") {
		var found struct {
			Data []struct {
				ID     int
				Domain string
			}
		}
		filter, err := json.Marshal(map[string]string{"domain": zone})
		if err != nil {
			return "", 0, err
		}
		if err := l.ask(http.MethodGet, "/domains", string(filter), nil, &found); err != nil {
			return "", 0, err
		}
		for _, d := range found.Data {
			if strings.EqualFold(d.Domain, zone) {
				return zone, d.ID, nil
			}
		}
	}
	return "", 0, errors.New("the account has none")
}

// ask sends a request, and reads the answer into one that is not nil.
func (l *linode) ask(method, path, filter string, body, answer any) error {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(context.Background(), method, l.base+path, content)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+l.token)
	r.Header.Set("Content-Type", "application/json")
	if filter != "" {
		r.Header.Set("X-Filter", filter)
	}
	res, err := l.client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		var said struct{ Errors []struct{ Reason string } }
		if json.Unmarshal(text, &said) == nil && len(said.Errors) > 0 {
			return fmt.Errorf("status %d: %s", res.StatusCode, said.Errors[0].Reason)
		}
		return fmt.Errorf("status %d", res.StatusCode)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}
