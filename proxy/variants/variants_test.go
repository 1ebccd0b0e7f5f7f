package variants

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fairway/internal/identity"
	"fairway/internal/record"
	"fairway/proxy"
	"fairway/proxy/proxytest"
)

func TestVariants_GoByWhoAsks(t *testing.T) {
	children := []*proxytest.Child{{Name: "phones"}, {Name: "gold"}, {Name: "web"}}
	c := &Config{By: []string{"{path.0}", "{claims.plan}", "{client}"}, Services: map[string]string{"mobile": "phones", "gold": "gold", "old": "gone"}, Default: "web"}
	var warnings []string
	s, err := c.New(t.Context(), proxy.Env{Service: proxytest.Among(children...), Warn: func(reason error) { warnings = append(warnings, reason.Error()) }})
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 1 || !strings.HasPrefix(warnings[0], "it goes on without its variant old: ") {
		t.Errorf("got %q", warnings)
	}
	for _, tt := range []struct{ path, agent, plan, want string }{
		{"/", "", "", "web"},
		{"/mobile/x", "", "", "phones"},
		{"/", "Mozilla/5.0 (iPhone) Mobile", "", "phones"},
		{"/mobile", "", "gold", "phones"},
		{"/x", "Mozilla/5.0 (iPhone) Mobile", "gold", "gold"},
		{"/old", "", "", "web"},
	} {
		r := httptest.NewRequest(http.MethodGet, tt.path, nil)
		r.Header.Set("User-Agent", tt.agent)
		r = r.WithContext(record.With(r.Context(), &record.Record{Identity: &identity.Identity{Claims: map[string]any{"plan": tt.plan}}}))
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Body.String() != tt.want || strings.Join(w.Header()["Vary"], ", ") != "Authorization, Cookie, User-Agent, Sec-Ch-Ua-Mobile" {
			t.Errorf("%v: got %s, %v", tt, w.Body, w.Header())
		}
	}
	for i, want := range []bool{true, true, false} {
		children[2-i].Down.Store(true)
		if got := s.(proxy.Child).Up(); got != want {
			t.Errorf("%d are down: up is %v", i+1, got)
		}
	}
}

func TestVariants_MistakesAreTold(t *testing.T) {
	env := proxy.Env{Service: proxytest.Among(&proxytest.Child{Name: "web"})}
	for want, c := range map[string]*Config{
		"by: there is nothing":      {Services: map[string]string{"a": "web"}, Default: "web"},
		"services: there are none":  {By: []string{"{client}"}, Default: "web"},
		"default: it has no":        {By: []string{"{client}"}, Services: map[string]string{"a": "web"}},
		"by: at offset 0: {user.x}": {By: []string{"{user.x}"}, Services: map[string]string{"a": "web"}, Default: "web"},
		"default: ":                 {By: []string{"{client}"}, Services: map[string]string{"a": "web"}, Default: "none"},
	} {
		if _, err := c.New(t.Context(), env); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
