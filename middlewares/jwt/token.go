package jwt

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"fairway/internal/claims"
	"fairway/internal/consumers"
	"fairway/internal/identity"
)

// longest is the most that a token may have: cookies and heads have about that much room.
const longest = 16 << 10

// verified is what is known of a token whose signature is good.
type verified struct {
	trust   *trust
	version uint64 // of the keys that it was verified by
	until   time.Time
	claims  map[string]any
	values  [][]string // of the headers that are forwarded
	denied  string     // why it does not reach; empty: it does
	cert    string     // the thumbprint that it is bound to; empty: none
	jti     string

	registry *consumers.Registry // that who was found in
	who      *identity.Identity
}

// verified returns what is known of a token, from before if it can.
func (h *handler) verified(ctx context.Context, token string, now time.Time) (*verified, error) {
	registry := h.consumers.Now()
	if v, ok := h.cache.Get(token); ok && now.Before(v.until) && v.version == v.trust.version() {
		if v.registry == registry {
			return v, nil
		}
		again := *v
		h.recognise(&again, registry)
		h.cache.Put(token, &again)
		return &again, nil
	}
	v, err := h.verify(ctx, token)
	if err != nil {
		return nil, err
	}
	h.recognise(v, registry)
	h.cache.Put(token, v)
	return v, nil
}

// recognise finds out who a token is about.
func (h *handler) recognise(v *verified, registry *consumers.Registry) {
	sub, _ := v.claims["sub"].(string)
	who := &identity.Identity{Method: "jwt", Subject: sub, Claims: v.claims}
	if who.Consumer = registry.ByClaims(v.claims); who.Consumer != nil {
		who.Groups = append(who.Groups, who.Consumer.Groups...)
	}
	if h.groups != "" {
		who.Groups = append(who.Groups, claims.Texts(claims.Lookup(v.claims, h.groups))...)
	}
	v.registry, v.who = registry, who
}

// verify finds out whether a token is good.
func (h *handler) verify(ctx context.Context, token string) (*verified, error) {
	if len(token) > longest {
		return nil, fmt.Errorf("the token has more than %d bytes", longest)
	}
	head, said, err := open(token)
	if err != nil {
		return nil, err
	}
	if err := h.checkHead(head); err != nil {
		return nil, err
	}
	iss, _ := said["iss"].(string)
	t := h.trustOf(iss)
	if t == nil {
		return nil, fmt.Errorf("the issuer %q is not trusted", iss)
	}
	v := &verified{trust: t, version: t.version()}
	parsed, err := t.parser.ParseWithClaims(token, jwt.MapClaims{}, func(token *jwt.Token) (any, error) { return t.candidates(ctx, token) })
	if err != nil {
		if away, ok := errors.AsType[*unavailableError](err); ok {
			return nil, away
		}
		return nil, err
	}
	v.claims = map[string]any(parsed.Claims.(jwt.MapClaims))
	v.until = time.Unix(math.MaxInt32, 0)
	if exp, err := parsed.Claims.GetExpirationTime(); err == nil && exp != nil {
		v.until = exp.Add(h.leeway)
	}
	v.jti, _ = v.claims["jti"].(string)
	v.cert, _ = claims.Lookup(v.claims, "cnf.x5t#S256").(string)
	v.denied = h.demands.Missing(v.claims)
	v.values = h.headers.Values(v.claims)
	return v, nil
}

// trustOf is the first issuer whose name a token says, or that has none.
func (h *handler) trustOf(iss string) *trust {
	for _, t := range h.trusted {
		if t.issuer == "" || t.issuer == iss {
			return t
		}
	}
	return nil
}

// checkHead refuses heads that ask for what is not understood (RFC 7515, section 4.1.11), and
// tokens of other types (RFC 8725, section 3.11).
func (h *handler) checkHead(head map[string]any) error {
	if _, ok := head["crit"]; ok {
		return errors.New("the head has crit, which asks for extensions")
	}
	if _, ok := head["b64"]; ok {
		return errors.New("the head has b64")
	}
	if h.typ == "" {
		return nil
	}
	typ, _ := head["typ"].(string)
	plain := func(t string) string { return strings.TrimPrefix(strings.ToLower(t), "application/") }
	if plain(typ) != plain(h.typ) {
		return fmt.Errorf("the type of the token is %q, not %q", typ, h.typ)
	}
	return nil
}

// open reads head and claims, without believing them. A member that is there twice is none
// (RFC 7515, section 4, leaves no other choice): others may see the other one.
func open(token string) (head, said map[string]any, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, nil, errors.New("it is no signed token of three parts")
	}
	if head, err = object(parts[0]); err != nil {
		return nil, nil, fmt.Errorf("the head of the token %w", err)
	}
	if said, err = object(parts[1]); err != nil {
		return nil, nil, fmt.Errorf("the claims of the token: %w", err)
	}
	return head, said, nil
}

func object(part string) (map[string]any, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil || strings.ContainsAny(part, "\r\n") { // which the decoder skips
		return nil, errors.New("is not written in base64url")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	v, err := once(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("has something behind its end")
	}
	o, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("is no object of JSON")
	}
	return o, nil
}

// deepest is how far claims may be nested.
const deepest = 32

// once reads a value that has no member twice.
func once(d *json.Decoder, depth int) (any, error) {
	if depth > deepest {
		return nil, errors.New("is nested too deep")
	}
	token, err := d.Token()
	if err != nil {
		return nil, errors.New("is not JSON")
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if delim == '[' {
		list := []any{}
		for d.More() {
			v, err := once(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	}
	o := map[string]any{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, errors.New("is not JSON")
		}
		key, _ := name.(string)
		if _, had := o[key]; had {
			return nil, fmt.Errorf("has %q twice", key)
		}
		if o[key], err = once(d, depth+1); err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, errors.New("is not JSON")
	}
	return o, nil
}
