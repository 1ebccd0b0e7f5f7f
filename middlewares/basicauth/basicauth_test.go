package basicauth

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairway/internal/record"
	"fairway/internal/secret"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

const ann = "ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="

func TestBasicAuth_NotesWhoCameIn(t *testing.T) {
	tests := map[string]struct{ password, user, cause string }{
		"right password": {"secret", "ann", ""},
		"wrong password": {"guess", "", "basicAuth: wrong user or password"},
	}
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	h, err := (&Config{Users: []secret.String{ann}}).New(t.Context(), middlewarestest.Env("test"), next)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rec := &record.Record{}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.SetBasicAuth("ann", tt.password)
			h.ServeHTTP(httptest.NewRecorder(), r.WithContext(record.With(r.Context(), rec)))
			if rec.User != tt.user || rec.Cause != tt.cause {
				t.Errorf("got user %q, cause %q, want %q, %q", rec.User, rec.Cause, tt.user, tt.cause)
			}
		})
	}
}

func TestBasicAuth_AClientThatHasGoneIsNotWrong(t *testing.T) {
	c := &Config{Users: []secret.String{"ann:$2a$04$lEpHfgfYs3FqA5hSWjWb.exznueUzqSFQ50I1.5qUjPqKKjZ.x/EG"}} // "secret"
	h, err := c.New(t.Context(), middlewarestest.Env("test"), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	over, end := context.WithTimeout(t.Context(), 0)
	defer end()
	for name, tt := range map[string]struct {
		ctx       context.Context
		status    int
		challenge bool
		cause     string
	}{
		"there":         {t.Context(), 200, false, ""},
		"gone":          {gone, 499, false, "basicAuth: the client has gone before its password was checked"},
		"the time over": {over, 401, true, "basicAuth: the time was over before the password was checked"},
	} {
		rec := &record.Record{}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.SetBasicAuth("ann", "secret")
		if name != "there" {
			r.SetBasicAuth("ann", "guess") // a right password may be known already
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(record.With(tt.ctx, rec)))
		if w.Code != tt.status || (w.Header().Get("WWW-Authenticate") != "") != tt.challenge || rec.Cause != tt.cause {
			t.Errorf("%s: got %d, %v, cause %q", name, w.Code, w.Header(), rec.Cause)
		}
	}
}

func TestBasicAuth_ReadsItsFileAgain(t *testing.T) {
	name := filepath.Join(t.TempDir(), "users")
	write := func(text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		write(ann)
		next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		h, err := (&Config{UsersFile: name}).New(t.Context(), middlewarestest.Env("test"), next)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			content string
			status  int
		}{{ann, 200}, {"ann:plain password", 200}, {"", 200}, {"bob" + ann[3:], 401}, {"# ann is back\n" + ann, 200}} {
			write(step.content)
			time.Sleep(time.Second) // on the clock of the bubble
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.SetBasicAuth("ann", "secret")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != step.status {
				t.Errorf("with %q: got %d, want %d", step.content, w.Code, step.status)
			}
		}
	})
}

func TestBasicAuth_ShowsNoHash(t *testing.T) {
	shown, err := json.Marshal(&Config{Users: []secret.String{ann}})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(shown), "SHA") {
		t.Errorf("got %s", shown)
	}
}

func TestBasicAuth_NobodyElseSaysWhoItIs(t *testing.T) {
	var got http.Header
	next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
	c := &Config{Users: []secret.String{"me:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M="}, HeaderField: "X-WebAuth-User"} // "test"
	h, err := c.New(t.Context(), middlewarestest.Env("login@test"), next)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.SetBasicAuth("me", "test")
	r.Header["X_WebAuth_User"], r.Header["X-Webauth_user"], r.Header["X-Webauth-User"] = []string{"root"}, []string{"root"}, []string{"root"}
	h.ServeHTTP(httptest.NewRecorder(), r)
	if len(got) != 2 || got.Get("X-WebAuth-User") != "me" {
		t.Errorf("the service received %v", got)
	}
}
