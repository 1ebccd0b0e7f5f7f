package oidc

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

// attempt is a login under way. Its browser keeps it in a cookie of its own, so that several
// tabs can log in at once, and nobody can end in another browser what began in this one.
type attempt struct {
	state    string // the parameter
	nonce    string // that the ID token has to name
	verifier string // of PKCE (RFC 7636)
	redirect string // where the provider sends the browser back to
	back     string // where the browser wanted to go: a path with its query, of the same host
	began    time.Time
}

const (
	attemptTime  = 10 * time.Minute
	mostAttempts = 5    // at once; the oldest gives way
	longestBack  = 2048 // of a path and its query; longer ones lead to /
	stateInName  = 12   // characters of the state that are in the name of the cookie
)

func newAttempt(redirect, back string, now time.Time) *attempt {
	return &attempt{state: randomText(24), nonce: randomText(16), verifier: randomText(32), redirect: redirect, back: back, began: now}
}

// challenge is what the provider is told of the verifier (RFC 7636, section 4.2).
func (a *attempt) challenge() string {
	sum := sha256.Sum256([]byte(a.verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

const attemptFormat = 1

func (a *attempt) write() []byte {
	out := binary.AppendUvarint([]byte{attemptFormat}, milliseconds(a.began))
	for _, text := range []string{a.state, a.nonce, a.verifier, a.redirect, a.back} {
		out = appendText(out, text)
	}
	return out
}

func readAttempt(raw []byte) (*attempt, error) {
	r, a := &reader{rest: raw}, &attempt{}
	if r.byte() != attemptFormat {
		return nil, errors.New("it is no login of this kind")
	}
	a.began = time.UnixMilli(int64(r.number()))
	for _, text := range []*string{&a.state, &a.nonce, &a.verifier, &a.redirect, &a.back} {
		*text = r.text()
	}
	if r.bad || len(r.rest) > 0 {
		return nil, errors.New("it is cut off, or goes on behind its end")
	}
	return a, nil
}

// sealed for one purpose is not taken for the other.
const (
	forSession = "session"
	forAttempt = "login"
)

// keepAttempt gives the cookie to the browser. Of those that it has, the oldest go.
func (h *handler) keepAttempt(w http.ResponseWriter, r *http.Request, a *attempt) {
	prefix := h.jar.attempt(r)
	type other struct {
		name  string
		began time.Time
	}
	var others []other
	for _, name := range cookieNames(r, func(n string) bool { return strings.HasPrefix(n, prefix) }) {
		o := other{name: name}
		if value, ok := cookieValue(r.Header["Cookie"], name); ok {
			if known, err := h.openAttempt(value); err == nil {
				o.began = known.began
			}
		}
		others = append(others, o)
	}
	slices.SortFunc(others, func(a, b other) int { return b.began.Compare(a.began) })
	for i, o := range others {
		if i >= mostAttempts-1 || h.now().Sub(o.began) > attemptTime {
			h.jar.set(w, r, o.name, "", "", -1)
		}
	}
	h.jar.set(w, r, prefix+a.state[:stateInName], h.sealer.seal(forAttempt, a.write()), "", attemptTime)
}

func (h *handler) openAttempt(text string) (*attempt, error) {
	raw, err := h.sealer.open(forAttempt, text)
	if err != nil {
		return nil, err
	}
	return readAttempt(raw)
}

// takeAttempt finds the login that a state belongs to, in this browser, and has the browser
// forget it: it is of use once.
func (h *handler) takeAttempt(w http.ResponseWriter, r *http.Request, state string) (*attempt, error) {
	if len(state) != 32 {
		return nil, errors.New("the state is none of this gateway's")
	}
	name := h.jar.attempt(r) + state[:stateInName]
	value, ok := cookieValue(r.Header["Cookie"], name)
	if !ok {
		return nil, errors.New("the browser has no login under way with this state")
	}
	h.jar.set(w, r, name, "", "", -1)
	a, err := h.openAttempt(value)
	switch {
	case err != nil:
		return nil, err
	case subtle.ConstantTimeCompare([]byte(a.state), []byte(state)) != 1:
		return nil, errors.New("the state is that of another login")
	case h.now().Sub(a.began) > attemptTime:
		return nil, errors.New("the login has taken too long")
	case a.redirect != h.jar.origin(r)+h.paths.callback:
		return nil, errors.New("the login began at another host")
	}
	return a, nil
}

// local tells whether a target is a path with its query, which no browser takes for another
// host: those drop tabs and line breaks, and take \ for /.
func local(target string) bool {
	if target == "" || target[0] != '/' || len(target) > longestBack {
		return false
	}
	if len(target) > 1 && (target[1] == '/' || target[1] == '\\') {
		return false
	}
	for i := range len(target) {
		if c := target[i]; c <= ' ' || c == 0x7f || c == '\\' {
			return false
		}
	}
	return true
}

// back is where a browser goes after the login: to what it asked for.
func (h *handler) back(r *http.Request) string {
	target := r.URL.RequestURI()
	if !local(target) || h.paths.own(r.URL.Path) {
		return "/"
	}
	return target
}
