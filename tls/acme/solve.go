package acme

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/crypto/acme"
)

// tokens are the answers that authorities may come for at the moment. They are in the
// storage too, so that an authority gets its answer from whichever instance it reaches.
type tokens struct {
	store   *storage
	mu      sync.RWMutex
	answers map[string]answer // by httpToken or tlsToken
}

type answer struct {
	text string           // HTTP-01
	cert *tls.Certificate // TLS-ALPN-01
}

const challengePath = "/.well-known/acme-challenge/"

func httpToken(token string) string { return safe("http-" + token) }
func tlsToken(name string) string   { return safe("tls-" + name) }

// putText and putCert make an answer known here and, as well as it can be done, elsewhere.
func (t *tokens) putText(token, text string) error {
	return t.put(httpToken(token), answer{text: text}, []byte(text))
}

func (t *tokens) putCert(name string, cert *tls.Certificate) error {
	text, err := encodePair(cert)
	if err != nil {
		return err
	}
	return t.put(tlsToken(name), answer{cert: cert}, text)
}

func (t *tokens) put(key string, a answer, data []byte) error {
	t.mu.Lock()
	t.answers[key] = a
	t.mu.Unlock()
	return t.store.store(challengeFiles, key, data)
}

func (t *tokens) drop(key string) error {
	t.mu.Lock()
	delete(t.answers, key)
	t.mu.Unlock()
	return t.store.remove(challengeFiles, key)
}

func (t *tokens) own(key string) (answer, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	a, ok := t.answers[key]
	return a, ok
}

// ServeChallenge answers HTTP-01 (RFC 8555, section 8.3) if the token is this resolver's,
// or that of another instance with the same storage. Otherwise it writes nothing.
func (r *Resolver) ServeChallenge(w http.ResponseWriter, req *http.Request) bool {
	token, ok := strings.CutPrefix(req.URL.Path, challengePath)
	if !ok || !isToken(token) || req.Method != http.MethodGet && req.Method != http.MethodHead {
		return false
	}
	a, ok := r.tokens.own(httpToken(token))
	text := []byte(a.text)
	if !ok {
		var err error
		if text, err = r.store.load(challengeFiles, httpToken(token)); err != nil {
			return false
		}
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(text) //nolint:gosec // the text is that of an order of ours
	return true
}

// isToken tells whether a text is in the alphabet of tokens (RFC 8555, section 8.3).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 100
}

// Challenge answers TLS-ALPN-01 (RFC 8737, section 3); nil if the handshake is no such
// challenge, or not for a name of this resolver.
func (r *Resolver) Challenge(hello *tls.ClientHelloInfo) *tls.Certificate {
	if len(hello.SupportedProtos) != 1 || hello.SupportedProtos[0] != acme.ALPNProto {
		return nil
	}
	name, err := normal(hello.ServerName)
	if err != nil {
		return nil
	}
	if a, ok := r.tokens.own(tlsToken(name)); ok {
		return a.cert
	}
	data, err := r.store.load(challengeFiles, tlsToken(name))
	if err != nil {
		return nil
	}
	cert, err := pair(data, data)
	if err != nil {
		return nil
	}
	return cert
}

// httpSolver and tlsSolver put answers where authorities find them.
type httpSolver struct{ tokens *tokens }

func (s *httpSolver) Present(_, token, keyAuth string) error { return s.tokens.putText(token, keyAuth) }

func (s *httpSolver) CleanUp(_, token, _ string) error { return s.tokens.drop(httpToken(token)) }

type tlsSolver struct {
	tokens  *tokens
	account crypto.Signer
}

func (s *tlsSolver) Present(domain, token, _ string) error {
	client := acme.Client{Key: s.account}
	cert, err := client.TLSALPN01ChallengeCert(token, domain)
	if err != nil {
		return err
	}
	return s.tokens.putCert(domain, &cert)
}

func (s *tlsSolver) CleanUp(domain, _, _ string) error { return s.tokens.drop(tlsToken(domain)) }

// encodePair is a certificate and its key as PEM text, the key first.
func encodePair(cert *tls.Certificate) ([]byte, error) {
	key, err := encodeKey(cert.PrivateKey)
	if err != nil {
		return nil, err
	}
	return append(key, encodeChain(cert)...), nil
}

func encodeKey(key crypto.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func encodeChain(cert *tls.Certificate) []byte {
	var text bytes.Buffer
	for _, der := range cert.Certificate {
		_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: der}) // a Buffer takes all
	}
	return text.Bytes()
}
