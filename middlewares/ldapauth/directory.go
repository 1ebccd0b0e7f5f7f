package ldapauth

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
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

// verify finds out whether a name and a password go together. Connections that have died are
// replaced once.
func (d *directory) verify(ctx context.Context, name, password string) (*user, error) {
	select {
	case d.turns <- struct{}{}:
		defer func() { <-d.turns }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for range cap(d.free) + 1 {
		conn, kept, err := d.connect()
		if err != nil {
			return nil, fmt.Errorf("connect to %s: %w", secret.URL(d.config.URL), err)
		}
		stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
		u, err := d.ask(conn, name, password)
		if !stop() {
			return nil, ctx.Err()
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

func (d *directory) connect() (conn *ldap.Conn, kept bool, err error) {
	for {
		select {
		case conn := <-d.free:
			if conn.IsClosing() {
				continue
			}
			return conn, true, nil
		default:
			conn, err := d.dial()
			return conn, false, err
		}
	}
}

func (d *directory) dial() (*ldap.Conn, error) {
	timeout := time.Duration(d.config.Timeout)
	conn, err := ldap.DialURL(d.config.URL, ldap.DialWithDialer(&net.Dialer{Timeout: timeout}), ldap.DialWithTLSConfig(d.tls))
	if err != nil {
		return nil, err
	}
	conn.SetTimeout(timeout)
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
	u := &user{name: name}
	dn := c.Attribute + "=" + ldap.EscapeDN(name) + "," + c.BaseDN
	if c.SearchFilter != "" {
		found, groups, err := d.find(conn, name)
		if err != nil {
			return nil, err
		}
		dn, u.groups = found, groups
	}
	if err := conn.Bind(dn, password); err != nil {
		if ldap.IsErrorAnyOf(err, ldap.LDAPResultInvalidCredentials, ldap.LDAPResultNoSuchObject, ldap.LDAPResultInvalidDNSyntax, ldap.LDAPResultInappropriateAuthentication, ldap.LDAPResultUnwillingToPerform) {
			return nil, errWrong
		}
		return nil, fmt.Errorf("check the password: %w", err)
	}
	if c.SearchFilter == "" && c.GroupsAttribute != "" {
		entries, err := d.search(conn, dn, ldap.ScopeBaseObject, "(objectClass=*)", c.GroupsAttribute)
		if err != nil {
			return nil, fmt.Errorf("look at the user: %w", err)
		}
		u.groups = groupsIn(entries, c.GroupsAttribute)
	}
	return u, d.addGroups(conn, u, dn)
}

// find returns the DN of the one user that a name is of.
func (d *directory) find(conn *ldap.Conn, name string) (dn string, groups []string, err error) {
	if err := d.bind(conn); err != nil {
		return "", nil, err
	}
	c := d.config
	filter := strings.ReplaceAll(c.SearchFilter, "%s", ldap.EscapeFilter(name))
	entries, err := d.search(conn, c.BaseDN, ldap.ScopeWholeSubtree, filter, c.GroupsAttribute)
	if err != nil {
		return "", nil, fmt.Errorf("look for the user: %w", err)
	}
	if len(entries) != 1 {
		return "", nil, errWrong // of several, which one would be somebody's guess
	}
	return entries[0].DN, groupsIn(entries, c.GroupsAttribute), nil
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

func (d *directory) search(conn *ldap.Conn, base string, scope int, filter, attribute string) ([]*ldap.Entry, error) {
	attributes := []string{"1.1"} // none (RFC 4511, section 4.5.1.8)
	if attribute != "" {
		attributes = []string{attribute}
	}
	res, err := conn.Search(ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, mostEntries, int(time.Duration(d.config.Timeout)/time.Second), false, filter, attributes, nil))
	switch {
	case ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject):
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
