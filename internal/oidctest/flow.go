package oidctest

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// What browsers and clients ask: the login, the tokens, the logout.

// ssoCookie keeps the login at the provider, so that it asks once for a password.
const ssoCookie = "provider_session"

// authorize is the authorization endpoint: by GET it shows the login page, which sends the
// password by POST to the same address.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	back, err := url.Parse(query.Get("redirect_uri"))
	switch {
	case query.Get("client_id") != p.ClientID:
		wrong(w, "no such client")
		return
	case err != nil || back.Host == "" || len(p.Redirects) > 0 && !slices.Contains(p.Redirects, back.String()):
		wrong(w, "not a redirect_uri of this client")
		return
	case query.Get("response_type") != "code" || query.Get("code_challenge_method") != "S256" || len(query.Get("code_challenge")) != 43:
		p.sendBack(w, r, back, url.Values{"error": {"invalid_request"}})
		return
	}
	p.last = query
	sid := ""
	if c, err := r.Cookie(ssoCookie); err == nil && p.sessions[c.Value] != "" && query.Get("prompt") != "login" {
		sid = c.Value
	}
	if r.Method == http.MethodPost {
		user := r.PostFormValue("username")
		if r.PostFormValue("deny") != "" {
			p.sendBack(w, r, back, url.Values{"error": {"access_denied"}, "error_description": {"<script>alert(1)</script>"}})
			return
		}
		if pass, ok := p.Passwords[user]; !ok || pass != r.PostFormValue("password") {
			page(w, http.StatusOK, loginPage, "Wrong name or password.")
			return
		}
		sid = random()
		p.sessions[sid] = user
		http.SetCookie(w, &http.Cookie{Name: ssoCookie, Value: sid, Path: "/", HttpOnly: true}) //nolint:gosec // by plain http in tests
	}
	if sid == "" {
		if query.Get("prompt") == "none" {
			p.sendBack(w, r, back, url.Values{"error": {"login_required"}})
			return
		}
		page(w, http.StatusOK, loginPage, "")
		return
	}
	g := &grant{sub: p.sessions[sid], sid: sid, nonce: query.Get("nonce"), challenge: query.Get("code_challenge"), redirect: back.String(), until: p.now().Add(time.Minute)}
	g.root = g
	code := random()
	p.codes[code] = g
	p.sendBack(w, r, back, url.Values{"code": {code}})
}

// sendBack sends the browser back with the answer.
func (p *Provider) sendBack(w http.ResponseWriter, r *http.Request, back *url.URL, with url.Values) {
	with.Set("state", r.URL.Query().Get("state"))
	if !p.SilentIssuer {
		with.Set("iss", p.URL)
		if p.Issuer != "" {
			with.Set("iss", p.Issuer)
		}
	}
	to := *back
	to.RawQuery = with.Encode()
	http.Redirect(w, r, to.String(), http.StatusSeeOther) //nolint:gosec // only tests ask
}

func refuse(w http.ResponseWriter, status int, code string) {
	answer(w, status, map[string]string{"error": code})
}

// knows checks who the client is.
func (p *Provider) knows(r *http.Request) bool {
	id, secret, basic := r.BasicAuth()
	if basic {
		id, _ = url.QueryUnescape(id)
		secret, _ = url.QueryUnescape(secret)
	} else {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	return id == p.ClientID && secret == p.ClientSecret && !(p.PostOnly && basic)
}

// token is the token endpoint.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || !p.knows(r) {
		refuse(w, http.StatusUnauthorized, "invalid_client")
		return
	}
	switch r.PostFormValue("grant_type") {
	case "authorization_code":
		g := p.codes[r.PostFormValue("code")]
		sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		switch {
		case g == nil || p.now().After(g.until):
		case g.used:
			g.revoked = true // somebody else has the code, too
		case g.redirect != r.PostFormValue("redirect_uri") || g.challenge != base64.RawURLEncoding.EncodeToString(sum[:]):
		default:
			g.used = true
			p.give(w, g, g.nonce)
			return
		}
	case "refresh_token":
		g := p.families[r.PostFormValue("refresh_token")]
		switch {
		case g == nil || g.root.revoked || p.sessions[g.sid] == "":
		case g.used:
			g.root.revoked = true
		default:
			g.used = true
			p.give(w, &grant{sub: g.sub, sid: g.sid, root: g.root}, "")
			return
		}
	default:
		refuse(w, http.StatusBadRequest, "unsupported_grant_type")
		return
	}
	refuse(w, http.StatusBadRequest, "invalid_grant")
}

// give answers with tokens.
func (p *Provider) give(w http.ResponseWriter, g *grant, nonce string) {
	access := "at-" + random()
	p.tokens[access] = g
	sum := sha256.Sum256([]byte(access))
	claims := jwt.MapClaims{
		"iss": p.URL, "aud": p.ClientID, "sub": g.sub, "sid": g.sid, "iat": p.now().Unix(), "exp": p.now().Add(p.Lasts + time.Second).Unix(), "auth_time": p.now().Unix(),
		"at_hash": base64.RawURLEncoding.EncodeToString(sum[:16]), "preferred_username": g.sub, "email": g.sub + "@example.com",
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	maps.Copy(claims, p.Claims)
	if p.Tamper != nil {
		p.Tamper(claims)
	}
	out := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": int(p.Lasts / time.Second), "id_token": p.sign(claims)}
	if !p.NoRefresh {
		refresh := "rt-" + random()
		p.families[refresh] = &grant{sub: g.sub, sid: g.sid, root: g.root}
		out["refresh_token"] = refresh
	}
	answer(w, http.StatusOK, out)
}

func (p *Provider) userInfo(w http.ResponseWriter, r *http.Request) {
	var token string
	_, _ = fmt.Sscanf(r.Header.Get("Authorization"), "Bearer %s", &token)
	g := p.tokens[token]
	if g == nil {
		refuse(w, http.StatusUnauthorized, "invalid_token")
		return
	}
	out := map[string]any{"sub": g.sub}
	maps.Copy(out, p.UserInfo)
	answer(w, http.StatusOK, out)
}

// endSession is where browsers are sent by RP-initiated logout.
func (p *Provider) endSession(w http.ResponseWriter, r *http.Request) {
	var claims jwt.MapClaims
	_, err := jwt.NewParser(jwt.WithoutClaimsValidation()).ParseWithClaims(r.FormValue("id_token_hint"), &claims, func(t *jwt.Token) (any, error) {
		if k := p.keys[fmt.Sprint(t.Header["kid"])]; k != nil {
			return &k.PublicKey, nil
		}
		return nil, fmt.Errorf("no key")
	})
	if err != nil || claims["aud"] != p.ClientID {
		wrong(w, "no good id_token_hint")
		return
	}
	delete(p.sessions, fmt.Sprint(claims["sid"]))
	if to := r.FormValue("post_logout_redirect_uri"); to != "" {
		http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // only tests ask
		return
	}
	page(w, http.StatusOK, "<h1>Logged out at the provider</h1>")
}

func (p *Provider) now() time.Time {
	if p.Now != nil {
		return p.Now()
	}
	return time.Now()
}
