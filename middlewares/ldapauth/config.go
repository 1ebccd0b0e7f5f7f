// Package ldapauth lets requests pass that carry the name and password of a user whom a
// directory knows (LDAP, RFC 4511), as HTTP Basic authentication sends them.
//
// config.go is what the operator writes, directory.go asks the directory, by connections that
// are kept; ldapauth.go puts a request through it.
package ldapauth

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/traefik/paerser/types"

	"fairway/internal/freshfile"
	"fairway/internal/headername"
	"fairway/internal/remember"
	"fairway/internal/secret"
	"fairway/internal/sharing"
	"fairway/middlewares"
	"fairway/tls/certs"
)

// Config is the ldapAuth middleware.
type Config struct {
	// URL of the directory, as ldaps://ldap.example.com or ldap://ldap.example.com:389.
	// Required.
	URL string `json:"url,omitempty"`
	// StartTLS protects a connection to an ldap:// URL before anything is sent by it. Default:
	// false.
	StartTLS bool `json:"startTLS,omitempty"`
	// CAFiles are the authorities of the directory's certificate, as PEM files or PEM text.
	// Default: those of the system.
	CAFiles []string `json:"caFiles,omitempty"`
	// InsecureSkipVerify takes every certificate for good. Default: false.
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
	// BaseDN is where users are, as in ou=people,dc=example,dc=com. Required.
	BaseDN string `json:"baseDN,omitempty"`
	// Attribute is what a user's name is in: whatever the client has written, the user is known
	// by the name that the directory has there. Without a searchFilter users are
	// ATTRIBUTE=NAME,BASEDN. Default: uid.
	Attribute string `json:"attribute,omitempty"`
	// SearchFilter finds a user below baseDN, by %s for the name: (&(objectClass=person)(uid=%s)).
	// Exactly one has to be found. Default: users are not searched for.
	SearchFilter string `json:"searchFilter,omitempty"`
	// BindDN is who searches. Default: nobody, or the user, when nothing has to be found first.
	BindDN string `json:"bindDN,omitempty"`
	// BindPassword is its password.
	BindPassword secret.String `json:"bindPassword,omitempty"`
	// BindPasswordFile is the path of a file with its password, which is read again when it
	// changes.
	BindPasswordFile string `json:"bindPasswordFile,omitempty"`
	// GroupBaseDN is where groups are. Default: users have no groups, but for groupsAttribute.
	GroupBaseDN string `json:"groupBaseDN,omitempty"`
	// GroupFilter finds the groups of a user, by %s for the user's DN. Default: (member=%s).
	GroupFilter string `json:"groupFilter,omitempty"`
	// GroupAttribute is the name of a group. Default: cn.
	GroupAttribute string `json:"groupAttribute,omitempty"`
	// GroupsAttribute of users lists their groups, as memberOf does; of a DN the first value
	// counts. Default: none.
	GroupsAttribute string `json:"groupsAttribute,omitempty"`
	// CacheFor is how long a password that was right is taken for right, and the groups are. 0
	// asks about every request. Default: 1m.
	CacheFor types.Duration `json:"cacheFor,omitempty"`
	// Timeout of all that a request asks the directory, with the wait for a connection. Default:
	// 5s.
	Timeout types.Duration `json:"timeout,omitempty"`
	// MaxConnections to the directory; requests wait for one. Default: 8.
	MaxConnections int `json:"maxConnections,omitempty"`
	// Realm is the name of the protected area that browsers show. Default: fairway.
	Realm string `json:"realm,omitempty"`
	// RemoveHeader keeps the Authorization header, hence the password, from the service.
	// Default: true.
	RemoveHeader bool `json:"removeHeader,omitempty"`
	// HeaderField is a header in which the service is told the name of the user. What clients
	// send in it never reaches the service. Default: none.
	HeaderField string `json:"headerField,omitempty"`
	// Optional lets requests pass that bring no name and password at all; they may bring
	// credentials of another kind. Default: false.
	Optional bool `json:"optional,omitempty"`
}

const (
	defaultCache       = time.Minute
	defaultTimeout     = 5 * time.Second
	defaultConnections = 8
	mostRemembered     = 10_000
)

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() {
	c.Attribute, c.GroupFilter, c.GroupAttribute = "uid", "(member=%s)", "cn"
	c.CacheFor, c.Timeout, c.MaxConnections = types.Duration(defaultCache), types.Duration(defaultTimeout), defaultConnections
	c.Realm, c.RemoveHeader = "fairway", true
}

// New implements middlewares.Config.
func (c *Config) New(ctx context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	shared := env.Keep(func() any { return &sharing.ByOptions[*asker]{} }).(*sharing.ByOptions[*asker])
	asker, err := shared.Use(ctx, sharing.Options(c, c.BindPassword), func(ctx context.Context) (*asker, error) { return c.asker(ctx, env) })
	if err != nil {
		return nil, err
	}
	h := &handler{
		asker: asker, consumers: env.Consumers,
		challenge: `Basic realm="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(c.Realm) + `", charset="UTF-8"`,
		remove:    c.RemoveHeader, optional: c.Optional, next: next,
	}
	if c.HeaderField != "" {
		h.header = headername.Plain(c.HeaderField)
	}
	return h, nil
}

// asker makes what the routes share.
func (c *Config) asker(ctx context.Context, env middlewares.Env) (*asker, error) {
	settings, err := c.tls()
	if err != nil {
		return nil, err
	}
	d := &directory{config: c, tls: settings, password: c.BindPassword.Reveal, free: make(chan *ldap.Conn, c.MaxConnections), turns: make(chan struct{}, c.MaxConnections)}
	if c.BindPasswordFile != "" {
		file, err := freshfile.Open(c.BindPasswordFile, func(text []byte) (string, error) { return strings.TrimRight(string(text), "\r\n"), nil }, env.Log)
		if err != nil {
			return nil, fmt.Errorf("bindPasswordFile: %w", err)
		}
		d.password = file.Value
	}
	context.AfterFunc(ctx, d.close)
	return &asker{directory: d, known: remember.New[*user](mostRemembered), cacheFor: time.Duration(c.CacheFor)}, nil
}

func (c *Config) check() error {
	u, err := url.Parse(c.URL)
	switch {
	case c.URL == "":
		return errors.New("url is required")
	case err != nil || u.Host == "" || u.Scheme != "ldap" && u.Scheme != "ldaps":
		return fmt.Errorf("url: %q is no URL that begins with ldap:// or ldaps://", secret.URL(c.URL))
	case c.StartTLS && u.Scheme == "ldaps":
		return errors.New("startTLS: goes with ldap:// only")
	case c.BaseDN == "":
		return errors.New("baseDN is required")
	case c.BindPassword != "" && c.BindPasswordFile != "":
		return errors.New("only one of bindPassword and bindPasswordFile can be given")
	case c.BindDN != "" && c.BindPassword == "" && c.BindPasswordFile == "":
		return errors.New("bindDN: goes with bindPassword or bindPasswordFile")
	case c.CacheFor < 0 || c.Timeout <= 0:
		return errors.New("cacheFor and timeout: are times")
	case c.MaxConnections < 1:
		return errors.New("maxConnections: there has to be one")
	case c.Attribute == "":
		return errors.New("attribute is required")
	}
	if c.HeaderField != "" {
		if err := headername.Settable(c.HeaderField); err != nil {
			return fmt.Errorf("headerField: %w", err)
		}
	}
	for name, dn := range map[string]string{"baseDN": c.BaseDN, "bindDN": c.BindDN, "groupBaseDN": c.GroupBaseDN} {
		if _, err := ldap.ParseDN(dn); err != nil {
			return fmt.Errorf("%s: %q is no DN", name, dn)
		}
	}
	for name, filter := range map[string]string{"searchFilter": c.SearchFilter, "groupFilter": c.GroupFilter} {
		if filter == "" && (name == "searchFilter" || c.GroupBaseDN == "") {
			continue
		}
		if _, err := ldap.CompileFilter(strings.ReplaceAll(filter, "%s", "x")); err != nil || strings.Count(filter, "%s") == 0 {
			return fmt.Errorf(`%s: %q is no filter with %%s in it`, name, filter)
		}
	}
	return nil
}

func (c *Config) tls() (*tls.Config, error) {
	u, _ := url.Parse(c.URL)
	settings := &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12, InsecureSkipVerify: c.InsecureSkipVerify} //nolint:gosec // if the operator wants it
	if len(c.CAFiles) == 0 {
		return settings, nil
	}
	var err error
	settings.RootCAs, err = certs.Pool(c.CAFiles)
	return settings, err
}
