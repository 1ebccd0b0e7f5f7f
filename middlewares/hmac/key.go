package hmac

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"fairway/internal/jwks"
	"fairway/internal/pemtext"
)

// key verifies signatures by one algorithm (RFC 9421, section 3.3).
type key struct {
	algorithm string
	consumer  string // qualified; empty: nobody's
	verify    func(base, signature []byte) bool
}

const minSecret = 32

func (k *Key) build(provider string) (*key, error) {
	out := &key{algorithm: k.Algorithm, consumer: k.Consumer}
	if k.Consumer != "" && !strings.Contains(k.Consumer, "@") {
		out.consumer += "@" + provider
	}
	switch {
	case k.ID == "":
		return nil, errors.New("id is required")
	case k.Secret != "" && k.PublicKey != "", k.Secret == "" && k.PublicKey == "":
		return nil, errors.New("one of secret and publicKey is required")
	case k.Secret != "" && k.Algorithm != "" && k.Algorithm != "hmac-sha256":
		return nil, fmt.Errorf("algorithm: %q does not go with a secret", k.Algorithm)
	case k.Secret != "":
		if len(k.Secret) < minSecret {
			return nil, fmt.Errorf("secret: has less than %d bytes: it could be guessed", minSecret)
		}
		out.algorithm, out.verify = "hmac-sha256", shared([]byte(k.Secret.Reveal()))
		return out, nil
	}
	raw, err := pemtext.Read(k.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("publicKey: %w", err)
	}
	list, err := jwks.ParsePEM(raw)
	if err != nil {
		return nil, fmt.Errorf("publicKey: %w", err)
	}
	return out, out.public(list[0].Public)
}

func shared(secret []byte) func(base, signature []byte) bool {
	return func(base, signature []byte) bool {
		mac := hmac.New(sha256.New, secret)
		_, _ = mac.Write(base)
		return hmac.Equal(mac.Sum(nil), signature)
	}
}

// public makes it verify by a public key.
func (k *key) public(public crypto.PublicKey) error {
	kinds := map[string]func(base, signature []byte) bool{}
	usual := ""
	switch p := public.(type) {
	case ed25519.PublicKey:
		usual = "ed25519"
		kinds[usual] = func(base, signature []byte) bool { return ed25519.Verify(p, base, signature) }
	case *ecdsa.PublicKey:
		usual = "ecdsa-p256-sha256"
		if p.Curve == elliptic.P384() {
			usual = "ecdsa-p384-sha384"
		}
		kinds[usual] = curve(p)
	case *rsa.PublicKey:
		usual = "rsa-pss-sha512"
		kinds[usual] = func(base, signature []byte) bool {
			sum := sha512.Sum512(base)
			return rsa.VerifyPSS(p, crypto.SHA512, sum[:], signature, &rsa.PSSOptions{SaltLength: 64}) == nil
		}
		kinds["rsa-v1_5-sha256"] = func(base, signature []byte) bool {
			sum := sha256.Sum256(base)
			return rsa.VerifyPKCS1v15(p, crypto.SHA256, sum[:], signature) == nil
		}
	}
	if k.algorithm == "" {
		k.algorithm = usual
	}
	if k.verify = kinds[k.algorithm]; k.verify == nil {
		return fmt.Errorf("algorithm: %q does not go with the public key", k.algorithm)
	}
	return nil
}

// curve verifies a signature that is r and s behind each other; nil for curves that RFC 9421
// has no algorithm for.
func curve(p *ecdsa.PublicKey) func(base, signature []byte) bool {
	if p.Curve != elliptic.P256() && p.Curve != elliptic.P384() {
		return nil
	}
	size := p.Curve.Params().BitSize / 8
	return func(base, signature []byte) bool {
		if len(signature) != 2*size {
			return false
		}
		sum256, sum384 := sha256.Sum256(base), sha512.Sum384(base)
		sum := sum256[:]
		if size == 48 {
			sum = sum384[:]
		}
		return ecdsa.Verify(p, sum, new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:]))
	}
}
