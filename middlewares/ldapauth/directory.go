package ldapauth

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-ldap/ldap/v3"

	"fairway/internal/secret"
)

// directory is asked by connections that are kept. Each is bound anew for what it is to do:
// no question is ever asked in the name of the user before.
type directory struct {
	config   *Config
	tls      *tls.Config
	password func() string
	free     chan *ldap.Conn
	turns    chan struct{} // of those that ask at the same time
	closed   atomic.Bool
}

// user is one whose password was right.
type user struct {
	name   string
	groups []string
}

// errWrong is the same for a name that is not there and a password that is wrong.
var errWrong = errors.New("wrong user or password")

// errHidden is a name that cannot be told from others for the same user.
var errHidden = fmt.Errorf("%w: the directory does not show users their name, so that only one of a-z, 0-9 and -_.@+ is taken", errWrong)

// verify finds out whether a name and a password go together, within one time for all of it.
// Connections that have died are replaced.
func (d *directory) verify(ctx context.Context, name, password string) (*user, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Duration(d.config.Timeout), fmt.Errorf("%s does not answer within %s", secret.URL(d.config.URL), time.Duration(d.config.Timeout)))
	defer cancel()
	select {
	case d.turns <- struct{}{}:
		defer func() { <-d.turns }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	for range cap(d.free) + 1 {
		conn, kept, err := d.connect(ctx)
		if err != nil && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			return nil, fmt.Errorf("connect to %s: %w", secret.URL(d.config.URL), err)
		}
		stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
		u, err := d.ask(conn, name, password)
		if !stop() {
			return nil, context.Cause(ctx)
		}
		if err == nil || errors.Is(err, errWrong) {
			d.keep(conn)
			return u, err
		}
		_ = conn.Close()
		if !kept || !ldap.IsErrorWithCode(err, ldap.ErrorNetwork) {
			return nil, err
		}
	}
	return nil, errors.New("no connection to the directory lasts")
}

func (d *directory) connect(ctx context.Context) (conn *ldap.Conn, kept bool, err error) {
	for {
		select {
		case conn := <-d.free:
			if conn.IsClosing() {
				continue
			}
			return conn, true, nil
		default:
			conn, err := d.dial(ctx)
			return conn, false, err
		}
	}
}

// dial makes a connection, to its last step within the time of ctx.
func (d *directory) dial(ctx context.Context) (*ldap.Conn, error) {
	u, err := url.Parse(d.config.URL)
	if err != nil {
		return nil, err
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"ldap": ldap.DefaultLdapPort, "ldaps": ldap.DefaultLdapsPort}[u.Scheme]
	}
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() }) // go-ldap knows no end for the handshake of StartTLS
	defer stop()
	var conn *ldap.Conn
	if u.Scheme == "ldaps" {
		protected := tls.Client(raw, d.tls)
		if err := protected.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			return nil, err
		}
		conn = ldap.NewConn(protected, true)
	} else {
		conn = ldap.NewConn(raw, false)
	}
	conn.Start()
	if d.config.StartTLS {
		if err := conn.StartTLS(d.tls); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	return conn, nil
}

func (d *directory) keep(conn *ldap.Conn) {
	select {
	case d.free <- conn:
		if d.closed.Load() {
			d.close()
		}
	default:
		_ = conn.Close()
	}
}

// close ends the connections that nobody uses; those in use end when they are given back.
func (d *directory) close() {
	d.closed.Store(true)
	for {
		select {
		case conn := <-d.free:
			_ = conn.Close()
		default:
			return
		}
	}
}

// ask finds the user, has the directory check the password (RFC 4513, section 5.1.3), and
// finds the groups.
func (d *directory) ask(conn *ldap.Conn, name, password string) (*user, error) {
	c := d.config
	dn := c.Attribute + "=" + ldap.EscapeDN(name) + "," + c.BaseDN
	var entry *ldap.Entry
	if c.SearchFilter != "" {
		found, err := d.find(conn, name)
		if err != nil {
			return nil, err
		}
		entry, dn = found, found.DN
	}
	if err := conn.Bind(dn, password); err != nil {
		if ldap.IsErrorAnyOf(err, ldap.LDAPResultInvalidCredentials, ldap.LDAPResultNoSuchObject, ldap.LDAPResultInvalidDNSyntax, ldap.LDAPResultInappropriateAuthentication, ldap.LDAPResultUnwillingToPerform) {
			return nil, errWrong
		}
		return nil, fmt.Errorf("check the password: %w", err)
	}
	if c.SearchFilter == "" { // users may mostly see themselves
		entries, err := d.search(conn, dn, ldap.ScopeBaseObject, "(objectClass=*)", d.ofUsers()...)
		switch {
		case err != nil:
			return nil, fmt.Errorf("look at the user: %w", err)
		case len(entries) == 1:
			entry, dn = entries[0], entries[0].DN
		}
	}
	u := &user{}
	var err error
	if u.name, err = d.named(entry, name); err != nil {
		return nil, err
	}
	if entry != nil {
		u.groups = groupsIn([]*ldap.Entry{entry}, c.GroupsAttribute)
	}
	return u, d.addGroups(conn, u, dn)
}

// ofUsers are the attributes that are looked at.
func (d *directory) ofUsers() []string {
	if d.config.GroupsAttribute == "" {
		return []string{d.config.Attribute}
	}
	return []string{d.config.Attribute, d.config.GroupsAttribute}
}

// named is the name of a user as the directory has it: it compares names without regard to
// case and outer spaces (RFC 4518), so that one user could have many. Of several values that
// of the DN counts, else the first by the alphabet, whichever the client has written.
func (d *directory) named(entry *ldap.Entry, asked string) (string, error) {
	var values []string
	if entry != nil {
		values = entry.GetEqualFoldAttributeValues(d.config.Attribute)
	}
	switch {
	case len(values) > 0:
		return oneOf(values, entry.DN, d.config.Attribute), nil
	case d.config.SearchFilter != "":
		return "", fmt.Errorf("the entry %q shows no attribute %q: name the one that has the names of users by the option attribute", entry.DN, d.config.Attribute)
	case !plain(asked):
		return "", errHidden
	}
	return asked, nil
}

func oneOf(values []string, dn, attribute string) string {
	if parsed, err := ldap.ParseDN(dn); err == nil && len(parsed.RDNs) > 0 {
		for _, a := range parsed.RDNs[0].Attributes {
			at := slices.IndexFunc(values, func(v string) bool { return strings.EqualFold(v, a.Value) })
			if strings.EqualFold(a.Type, attribute) && at >= 0 {
				return values[at]
			}
		}
	}
	return slices.Min(values)
}

// plain tells whether a name is the only one that a directory takes for the same.
func plain(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.@+", r)
	})
}

// find returns the one user that a name is of.
func (d *directory) find(conn *ldap.Conn, name string) (*ldap.Entry, error) {
	if err := d.bind(conn); err != nil {
		return nil, err
	}
	c := d.config
	filter := strings.ReplaceAll(c.SearchFilter, "%s", ldap.EscapeFilter(name))
	entries, err := d.search(conn, c.BaseDN, ldap.ScopeWholeSubtree, filter, d.ofUsers()...)
	if err != nil {
		return nil, fmt.Errorf("look for the user: %w", err)
	}
	if len(entries) != 1 {
		return nil, errWrong // of several, which one would be somebody's guess
	}
	return entries[0], nil
}

// bind makes the connection that of who searches.
func (d *directory) bind(conn *ldap.Conn) error {
	var err error
	if d.config.BindDN == "" {
		err = conn.UnauthenticatedBind("")
	} else {
		err = conn.Bind(d.config.BindDN, d.password())
	}
	if err != nil {
		return fmt.Errorf("bind as %q: %w", d.config.BindDN, err)
	}
	return nil
}

func (d *directory) addGroups(conn *ldap.Conn, u *user, dn string) error {
	c := d.config
	if c.GroupBaseDN == "" {
		return nil
	}
	if c.BindDN != "" { // the user may not see the groups
		if err := d.bind(conn); err != nil {
			return err
		}
	}
	filter := strings.ReplaceAll(c.GroupFilter, "%s", ldap.EscapeFilter(dn))
	entries, err := d.search(conn, c.GroupBaseDN, ldap.ScopeWholeSubtree, filter, c.GroupAttribute)
	if err != nil {
		return fmt.Errorf("look for the groups: %w", err)
	}
	for _, name := range groupsIn(entries, c.GroupAttribute) {
		if !slices.Contains(u.groups, name) {
			u.groups = append(u.groups, name)
		}
	}
	return nil
}

// mostEntries bounds what a search finds.
const mostEntries = 1000

func (d *directory) search(conn *ldap.Conn, base string, scope int, filter string, attributes ...string) ([]*ldap.Entry, error) {
	seconds := max(1, int(time.Duration(d.config.Timeout)/time.Second)) // 0 would be no limit
	res, err := conn.Search(ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, mostEntries, seconds, false, filter, attributes, nil))
	switch {
	case ldap.IsErrorAnyOf(err, ldap.LDAPResultNoSuchObject, ldap.LDAPResultInsufficientAccessRights):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return res.Entries, nil
}

// groupsIn are the values of an attribute; of a DN its first value.
func groupsIn(entries []*ldap.Entry, attribute string) (names []string) {
	if attribute == "" {
		return nil
	}
	for _, e := range entries {
		for _, value := range e.GetEqualFoldAttributeValues(attribute) {
			if dn, err := ldap.ParseDN(value); err == nil && len(dn.RDNs) > 0 && len(dn.RDNs[0].Attributes) > 0 && strings.Contains(value, "=") {
				value = dn.RDNs[0].Attributes[0].Value
			}
			names = append(names, value)
		}
	}
	return names
}
