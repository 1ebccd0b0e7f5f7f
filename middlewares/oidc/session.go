package oidc

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// session is somebody who has logged in. It never changes: what is new about it is another
// one, with the same id.
type session struct {
	id      string
	began   time.Time // the login
	seen    time.Time // when the browser was last given a cookie
	fresh   time.Time // from then on the tokens are refreshed; zero: it is not known
	until   time.Time // their end
	turn    uint64    // how often the tokens were refreshed
	idToken string
	access  string
	refresh string
	more    string // what the provider says at its userinfo endpoint, as JSON

	claims   map[string]any // of the ID token, and of more
	sub, sid string

	view atomic.Pointer[view]
}

func randomText(size int) string {
	raw := make([]byte, size)
	_, _ = rand.Read(raw) // never fails
	return base64.RawURLEncoding.EncodeToString(raw)
}

// protocol are claims that only the ID token can make.
var protocol = []string{"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "nonce", "sid", "azp", "auth_time", "acr", "amr", "at_hash", "c_hash", "events"}

// understand reads what the tokens say. They were verified when they came.
func (s *session) understand() error {
	parts := strings.Split(s.idToken, ".")
	if len(parts) != 3 {
		return errors.New("the ID token has not three parts")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return errors.New("the ID token is not written in base64url")
	}
	if s.claims, err = object(raw); err != nil {
		return fmt.Errorf("the ID token %w", err)
	}
	if s.more != "" {
		more, err := object([]byte(s.more))
		if err != nil {
			return fmt.Errorf("what the provider says of the user %w", err)
		}
		for name, v := range more {
			if !slices.Contains(protocol, name) {
				s.claims[name] = v
			}
		}
	}
	s.sub, _ = s.claims["sub"].(string)
	s.sid, _ = s.claims["sid"].(string)
	if s.sub == "" {
		return errors.New("the ID token names nobody")
	}
	return nil
}

func object(raw []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var o map[string]any
	if err := d.Decode(&o); err != nil || o == nil {
		return nil, errors.New("is no object of JSON")
	}
	return o, nil
}

// sessionFormat is the first byte of a written session.
const sessionFormat = 1

// write makes bytes of a session, few of them: they go into cookies.
func (s *session) write() []byte {
	out := []byte{sessionFormat}
	for _, t := range []time.Time{s.began, s.seen, s.fresh, s.until} {
		out = binary.AppendUvarint(out, milliseconds(t))
	}
	out = binary.AppendUvarint(out, s.turn)
	out = appendText(out, s.id)
	for _, token := range []string{s.idToken, s.access, s.refresh} {
		out = appendToken(out, token)
	}
	return appendText(appendText(out, s.more), s.sid)
}

func milliseconds(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.UnixMilli())
}

func appendText(out []byte, text string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(text))), text...)
}

// appendToken writes a token that has three parts in base64url as what these stand for, a
// quarter shorter. A number of parts, 1 or 3, goes before.
func appendToken(out []byte, token string) []byte {
	var raw [3][]byte
	parts := strings.Split(token, ".")
	for i, part := range parts {
		var err error
		if len(parts) != 3 || strings.ContainsAny(part, "\r\n") {
			break
		}
		if raw[i], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			break
		}
		if i == 2 {
			out = append(out, 3)
			for _, r := range raw {
				out = appendText(out, string(r))
			}
			return out
		}
	}
	return appendText(append(out, 1), token)
}

// readSession is the reverse of write.
func readSession(raw []byte) (*session, error) {
	r := &reader{rest: raw}
	if r.byte() != sessionFormat {
		return nil, errors.New("it is no session of this kind")
	}
	s := &session{}
	for _, t := range []*time.Time{&s.began, &s.seen, &s.fresh, &s.until} {
		if ms := r.number(); ms != 0 {
			*t = time.UnixMilli(int64(ms))
		}
	}
	s.turn, s.id = r.number(), r.text()
	s.idToken, s.access, s.refresh = r.token(), r.token(), r.token()
	s.more = r.text()
	sid := r.text()
	if r.bad || len(r.rest) > 0 {
		return nil, errors.New("it is cut off, or goes on behind its end")
	}
	if err := s.understand(); err != nil {
		return nil, err
	}
	if s.sid == "" {
		s.sid = sid
	}
	return s, nil
}

// reader takes what is written from the front of rest. Once something is not there it is bad.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) byte() byte {
	if len(r.rest) == 0 {
		r.bad = true
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) text() string {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return ""
	}
	text := string(r.rest[:n])
	r.rest = r.rest[n:]
	return text
}

func (r *reader) token() string {
	switch r.byte() {
	case 1:
		return r.text()
	case 3:
		parts := make([]string, 3)
		for i := range parts {
			parts[i] = base64.RawURLEncoding.EncodeToString([]byte(r.text()))
		}
		return strings.Join(parts, ".")
	}
	r.bad = true
	return ""
}

// with is the same session with new tokens.
func (s *session) with(t *tokens) (*session, error) {
	next := &session{id: s.id, began: s.began, seen: s.seen, fresh: t.fresh, until: t.until, turn: s.turn + 1, idToken: s.idToken, access: t.access, refresh: s.refresh, more: s.more}
	if t.idToken != "" {
		next.idToken = t.idToken
	}
	if t.refresh != "" {
		next.refresh = t.refresh
	}
	if t.more != "" {
		next.more = t.more
	}
	if err := next.understand(); err != nil {
		return nil, err
	}
	if next.sid == "" { // a logout names what the login was told
		next.sid = s.sid
	}
	return next, nil
}

// renewed is the same session, seen now.
func (s *session) renewed(now time.Time) *session {
	return &session{
		id: s.id, began: s.began, seen: now, fresh: s.fresh, until: s.until, turn: s.turn, idToken: s.idToken, access: s.access, refresh: s.refresh, more: s.more,
		claims: s.claims, sub: s.sub, sid: s.sid,
	}
}
