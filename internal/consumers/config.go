// Package consumers knows who uses the services behind the gateway: people and programs that
// the configuration names, each with the credentials to know them by.
package consumers

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"fairway/internal/htpasswd"
	"fairway/internal/secret"
)

// Config is a consumer: somebody, or something, that the gateway knows by name. Whatever it
// is known by names one consumer only.
type Config struct {
	// APIKeys are what the middleware apiKey knows the consumer by, as hashes: "sha256:" and
	// what `printf %s KEY | sha256sum` prints. Keys have to be long and random: a hash of
	// something that can be guessed protects nothing.
	APIKeys []secret.String `json:"apiKeys,omitempty"`
	// Credentials are names and hashes of passwords for the middleware basicAuth with its
	// option consumers, as "name:hash"; `htpasswd -nB name` prints them.
	Credentials []secret.String `json:"credentials,omitempty"`
	// Users are the names by which basicAuth, digestAuth and ldapAuth know the consumer, when
	// the password is theirs to check.
	Users []string `json:"users,omitempty"`
	// Claims of a token that is the consumer's, as path=value: "iss=https://id.example,sub=17".
	// All of them have to be there; of a list, one value. Only tokens are looked at that jwt,
	// oidc or introspection has found good. Without iss a token of any issuer will do that is
	// trusted somewhere, which is a warning.
	Claims []string `json:"claims,omitempty"`
	// Certificates are what the middleware mtls knows the consumer by: a subject as in
	// "CN=ann,O=Shop", its parts in any order, in labels with semicolons in place of the commas;
	// a name as in "dns:ann.example", "email:ann@example.com" or "uri:spiffe://shop/ann"; or a
	// fingerprint, as in "sha256:" and 64 digits. Whoever makes certificates for an authority
	// that an mtls middleware trusts can write such names, which its options consumers and
	// groups bound.
	Certificates []string `json:"certificates,omitempty"`
	// Groups that the consumer is in, for the middleware acl.
	Groups []string `json:"groups,omitempty"`
	// Plan is what the consumer has booked: the name of a plan for the middleware plan. Policy and the
	// log know it, too.
	Plan string `json:"plan,omitempty"`
	// Labels are whatever else is to be known of the consumer, for policy.
	Labels map[string]string `json:"labels,omitempty"`
}

// Digest is what is kept of an API key.
type Digest [sha256.Size]byte

// digestOf reads the hash of an API key.
func digestOf(text string) (d Digest, err error) {
	digits, found := strings.CutPrefix(text, "sha256:")
	if !found || len(digits) != hex.EncodedLen(len(d)) {
		return d, errors.New(`is not written as "sha256:" and 64 hexadecimal digits: keys are not written down themselves`)
	}
	if _, err := hex.Decode(d[:], []byte(digits)); err != nil {
		return d, errors.New("its hash has something other than hexadecimal digits")
	}
	return d, nil
}

// Check tells what is wrong with a consumer.
func (c *Config) Check() error {
	for i, key := range c.APIKeys {
		if _, err := digestOf(key.Reveal()); err != nil {
			return fmt.Errorf("apiKeys[%d]: %w", i, err)
		}
	}
	users := htpasswd.Users{}
	for i, line := range c.Credentials {
		if err := users.Add(line.Reveal()); err != nil {
			return fmt.Errorf("credentials[%d]: %w", i, err)
		}
	}
	for i, claim := range c.Claims {
		if path, _, found := strings.Cut(claim, "="); !found || path == "" {
			return fmt.Errorf("claims[%d]: is not written as path=value", i)
		}
	}
	for i, cert := range c.Certificates {
		if _, err := certificateName(cert); err != nil {
			return fmt.Errorf("certificates[%d]: %w", i, err)
		}
	}
	return nil
}
