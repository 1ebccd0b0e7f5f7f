package router

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"

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
