package oidc

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"fairway/internal/secret"
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
	client  *redis.Client
	prefix  string
	binding string
}

// open returns a vault. It does not dial.
func (r *Redis) open(done context.Context, pools *pools, binding string) (*vault, error) {
	if r.Address == "" {
		return nil, errors.New("address is required")
	}
	options := &redis.Options{
		Addr: r.Address, Username: r.Username, Password: r.Password.Reveal(), DB: r.DB, Protocol: 2, DisableIdentity: true,
		DialTimeout: 2 * time.Second, ReadTimeout: 2 * time.Second, WriteTimeout: 2 * time.Second, PoolTimeout: 2 * time.Second, MaxRetries: 1, DialerRetries: 1, PoolSize: 16, MaxIdleConns: 4,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if r.PasswordFile != "" {
		if r.Password != "" {
			return nil, errors.New("only one of password and passwordFile can be given")
		}
		text, err := os.ReadFile(r.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("passwordFile: %w", err)
		}
		options.Password = strings.TrimRight(string(text), "\r\n")
	}
	if r.TLS || r.CAFile != "" {
		config := &tls.Config{MinVersion: tls.VersionTLS12}
		if r.CAFile != "" {
			text, err := os.ReadFile(r.CAFile)
			if err != nil {
				return nil, fmt.Errorf("caFile: %w", err)
			}
			config.RootCAs = x509.NewCertPool()
			if !config.RootCAs.AppendCertsFromPEM(text) {
				return nil, errors.New("caFile: has no certificate")
			}
		}
		options.TLSConfig = config
	}
	key := fmt.Sprintf("%q %q %q %q %d %v %q", r.Address, r.Username, options.Password, r.CAFile, r.DB, r.TLS, binding)
	return &vault{client: pools.take(done, key, options), prefix: r.Prefix, binding: binding}, nil
}

func (v *vault) name(kind, of string) string {
	sum := sha256.Sum256([]byte(v.binding + " " + kind + " " + of))
	return v.prefix + kind + ":" + hex.EncodeToString(sum[:20])
}

// away says who does not answer.
func (v *vault) away(err error) error {
	return &awayError{fmt.Errorf("ask the Redis at %s: %w", v.client.Options().Addr, err)}
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
	get := v.client.Get
	if idle > 0 {
		get = func(ctx context.Context, name string) *redis.StringCmd { return v.client.GetEx(ctx, name, idle) }
	}
	text, err := get(ctx, v.name("s", id)).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return "", nil
	case err != nil:
		return "", v.away(err)
	}
	return text, nil
}

// add keeps a session that is new, and notes whose it is.
func (v *vault) add(ctx context.Context, s *session, lasts, lifetime time.Duration) error {
	name := v.name("s", s.id)
	_, err := v.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, name, v.sealerOf(s.id).seal(forSession, s.write()), lasts)
		for _, list := range v.lists(s.sub, s.sid) {
			p.SAdd(ctx, list, name)
			p.Expire(ctx, list, lifetime)
		}
		return nil
	})
	if err != nil {
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
	set, err := v.client.SetXX(ctx, v.name("s", s.id), v.sealerOf(s.id).seal(forSession, s.write()), lasts).Result()
	switch {
	case err != nil:
		return v.away(err)
	case !set:
		return errGone
	}
	return nil
}

// remove ends a session.
func (v *vault) remove(ctx context.Context, s *session) error {
	name := v.name("s", s.id)
	_, err := v.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Del(ctx, name)
		for _, list := range v.lists(s.sub, s.sid) {
			p.SRem(ctx, list, name)
		}
		return nil
	})
	if err != nil {
		return v.away(err)
	}
	return nil
}

// removeAll ends the sessions on a list.
func (v *vault) removeAll(ctx context.Context, kind, name string) error {
	list := v.name(kind, name)
	names, err := v.client.SMembers(ctx, list).Result()
	if err == nil {
		err = v.client.Del(ctx, append(names, list)...).Err()
	}
	if err != nil {
		return v.away(err)
	}
	return nil
}

// once tells whether something is used for the first time within a while.
func (v *vault) once(ctx context.Context, what, id string, within time.Duration) (bool, error) {
	first, err := v.client.SetNX(ctx, v.name("once", what+" "+id), "1", within).Result()
	if err != nil {
		return false, v.away(err)
	}
	return first, nil
}

func (v *vault) again(ctx context.Context, what, id string) error {
	return v.client.Del(ctx, v.name("once", what+" "+id)).Err()
}

// unlock takes a lock away that is still one's own.
var unlock = redis.NewScript(`if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) end return 0`)

// lock keeps other gateways from refreshing a session. taken is true while another one does.
func (v *vault) lock(ctx context.Context, id string) (release func(), taken bool, err error) {
	name, mine := v.name("lock", id), newID()
	got, err := v.client.SetNX(ctx, name, mine, refreshTime+5*time.Second).Result()
	switch {
	case err != nil:
		return nil, false, v.away(err)
	case !got:
		return nil, true, nil
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = unlock.Run(ctx, v.client, []string{name}, mine).Err() // else it ends by itself
	}, false, nil
}
