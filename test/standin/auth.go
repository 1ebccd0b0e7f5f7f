package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// auth is as much of Authelia as a gateway sees: the question whether a request may
// pass, by its access_control, and the portal where somebody logs in.
type auth struct {
	AccessControl struct {
		DefaultPolicy string `yaml:"default_policy"`
		Rules         []rule
	} `yaml:"access_control"`
	Session struct {
		Cookies []struct {
			Domain string
			Portal string `yaml:"authelia_url"`
		}
	}
}

type rule struct {
	Domain    string
	Resources []string
	Policy    string
}

func readAuth(file string) (*auth, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	a := &auth{}
	if err := yaml.Unmarshal(text, a); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(a.Session.Cookies) == 0 {
		return nil, fmt.Errorf("%s: it has no session.cookies", file)
	}
	return a, nil
}

func (a *auth) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/api/authz/forward-auth", a.judge)
	mux.HandleFunc("POST /api/firstfactor", a.login)
	mux.Handle("/", app("9091"))
	return mux
}

// judge answers as the documentation of the forward-auth endpoint says.
func (a *auth) judge(w http.ResponseWriter, r *http.Request) {
	proto, host, uri := r.Header.Get("X-Forwarded-Proto"), r.Header.Get("X-Forwarded-Host"), r.Header.Get("X-Forwarded-Uri")
	method := r.Header.Get("X-Forwarded-Method")
	if host == "" || proto != "https" || method == "" {
		http.Error(w, "the gateway does not tell of the request", http.StatusBadRequest)
		return
	}
	if a.policy(host, uri) == "bypass" {
		return
	}
	if cookie, err := r.Cookie("authelia_session"); err == nil && cookie.Value != "" {
		w.Header().Set("Remote-User", cookie.Value)
		w.Header().Set("Remote-Groups", "family,admins")
		w.Header().Set("Remote-Name", strings.ToUpper(cookie.Value))
		w.Header().Set("Remote-Email", cookie.Value+"@example.com")
		return
	}
	status := http.StatusFound
	if method != http.MethodGet && method != http.MethodHead {
		status = http.StatusSeeOther
	}
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		status = http.StatusUnauthorized
	}
	query := url.Values{"rd": {proto + "://" + host + uri}, "rm": {method}}
	w.Header().Set("Location", a.Session.Cookies[0].Portal+"/?"+query.Encode())
	w.WriteHeader(status)
}

// policy is that of the first rule for a host and a path.
func (a *auth) policy(host, uri string) string {
	for _, rule := range a.AccessControl.Rules {
		wild, isWild := strings.CutPrefix(rule.Domain, "*")
		if rule.Domain != host && !(isWild && strings.HasSuffix(host, wild)) {
			continue
		}
		hit := func(pattern string) bool { return regexp.MustCompile(pattern).MatchString(uri) }
		if len(rule.Resources) == 0 || slices.ContainsFunc(rule.Resources, hit) {
			return rule.Policy
		}
	}
	return a.AccessControl.DefaultPolicy
}

// login believes everybody who knows the password.
func (a *auth) login(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("password") != "secret" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: "authelia_session", Value: r.FormValue("username"), Domain: a.Session.Cookies[0].Domain,
		Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
