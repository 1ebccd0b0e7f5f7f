// Package basicauth lets requests pass that carry the name and password of a known
// user (HTTP Basic authentication).
package basicauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/sirupsen/logrus"

	"fairway/internal/answer"
	"fairway/internal/bearer"
	"fairway/internal/consumers"
	"fairway/internal/freshfile"
	"fairway/internal/headername"
	"fairway/internal/htpasswd"
	"fairway/internal/identity"
	"fairway/internal/record"
	"fairway/internal/secret"
	"fairway/internal/trailers"
	"fairway/middlewares"
)

// Config is the basicAuth middleware.
type Config struct {
	// Users lists the users as "name:hash", the way `htpasswd -nB name` prints them;
	// bcrypt, MD5-crypt and {SHA} hashes are understood. In a compose file every "$"
	// is written twice. At least one user, here or in usersFile, is required, unless
	// consumers are let in.
	Users []secret.String `json:"users,omitempty"`
	// UsersFile is the path of a file with one "name:hash" per line. A user that users
	// lists as well has the hash given there. The file is read again within a second of
	// a change; while what is in it is not usable, its last good content stays in force.
	UsersFile string `json:"usersFile,omitempty"`
	// Consumers lets consumers in as well, by their credentials. Default false.
	Consumers bool `json:"consumers,omitempty"`
	// Realm is the name of the protected area that browsers show when they ask for the
	// password. Default "traefik".
	Realm string `json:"realm,omitempty"`
	// RemoveHeader keeps the Authorization header, hence the password, from the
	// service. Default false.
	RemoveHeader bool `json:"removeHeader,omitempty"`
	// HeaderField is the name of a header in which the service is told the name of the
	// user, as in "X-WebAuth-User". Empty, the default, sends none.
	HeaderField string `json:"headerField,omitempty"`
	// Optional lets requests pass that bring no name and password at all; they may bring
	// credentials of another kind. Default false.
	Optional bool `json:"optional,omitempty"`
}

const defaultRealm = "traefik"

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() { c.Realm = defaultRealm }

type handler struct {
	users        func() *htpasswd.Verifier
	known        *consumers.Live
	consumers    bool // are let in by their credentials
	challenge    string
	removeHeader bool
	headerField  string
	optional     bool
	next         http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	users, err := c.users(env.Log)
	if err != nil {
		return nil, err
	}
	if c.HeaderField != "" {
		if err := headername.Settable(c.HeaderField); err != nil {
			return nil, fmt.Errorf("headerField: %w", err)
		}
	}
	realm := c.Realm
	if realm == "" {
		realm = defaultRealm
	}
	return &handler{
		users:        users,
		known:        env.Consumers,
		consumers:    c.Consumers,
		challenge:    `Basic realm="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(realm) + `"`,
		removeHeader: c.RemoveHeader,
		headerField:  c.HeaderField,
		optional:     c.Optional,
		next:         next,
	}, nil
}

// users returns the function that has the users at any time.
func (c *Config) users(log logrus.FieldLogger) (func() *htpasswd.Verifier, error) {
	if c.UsersFile == "" {
		v, err := c.verifier(nil)
		return func() *htpasswd.Verifier { return v }, err
	}
	// Mistakes in users are told as such, not as those of the file.
	if err := c.add(htpasswd.Users{}); err != nil {
		return nil, err
	}
	file, err := freshfile.Open(c.UsersFile, c.verifier, log)
	if err != nil {
		return nil, fmt.Errorf("usersFile: %w", err)
	}
	return file.Value, nil
}

// verifier is made of the content of usersFile and of the users beside it.
func (c *Config) verifier(file []byte) (*htpasswd.Verifier, error) {
	users := htpasswd.Users{}
	if err := users.Read(bytes.NewReader(file)); err != nil {
		return nil, err
	}
	if err := c.add(users); err != nil {
		return nil, err
	}
	if len(users) == 0 && !c.Consumers {
		return nil, errors.New("users or usersFile must name one user at least")
	}
	return htpasswd.NewVerifier(users), nil
}

func (c *Config) add(users htpasswd.Users) error {
	for i, line := range c.Users {
		if err := users.Add(line.Reveal()); err != nil {
			return fmt.Errorf("users: entry %d: %w", i+1, err)
		}
	}
	return nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := record.From(r.Context())
	if h.optional && bearer.Elsewhere(r, "Basic") {
		h.next.ServeHTTP(w, h.forward(r, ""))
		return
	}
	rec.SetAuth(false)
	user, password, given := r.BasicAuth()
	if !given {
		h.refuse(w, r, "basicAuth: no credentials were sent")
		return
	}
	who, err := h.verify(r.Context(), user, password)
	switch {
	case errors.Is(err, context.Canceled):
		middlewares.Refuse(w, r, answer.StatusClientClosedRequest, "basicAuth: the client has gone before its password was checked")
		return
	case err != nil:
		h.refuse(w, r, "basicAuth: the time was over before the password was checked")
		return
	case who == nil:
		h.refuse(w, r, "basicAuth: wrong user or password")
		return
	}
	rec.SetAuth(true)
	rec.SetIdentity(who)
	h.next.ServeHTTP(w, h.forward(r, user))
}

// verify returns who has this name and password, or nil. The error is that of ctx.
func (h *handler) verify(ctx context.Context, user, password string) (*identity.Identity, error) {
	ok, err := h.users().Verify(ctx, user, password)
	switch {
	case err != nil:
		return nil, err
	case ok:
		return h.known.Now().User("basicAuth", user), nil
	case !h.consumers:
		return nil, nil
	}
	c, err := h.known.Now().Verify(ctx, user, password)
	if err != nil || c == nil {
		return nil, err
	}
	return c.Of("basicAuth", user), nil
}

func (h *handler) refuse(w http.ResponseWriter, r *http.Request, cause string) {
	w.Header().Set("WWW-Authenticate", h.challenge)
	middlewares.Refuse(w, r, http.StatusUnauthorized, cause)
}

// forward returns the request the service gets; without a user there were no credentials.
func (h *handler) forward(r *http.Request, user string) *http.Request {
	remove := h.removeHeader && user != ""
	if !remove && h.headerField == "" {
		return r
	}
	r2 := new(http.Request)
	*r2 = *r
	r2.Header = maps.Clone(r.Header)
	if remove {
		r2.Header.Del("Authorization")
	}
	if h.headerField != "" {
		headername.Remove(r2.Header, h.headerField) // nobody but us says who it is
		r2 = trailers.Without(r2, headername.Same(h.headerField))
		if user != "" {
			r2.Header.Set(h.headerField, user)
		}
	}
	return r2
}
