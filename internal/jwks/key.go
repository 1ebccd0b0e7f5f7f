// Package jwks has the public keys that tokens are verified by: JSON Web Keys (RFC 7517), as
// text or from the address where an issuer publishes them.
//
// What a token says of its own key is never followed: neither jku and x5u nor jwk and x5c
// (RFC 8725, section 3.10). Keys are bound to the kind of algorithm that they are made for, so
// that no public key is ever taken for a shared secret (section 2.1).
package jwks

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// Key is a public key.
type Key struct {
	ID     string // kid; may be empty
	Alg    string // the only algorithm it is for; empty: all of its kind
	Public crypto.PublicKey
}

const (
	minRSABits = 2048 // RFC 7518, section 3.3
	maxRSABits = 8192 // verifying takes a while with more
)

// Fits tells whether a key may verify signatures by an algorithm of RFC 7518, section 3.1, or
// RFC 8037.
func (k *Key) Fits(alg string) bool {
	if k.Alg != "" && k.Alg != alg {
		return false
	}
	switch p := k.Public.(type) {
	case *rsa.PublicKey:
		return slices.Contains([]string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, alg)
	case *ecdsa.PublicKey:
		return alg == map[string]string{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}[p.Curve.Params().Name]
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}

// written is a key as RFC 7517 has it.
type written struct {
	Kty    string   `json:"kty"`
	Use    string   `json:"use"`
	KeyOps []string `json:"key_ops"`
	Alg    string   `json:"alg"`
	Kid    string   `json:"kid"`
	Crv    string   `json:"crv"`
	N      string   `json:"n"`
	E      string   `json:"e"`
	X      string   `json:"x"`
	Y      string   `json:"y"`
}

// mostKeys bounds a set: each is tried with a token that does not name its key.
const mostKeys = 64

// Parse reads a set of keys, or one key. Keys that are of no use here are left out, as RFC
// 7517, section 5, asks for: those for encryption, shared secrets, kinds that are not known.
func Parse(text []byte) ([]Key, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, errors.New("is no set of JSON Web Keys: it is not JSON")
	}
	if set.Keys == nil {
		set.Keys = []json.RawMessage{text}
	}
	if len(set.Keys) > mostKeys {
		return nil, fmt.Errorf("has %d keys: %d are the most", len(set.Keys), mostKeys)
	}
	var keys []Key
	for _, raw := range set.Keys {
		var w written
		if json.Unmarshal(raw, &w) != nil || !w.verifies() {
			continue
		}
		if public, err := w.public(); err == nil {
			keys = append(keys, Key{ID: w.Kid, Alg: w.Alg, Public: public})
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("has no public key to verify signatures by (RSA of 2048 bits at least, EC, Ed25519)")
	}
	return keys, nil
}

func (w *written) verifies() bool {
	return (w.Use == "" || w.Use == "sig") && (len(w.KeyOps) == 0 || slices.Contains(w.KeyOps, "verify"))
}

func (w *written) public() (crypto.PublicKey, error) {
	switch w.Kty {
	case "RSA":
		return w.rsa()
	case "EC":
		return w.ecdsa()
	case "OKP":
		x, err := decode(w.X)
		if err != nil || w.Crv != "Ed25519" || len(x) != ed25519.PublicKeySize {
			return nil, errors.New("no key of Ed25519")
		}
		return ed25519.PublicKey(x), nil
	}
	return nil, errors.New("a kind that is not known")
}

func (w *written) rsa() (crypto.PublicKey, error) {
	n, err := decode(w.N)
	if err != nil {
		return nil, err
	}
	e, err := decode(w.E)
	if err != nil || len(e) > 4 {
		return nil, errors.New("e is no exponent")
	}
	k := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	return k, checkRSA(k)
}

func checkRSA(k *rsa.PublicKey) error {
	if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits || k.E < 3 || k.E%2 == 0 {
		return fmt.Errorf("an RSA key of %d bits: they are %d to %d", k.N.BitLen(), minRSABits, maxRSABits)
	}
	return nil
}

func (w *written) ecdsa() (crypto.PublicKey, error) {
	curve, ok := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[w.Crv]
	if !ok {
		return nil, errors.New("a curve that is not known")
	}
	x, err := decode(w.X)
	if err != nil {
		return nil, err
	}
	y, err := decode(w.Y)
	if err != nil {
		return nil, err
	}
	size := (curve.Params().BitSize + 7) / 8
	if len(x) != size || len(y) != size {
		return nil, errors.New("coordinates of the wrong length")
	}
	return ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y)) // it has to be on the curve
}

func decode(text string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) == 0 {
		return nil, errors.New("is not written in base64url")
	}
	return raw, nil
}

// ParsePEM reads public keys, or those of certificates, from PEM text.
func ParsePEM(text []byte) ([]Key, error) {
	var keys []Key
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		public, err := publicOf(block)
		if err != nil {
			return nil, err
		}
		if k, ok := public.(*rsa.PublicKey); ok {
			if err := checkRSA(k); err != nil {
				return nil, err
			}
		}
		keys = append(keys, Key{Public: public})
	}
	if len(keys) == 0 {
		return nil, errors.New("has no public key in PEM text")
	}
	return keys, nil
}

func publicOf(block *pem.Block) (crypto.PublicKey, error) {
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return cert.PublicKey, nil
	}
	return nil, fmt.Errorf("has a %q where a public key is expected", block.Type)
}

// same tells whether two lists have the same keys.
func same(a, b []Key) bool {
	return slices.EqualFunc(a, b, func(x, y Key) bool {
		p, err := x509.MarshalPKIXPublicKey(x.Public)
		q, err2 := x509.MarshalPKIXPublicKey(y.Public)
		return x.ID == y.ID && x.Alg == y.Alg && err == nil && err2 == nil && bytes.Equal(p, q)
	})
}
