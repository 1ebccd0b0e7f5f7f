package redirectregex

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

func TestRedirectRegex_SeesTheWholeAddress(t *testing.T) {
	c := &Config{Regex: `^https://(?P<host>[^/:]+):8443/(.*)$`, Replacement: "https://${host}/moved/$2", Permanent: true}
	h, err := c.New(t.Context(), middlewarestest.Env("test"), nil)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPut, "https://a.test:8443/x%2Fy?z=1", nil))
	if got, want := w.Header().Get("Location"), "https://a.test/moved/x%2Fy?z=1"; got != want || w.Code != http.StatusPermanentRedirect {
		t.Errorf("got %d to %q, want 308 to %q", w.Code, got, want)
	}
}
