package router

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fairway/internal/certtest"
	"fairway/internal/consumers"
	"fairway/middlewares"
)

// asksFor tells who a user is, as a middleware would.
type asksFor struct{}

func (asksFor) New(_ context.Context, env middlewares.Env, _ http.Handler) (http.Handler, error) {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := env.Consumers.Now().ByUser(r.URL.Query().Get("user")); c != nil {
			_, _ = io.WriteString(w, c.Name)
		}
	}), nil
}

func TestConsumers_AreThoseInForce(t *testing.T) {
	env := newEnv()
	env.Consumers = &consumers.Live{}
	r := New(env)
	h, err := asksFor{}.New(context.Background(), middlewares.Env{Consumers: env.Consumers}, nil)
	if err != nil {
		t.Fatal(err)
	}
	who := func(user string) string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://a.test/?user="+user, nil))
		return w.Body.String()
	}
	first := parse(t, "file", "http: {consumers: {ann: {users: [ann]}, bob: {users: [bob]}, half: {users: [half], nothing: 1}, twice: {users: [bob]}}}")
	r.Apply(first)
	before := r.Table().consumers
	for user, want := range map[string]string{"ann": "ann@file", "bob": "bob@file", "half": "", "nobody": ""} {
		if got := who(user); got != want {
			t.Errorf("%s is %q, want %q", user, got, want)
		}
	}
	told := map[string]string{}
	for _, p := range r.Table().Problems() {
		told[p.Kind+" "+p.Name] = p.Reason
	}
	want := map[string]string{"consumer half@file": "there is no option \"nothing\" here", "consumer twice@file": "users[0]: \"bob\" is bob@file already"}
	if !maps.Equal(told, want) {
		t.Errorf("problems: %v", told)
	}
	r.Apply(parse(t, "file", "http: {consumers: {ann: {users: [ann]}, bob: {users: [bert]}}}"))
	if who("bob") != "" || who("bert") != "bob@file" || who("ann") != "ann@file" {
		t.Error("the consumers are not those in force")
	}
	after := r.Table().consumers
	r.Apply(parse(t, "file", "http: {consumers: {ann: {users: [ann]}, bob: {users: [bert]}}}"))
	if before == after || r.Table().consumers != after {
		t.Error("a registry is made anew, or not, without need")
	}
}

func TestConsumers_WhatMayLetInOthersIsTold(t *testing.T) {
	env := newEnv()
	env.Consumers = &consumers.Live{}
	r := New(env)
	a, b := certtest.NewAuthority(t, "a"), certtest.NewAuthority(t, "b")
	files := certtest.File(t, "a.pem", a.PEM()) + "," + certtest.File(t, "b.pem", b.PEM())
	first, second, _ := strings.Cut(files, ",")
	text := `http:
  consumers:
    ann: {claims: ["iss=https://id.example", "sub=17"], certificates: ["CN=ann"]}
    bob: {claims: ["sub=18"]}
  middlewares:
    right: {acl: {allowConsumers: [ann, bob@file]}}
    wrong: {acl: {denyConsumers: [ann@docker]}}
    keys: {hmac: {keys: [{id: k, secret: 0123456789abcdef0123456789abcdef, consumer: amy}]}}
    all: {mtls: {caFiles: ["` + first + `"]}}
    some: {mtls: {caFiles: ["` + second + `"], consumers: [bob]}}
`
	told := func() map[string]string {
		all := map[string]string{}
		for _, p := range r.Table().Problems() {
			reason, _, _ := strings.Cut(p.Reason, ":")
			reason, _, _ = strings.Cut(reason, ";")
			all[p.Kind+" "+p.Name] = string(p.Severity) + " " + reason
		}
		return all
	}
	want := map[string]string{
		"consumer bob@file":     "warning claims",
		"middleware wrong@file": `warning there is no consumer "ann@docker"`,
		"middleware keys@file":  `warning there is no consumer "amy@file"`,
		"middleware all@file":   "warning mtls",
	}
	for range 2 { // also when nothing has changed
		r.Apply(parse(t, "file", text))
		if diff := cmp.Diff(want, told()); diff != "" {
			t.Error(diff)
		}
	}
	delete(want, "middleware all@file")
	r.Apply(parse(t, "file", strings.Replace(text, "CN=ann", "sha256:"+strings.Repeat("00", 32), 1)))
	if diff := cmp.Diff(want, told()); diff != "" {
		t.Errorf("consumers known by the certificate alone: %s", diff)
	}
}
