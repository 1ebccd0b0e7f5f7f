package oidc

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/traefik/paerser/types"

	"fairway/internal/redisclient"
	"fairway/internal/secret"
	"fairway/internal/sharing"
)

// Redis says where sessions are kept, if not in cookies: sessions of any size, for several
// gateways, which can be ended at once. The browser has a random number only. What is kept is
// encrypted by it: who can read the server learns nothing.
type Redis struct {
	// Address of the server, as redis:6379. Required.
	Address string `json:"address,omitempty"`
	// Username at the server.
	Username string `json:"username,omitempty"`
	// Password of the user.
	Password secret.String `json:"password,omitempty"`
	// PasswordFile is the path of a file with the password.
	PasswordFile string `json:"passwordFile,omitempty"`
	// DB is the number of the database. Default: 0.
	DB int `json:"db,omitempty"`
	// TLS protects the connection. Default: false.
	TLS bool `json:"tls,omitempty"`
	// CAFile is the path of a file with the authorities that the server's certificate may be of.
	// Default: those that the system knows.
	CAFile string `json:"caFile,omitempty"`
	// Prefix of the names of what is kept. Default: "fairway:oidc:".
	Prefix string `json:"prefix,omitempty"`
}

// SetDefaults fills in what is not zero by default.
func (r *Redis) SetDefaults() { r.Prefix = "fairway:oidc:" }

// vault is a Redis with sessions of one middleware. Names in it are hashes, so that they say
// nothing either:
//
//	s:NAME     a session
//	lock:NAME  somebody refreshes it
//	sid:NAME   the names of sessions that the provider has a name for; sub:NAME those of a user
//	once:NAME  what is of use once
type vault struct {
	client  *redisclient.Client
	prefix  string
	binding string
}

// answerTime is how long the server has for each step of a command.
const answerTime = types.Duration(2 * time.Second)

// open returns a vault. It does not dial. Instances with the same options have their connections
// in common.
func (r *Redis) open(done context.Context, clients *sharing.ByOptions[*redisclient.Client], binding string) (*vault, error) {
	if r.Address == "" {
		return nil, errors.New("address is required")
	}
	config := &redisclient.Config{
		Endpoints: []string{r.Address}, Username: r.Username, Password: r.Password, PasswordFile: r.PasswordFile, DB: r.DB,
		PoolSize: 16, MinIdleConns: 4, DialTimeout: answerTime, ReadTimeout: answerTime, WriteTimeout: answerTime,
	}
	if _, _, err := net.SplitHostPort(r.Address); err != nil {
		return nil, fmt.Errorf("address: %q is no host:port", r.Address)
	}
	if r.TLS || r.CAFile != "" {
		config.TLS = &redisclient.TLS{}
	}
	if r.CAFile != "" {
		text, err := os.ReadFile(r.CAFile)
		if err != nil {
			return nil, fmt.Errorf("caFile: %w", err)
		}
		if config.TLS.CA = string(text); !strings.Contains(config.TLS.CA, "-----BEGIN CERTIFICATE") {
			return nil, errors.New("caFile: has no certificate")
		}
	}
	client, err := clients.Use(done, sharing.Options(config, r.Password), config.Open)
	if err != nil {
		return nil, err
	}
	return &vault{client: client, prefix: r.Prefix, binding: binding}, nil
}

func (v *vault) name(kind, of string) string {
	sum := sha256.Sum256([]byte(v.binding + " " + kind + " " + of))
	return v.prefix + kind + ":" + hex.EncodeToString(sum[:20])
}

// away says who does not answer.
func (v *vault) away(err error) error {
	return &awayError{fmt.Errorf("ask the Redis at %s: %w", v.client.Address(), err)}
}

// sealerOf has the key of a session, which only its browser has.
func (v *vault) sealerOf(id string) *sealer {
	key, err := hkdf.Expand(sha256.New, []byte(id), "fairway oidc redis", 32)
	if err != nil {
		panic(err) // the length is right
	}
	return fixedSealer(newKey(key, v.binding))
}

// get returns the text of a session; empty: there is none. It is kept for another while.
func (v *vault) get(ctx context.Context, id string, idle time.Duration) (string, error) {
	command, args := "GET", []any(nil)
	if idle > 0 {
		command, args = "GETEX", []any{"PX", idle.Milliseconds()}
	}
	text, err := redis.String(v.client.Do(ctx, command, v.name("s", id), args...))
	switch {
	case errors.Is(err, redis.ErrNil):
		return "", nil
	case err != nil:
		return "", v.away(err)
	}
	return text, nil
}

// add keeps a session that is new, and notes whose it is.
func (v *vault) add(ctx context.Context, s *session, lasts, lifetime time.Duration) error {
	name := v.name("s", s.id)
	all := []redisclient.Command{{Name: "SET", Args: []any{name, v.sealerOf(s.id).seal(forSession, s.write()), "PX", lasts.Milliseconds()}}}
	for _, list := range v.lists(s.sub, s.sid) {
		all = append(all, redisclient.Command{Name: "SADD", Args: []any{list, name}}, redisclient.Command{Name: "PEXPIRE", Args: []any{list, lifetime.Milliseconds()}})
	}
	if _, err := v.client.Transaction(ctx, all...); err != nil {
		return v.away(err)
	}
	return nil
}

// lists are those that a session is on.
func (v *vault) lists(sub, sid string) []string {
	all := []string{v.name(bySub, sub)}
	if sid != "" {
		all = append(all, v.name(bySID, sid))
	}
	return all
}

var errGone = errors.New("the session was ended meanwhile")

// replace keeps what a session has become, if it is still there.
func (v *vault) replace(ctx context.Context, s *session, lasts time.Duration) error {
	set, err := v.client.Do(ctx, "SET", v.name("s", s.id), v.sealerOf(s.id).seal(forSession, s.write()), "PX", lasts.Milliseconds(), "XX")
	switch {
	case err != nil:
		return v.away(err)
	case set == nil:
		return errGone
	}
	return nil
}

// remove ends a session.
func (v *vault) remove(ctx context.Context, s *session) error {
	name := v.name("s", s.id)
	all := []redisclient.Command{{Name: "DEL", Args: []any{name}}}
	for _, list := range v.lists(s.sub, s.sid) {
		all = append(all, redisclient.Command{Name: "SREM", Args: []any{list, name}})
	}
	if _, err := v.client.Transaction(ctx, all...); err != nil {
		return v.away(err)
	}
	return nil
}

// removeAll ends the sessions on a list.
func (v *vault) removeAll(ctx context.Context, kind, name string) error {
	list := v.name(kind, name)
	names, err := redis.Strings(v.client.Do(ctx, "SMEMBERS", list))
	if err == nil {
		all := make([]any, len(names))
		for i, name := range names {
			all[i] = name
		}
		_, err = v.client.Do(ctx, "DEL", list, all...)
	}
	if err != nil {
		return v.away(err)
	}
	return nil
}

// once tells whether something is used for the first time within a while.
func (v *vault) once(ctx context.Context, what, id string, within time.Duration) (bool, error) {
	first, err := v.client.Do(ctx, "SET", v.name("once", what+" "+id), "1", "PX", within.Milliseconds(), "NX")
	if err != nil {
		return false, v.away(err)
	}
	return first != nil, nil
}

func (v *vault) again(ctx context.Context, what, id string) error {
	_, err := v.client.Do(ctx, "DEL", v.name("once", what+" "+id))
	return err
}

// unlock takes a lock away that is still one's own.
var unlock = redisclient.NewScript(`if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) end return 0`)

// lock keeps other gateways from refreshing a session. taken is true while another one does.
func (v *vault) lock(ctx context.Context, id string) (release func(), taken bool, err error) {
	name, mine := v.name("lock", id), newID()
	got, err := v.client.Do(ctx, "SET", name, mine, "PX", (refreshTime + 5*time.Second).Milliseconds(), "NX")
	switch {
	case err != nil:
		return nil, false, v.away(err)
	case got == nil:
		return nil, true, nil
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_, _ = v.client.Eval(ctx, unlock, []string{name}, mine) // else it ends by itself
	}, false, nil
}
