// Package basicauth lets requests pass that carry the name and password of a known
// user (HTTP Basic authentication).
package basicauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"fairway/internal/headername"
	"fairway/internal/htpasswd"
	"fairway/internal/record"
	"fairway/internal/secret"
	"fairway/middlewares"
)

// Config is the basicAuth middleware.
type Config struct {
	// Users lists the users as "name:hash", the way `htpasswd -nB name` prints them;
	// bcrypt, MD5-crypt and {SHA} hashes are understood. In a compose file every "$"
	// is written twice. At least one user, here or in usersFile, is required.
	Users []secret.String `json:"users,omitempty"`
	// UsersFile is the path of a file with one "name:hash" per line. A user that users
	// lists as well has the hash given there.
	UsersFile string `json:"usersFile,omitempty"`
	// Realm is the name of the protected area that browsers show when they ask for the
	// password. Default "traefik".
	Realm string `json:"realm,omitempty"`
	// RemoveHeader keeps the Authorization header, hence the password, from the
	// service. Default false.
	RemoveHeader bool `json:"removeHeader,omitempty"`
	// HeaderField is the name of a header in which the service is told the name of the
	// user, as in "X-WebAuth-User". Empty, the default, sends none.
	HeaderField string `json:"headerField,omitempty"`
}

const defaultRealm = "traefik"

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() { c.Realm = defaultRealm }

type handler struct {
	users        *htpasswd.Verifier
	challenge    string
	removeHeader bool
	headerField  string
	next         http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, _ middlewares.Env, next http.Handler) (http.Handler, error) {
	users, err := c.load()
	if err != nil {
		return nil, err
	}
	realm := c.Realm
	if realm == "" {
		realm = defaultRealm
	}
	return &handler{
		users:        htpasswd.NewVerifier(users),
		challenge:    `Basic realm="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(realm) + `"`,
		removeHeader: c.RemoveHeader,
		headerField:  c.HeaderField,
		next:         next,
	}, nil
}

func (c *Config) load() (htpasswd.Users, error) {
	users := htpasswd.Users{}
	if c.UsersFile != "" {
		if err := readFile(users, c.UsersFile); err != nil {
			return nil, fmt.Errorf("usersFile: %w", err)
		}
	}
	for i, line := range c.Users {
		if err := users.Add(line.Reveal()); err != nil {
			return nil, fmt.Errorf("users: entry %d: %w", i+1, err)
		}
	}
	if len(users) == 0 {
		return nil, errors.New("users or usersFile must name one user at least")
	}
	return users, nil
}

func readFile(users htpasswd.Users, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if err := users.Read(f); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, password, given := r.BasicAuth()
	if !given {
		h.refuse(w, r, "basicAuth: no credentials were sent")
		return
	}
	if !h.users.Verify(user, password) {
		h.refuse(w, r, "basicAuth: wrong user or password")
		return
	}
	record.From(r.Context()).SetUser(user)
	h.next.ServeHTTP(w, h.forward(r, user))
}

func (h *handler) refuse(w http.ResponseWriter, r *http.Request, cause string) {
	w.Header().Set("WWW-Authenticate", h.challenge)
	middlewares.Refuse(w, r, http.StatusUnauthorized, cause)
}

// forward returns the request the service gets.
func (h *handler) forward(r *http.Request, user string) *http.Request {
	if !h.removeHeader && h.headerField == "" {
		return r
	}
	r2 := new(http.Request)
	*r2 = *r
	r2.Header = r.Header.Clone()
	if h.removeHeader {
		r2.Header.Del("Authorization")
	}
	if h.headerField != "" {
		headername.Remove(r2.Header, h.headerField) // nobody but us says who it is
		r2.Header.Set(h.headerField, user)
	}
	return r2
}
