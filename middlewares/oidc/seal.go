package oidc

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/sirupsen/logrus"

	"fairway/internal/freshfile"
	"fairway/internal/secret"
)

// What browsers keep for the gateway is sealed: encrypted and authenticated by AES-256-GCM
// (NIST SP 800-38D), with a key that is derived (HKDF, RFC 5869) from a secret, and from the
// middleware, its issuer and its client. So a cookie of another middleware is of no use, and
// what was sealed for one purpose is not taken for another.

// sealer seals, and opens what was sealed by one of its keys.
type sealer struct {
	keys    func() []cipher.AEAD // the first one seals
	version func() uint64        // another number when the keys are others
}

// minSecret is what no one can guess.
const minSecret = 32

// newSealer takes the secrets that the operator gives, or else one of the gateway's own.
func newSealer(secrets []secret.String, file string, own []byte, binding string, log logrus.FieldLogger) (*sealer, error) {
	switch {
	case len(secrets) > 0 && file != "":
		return nil, errors.New("only one of sessionSecrets and sessionSecretsFile can be given")
	case file != "":
		f, err := freshfile.Open(file, func(text []byte) ([]cipher.AEAD, error) { return keysOf(strings.Fields(string(text)), binding) }, log)
		if err != nil {
			return nil, fmt.Errorf("sessionSecretsFile: %w", err)
		}
		return &sealer{keys: f.Value, version: f.Version}, nil
	case len(secrets) == 0:
		return fixedSealer(newKey(own, binding)), nil
	}
	texts := make([]string, len(secrets))
	for i, s := range secrets {
		texts[i] = s.Reveal()
	}
	keys, err := keysOf(texts, binding)
	if err != nil {
		return nil, fmt.Errorf("sessionSecrets: %w", err)
	}
	return fixedSealer(keys...), nil
}

func fixedSealer(keys ...cipher.AEAD) *sealer {
	return &sealer{keys: func() []cipher.AEAD { return keys }, version: func() uint64 { return 0 }}
}

func keysOf(secrets []string, binding string) (keys []cipher.AEAD, err error) {
	for i, text := range secrets {
		if len(text) < minSecret {
			return nil, fmt.Errorf("[%d] has less than %d bytes: it could be guessed", i, minSecret)
		}
		keys = append(keys, newKey([]byte(text), binding))
	}
	if len(keys) == 0 {
		return nil, errors.New("there is none")
	}
	return keys, nil
}

// newKey derives a key. Nothing in it can fail with lengths that are right.
func newKey(secret []byte, binding string) cipher.AEAD {
	key, err := hkdf.Key(sha256.New, secret, nil, "fairway oidc "+binding, 32)
	if err != nil {
		panic(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	sealed, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return sealed
}

// seal returns a text that only open understands, for the same purpose.
func (s *sealer) seal(purpose string, plain []byte) string {
	//nolint:gosec // the nonce is random: the AEAD makes it
	return base64.RawURLEncoding.EncodeToString(s.keys()[0].Seal(nil, nil, plain, []byte(purpose)))
}

var errSeal = errors.New("it is not sealed by this gateway, for this purpose")

func (s *sealer) open(purpose, text string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errSeal
	}
	for _, key := range s.keys() {
		if plain, err := key.Open(nil, nil, raw, []byte(purpose)); err == nil {
			return plain, nil
		}
	}
	return nil, errSeal
}
