package middlewarestest

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// Digest authentication (RFC 7616) signs what the gateway has made up. In an example
// this is written as the words NONCE and OPAQUE, and the signature by a password as
// response="SIGNED password".

var (
	nonceField  = regexp.MustCompile(`\bnonce="([^"]*)"`)
	opaqueField = regexp.MustCompile(`\bopaque="([^"]*)"`)
	signedField = regexp.MustCompile(`\bresponse="SIGNED ([^"]*)"`)
	signature   = regexp.MustCompile(`\bresponse="[0-9a-f]{32,64}"`)
	field       = regexp.MustCompile(`\b(username|realm|uri|cnonce|nc|qop|algorithm)="?([^",\s]*)`)
)

// signed puts in a request what its example has words for.
func signed(t testing.TB, handler http.Handler, request string) string {
	t.Helper()
	if !signedField.MatchString(request) {
		return request
	}
	_, r := parseRequest(t, request)
	line := r.Header.Get("Authorization")
	r.Header.Del("Authorization")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	challenge := w.Header().Get("Www-Authenticate")
	nonce, opaque := nonceField.FindStringSubmatch(challenge), opaqueField.FindStringSubmatch(challenge)
	if nonce == nil || opaque == nil {
		t.Fatalf("no challenge: %d %q", w.Code, challenge)
	}
	request = strings.Replace(request, `nonce="NONCE"`, nonce[0], 1)
	request = strings.Replace(request, `opaque="OPAQUE"`, opaque[0], 1)
	password := signedField.FindStringSubmatch(line)
	of := map[string]string{"nonce": nonceField.FindStringSubmatch(request)[1]}
	for _, found := range field.FindAllStringSubmatch(line, -1) {
		of[found[1]] = found[2]
	}
	return strings.Replace(request, password[0], `response="`+sign(of, r.Method, password[1])+`"`, 1)
}

func sign(of map[string]string, method, password string) string {
	hash := func(parts ...string) string {
		text := []byte(strings.Join(parts, ":"))
		if of["algorithm"] == "SHA-256" {
			sum := sha256.Sum256(text)
			return hex.EncodeToString(sum[:])
		}
		sum := md5.Sum(text)
		return hex.EncodeToString(sum[:])
	}
	user := hash(of["username"], of["realm"], password)
	return hash(user, of["nonce"], of["nc"], of["cnonce"], of["qop"], hash(method, of["uri"]))
}

// unsigned puts words in the place of what the gateway has made up.
func unsigned(text string) string {
	text = nonceField.ReplaceAllString(text, `nonce="NONCE"`)
	text = signature.ReplaceAllString(text, `response="SIGNED"`)
	return opaqueField.ReplaceAllString(text, `opaque="OPAQUE"`)
}
