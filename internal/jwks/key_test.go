package jwks

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
)

func b64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// keys of each kind, made once.
var (
	rsaKey = func() *rsa.PrivateKey { k, _ := rsa.GenerateKey(rand.Reader, 2048); return k }()
	ecKeys = func() map[string]*ecdsa.PrivateKey {
		all := map[string]*ecdsa.PrivateKey{}
		for alg, c := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()} {
			all[alg], _ = ecdsa.GenerateKey(c, rand.Reader)
		}
		return all
	}()
	edKey = func() ed25519.PrivateKey { _, k, _ := ed25519.GenerateKey(rand.Reader); return k }()
)

func ecJWK(k *ecdsa.PublicKey) map[string]any {
	raw, _ := k.Bytes()
	half := len(raw) / 2
	return map[string]any{"kty": "EC", "crv": k.Curve.Params().Name, "x": b64(raw[1 : half+1]), "y": b64(raw[half+1:])}
}

func rsaJWK(k *rsa.PublicKey) map[string]any {
	return map[string]any{"kty": "RSA", "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}
}

func with(jwk map[string]any, name string, value any) map[string]any {
	out := map[string]any{name: value}
	for k, v := range jwk {
		if k != name {
			out[k] = v
		}
	}
	return out
}

func set(keys ...map[string]any) []byte {
	text, _ := json.Marshal(map[string]any{"keys": keys})
	return text
}

var algs = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512", "none", ""}

func fitting(k *Key) string {
	var list []string
	for _, alg := range algs {
		if k.Fits(alg) {
			list = append(list, alg)
		}
	}
	return strings.Join(list, " ")
}

func TestParse_BindsKeysToTheirAlgorithms(t *testing.T) {
	ed := map[string]any{"kty": "OKP", "crv": "Ed25519", "x": b64(edKey.Public().(ed25519.PublicKey))}
	for _, tt := range []struct {
		jwk  map[string]any
		want string
	}{
		{rsaJWK(&rsaKey.PublicKey), "RS256 RS384 RS512 PS256 PS384 PS512"},
		{with(rsaJWK(&rsaKey.PublicKey), "alg", "PS256"), "PS256"},
		{with(rsaJWK(&rsaKey.PublicKey), "alg", "HS256"), ""},
		{ecJWK(&ecKeys["ES256"].PublicKey), "ES256"},
		{ecJWK(&ecKeys["ES384"].PublicKey), "ES384"},
		{ecJWK(&ecKeys["ES512"].PublicKey), "ES512"},
		{with(ecJWK(&ecKeys["ES256"].PublicKey), "alg", "ES384"), ""},
		{ed, "EdDSA"},
	} {
		keys, err := Parse(set(with(tt.jwk, "kid", "k1")))
		if err != nil || len(keys) != 1 || keys[0].ID != "k1" {
			t.Errorf("%v: got %v %v", tt.jwk, keys, err)
			continue
		}
		if got := fitting(&keys[0]); got != tt.want {
			t.Errorf("%v fits %q, want %q", tt.jwk, got, tt.want)
		}
	}
	single, _ := json.Marshal(ed)
	if keys, err := Parse(single); err != nil || len(keys) != 1 {
		t.Errorf("one key: got %v %v", keys, err)
	}
}

func TestParse_LeavesOutWhatIsOfNoUse(t *testing.T) {
	good := with(ecJWK(&ecKeys["ES256"].PublicKey), "kid", "good")
	small, _ := rsa.GenerateKey(rand.Reader, 1024)
	off := with(good, "y", b64(make([]byte, 32)))
	for name, bad := range map[string]map[string]any{
		"a shared secret": {"kty": "oct", "k": b64([]byte("secret"))}, "for encryption": with(good, "use", "enc"), "for signing": with(good, "key_ops", []string{"sign"}),
		"a small key": rsaJWK(&small.PublicKey), "beside the curve": off, "another curve": with(good, "crv", "secp256k1"), "short": with(good, "x", "AA"),
		"padded": with(good, "x", fmt.Sprint(good["x"])+"="), "an even exponent": with(rsaJWK(&rsaKey.PublicKey), "e", b64([]byte{2})), "a long exponent": with(rsaJWK(&rsaKey.PublicKey), "e", b64([]byte{1, 0, 0, 0, 1})),
		"of no kind": {"kid": "x"}, "of another type": {"kty": 1}, "X25519": {"kty": "OKP", "crv": "X25519", "x": b64(make([]byte, 32))},
	} {
		keys, err := Parse(set(bad, good))
		if err != nil || len(keys) != 1 || keys[0].ID != "good" {
			t.Errorf("%s: got %v %v", name, keys, err)
		}
		if keys, err := Parse(set(bad)); err == nil {
			t.Errorf("%s alone: got %v", name, keys)
		}
	}
	many := make([]map[string]any, mostKeys+1)
	for i := range many {
		many[i] = good
	}
	if _, err := Parse(set(many...)); err == nil || !strings.Contains(err.Error(), "65 keys") {
		t.Errorf("many: got %v", err)
	}
}

func TestParsePEM(t *testing.T) {
	der, _ := x509.MarshalPKIXPublicKey(edKey.Public())
	pkcs1 := x509.MarshalPKCS1PublicKey(&rsaKey.PublicKey)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})) + string(pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs1}))
	keys, err := ParsePEM([]byte(text))
	if err != nil || len(keys) != 2 || !keys[0].Fits("EdDSA") || !keys[1].Fits("RS256") {
		t.Errorf("got %v %v", keys, err)
	}
	private, _ := x509.MarshalPKCS8PrivateKey(edKey)
	small, _ := rsa.GenerateKey(rand.Reader, 1024)
	for want, text := range map[string][]byte{
		"has no public key":   []byte("hello"),
		`has a "PRIVATE KEY"`: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		"1024 bits":           pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&small.PublicKey)}),
	} {
		if keys, err := ParsePEM(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v %v, want %q", keys, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(set(ecJWK(&ecKeys["ES256"].PublicKey), rsaJWK(&rsaKey.PublicKey)))
	f.Add([]byte(`{"kty":"OKP","crv":"Ed25519","x":"AA"}`))
	f.Add([]byte(`{"keys":[1,{}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := Parse(text)
		if err == nil && len(keys) == 0 {
			t.Error("no keys, and no error")
		}
		for _, k := range keys {
			if k.Public == crypto.PublicKey(nil) || k.Fits("HS256") || k.Fits("none") {
				t.Errorf("got %v", k)
			}
		}
	})
}
