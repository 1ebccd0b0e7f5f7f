package kong

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
)

var looksHashed = regexp.MustCompile(`^[0-9a-f]{40}$`)

func (g *gateway) consumer(c entity) {
	name := orElse(c.object["username"], word(c.object["custom_id"]))
	if name == "" {
		g.Lose(c.place, "it has no name")
		return
	}
	out, labels := object{}, object{"username": name}
	if id := word(c.object["custom_id"]); id != "" {
		labels["customID"] = id
	}
	out["labels"] = labels
	g.keys(c, out)
	g.passwords(c, out)
	claims := g.tokensOf(c)
	if len(claims) > 0 {
		out["claims"] = claims[:1]
		for range claims[1:] {
			g.Lose(c.place, "of several jwt_secrets, the first one makes the consumer known")
		}
	}
	var groups []string
	for _, a := range g.credentials(c, "acls") {
		groups = append(groups, word(a.object["group"]))
	}
	if len(groups) > 0 {
		out["groups"] = groups
	}
	g.book(c, name, out)
	for _, of := range []struct{ kind, why string }{
		{"hmacauth_credentials", "Kong signs by a draft that was given up: see the middleware hmac (RFC 9421)"},
		{"oauth2_credentials", "fairway is no authorization server"},
		{"mtls_auth_credentials", "see the middleware mtls"},
		{"plugins", "plugins of consumers: see plans"},
	} {
		for _, e := range g.credentials(c, of.kind) {
			if of.kind == "plugins" && ofConsumer(e) {
				continue
			}
			g.Lose(e.place, "%s", of.why)
		}
	}
	g.Put("consumers", name, out)
}

func (g *gateway) keys(c entity, out object) {
	var hashes []string
	for _, k := range g.credentials(c, "keyauth_credentials") {
		key := word(k.object["key"])
		switch {
		case key == "" || isReference(key):
			g.Lose(k.place, "the key is not here")
			continue
		case k.object["ttl"] != nil:
			g.Lose(k.place+".ttl", "keys do not expire by themselves")
		}
		sum := sha256.Sum256([]byte(key))
		hashes = append(hashes, "sha256:"+hex.EncodeToString(sum[:]))
	}
	if len(hashes) > 0 {
		out["apiKeys"] = hashes
	}
}

func (g *gateway) passwords(c entity, out object) {
	var credentials []string
	for _, b := range g.credentials(c, "basicauth_credentials") {
		password := word(b.object["password"])
		if password == "" || isReference(password) || g.root["_transform"] == false || looksHashed.MatchString(password) {
			g.Lose(b.place, "the password is not here, or only a hash of Kong's own")
			continue
		}
		hash, err := g.hash(password)
		if err != nil {
			g.Lose(b.place, "the password cannot be taken over: %v", err)
			continue
		}
		credentials = append(credentials, word(b.object["username"])+":"+hash)
	}
	if len(credentials) > 0 {
		out["credentials"] = credentials
	}
}

// tokensOf are the claims of tokens that a consumer is known by. Their keys are for the middleware jwt.
func (g *gateway) tokensOf(c entity) (claims []string) {
	for _, t := range g.credentials(c, "jwt_secrets") {
		key, algorithm := word(t.object["key"]), orElse(t.object["algorithm"], "HS256")
		secret, public := word(t.object["secret"]), word(t.object["rsa_public_key"])
		issuer := object{"issuer": key, "algorithms": []string{algorithm}}
		symmetric := algorithm[0] == 'H'
		switch {
		case key == "" || symmetric && (secret == "" || isReference(secret)) || !symmetric && public == "":
			g.Lose(t.place, "the key, or what it is for, is not here")
			continue
		case symmetric && len(secret) < 32:
			g.Lose(t.place, "the secret has less than 32 bytes, with which tokens are not safe: its tokens are refused")
			continue
		case symmetric:
			issuer["secret"] = secret
		default:
			issuer["publicKeys"] = []string{public}
		}
		g.tokens = append(g.tokens, issuer)
		claims = append(claims, "iss="+key)
	}
	return claims
}
