package grpcweb

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"fairway/middlewares/middlewarestest"
)

func TestPreflight(t *testing.T) {
	tests := map[string]struct {
		allow               []string
		origin, method, ask string
		passes              bool // to the service
		allowed             string
		credentials         string
	}{
		"listed":         {[]string{"https://app.test/"}, "https://app.test", "POST", "X-Grpc-Web, x-user", false, "https://app.test", "true"},
		"any":            {[]string{"*"}, "https://app.test", "POST", "x-grpc-web", false, "*", ""},
		"listed and any": {[]string{"*", "https://app.test"}, "https://APP.test", "POST", "x-grpc-web", false, "https://APP.test", "true"},
		"another":        {[]string{"https://app.test"}, "https://app.test.evil", "POST", "x-grpc-web", false, "", ""},
		"nobody":         {nil, "https://app.test", "POST", "x-grpc-web", false, "", ""},
		"not of gRPC":    {[]string{"*"}, "https://app.test", "POST", "x-other", true, "", ""},
		"another method": {[]string{"*"}, "https://app.test", "PUT", "x-grpc-web", true, "", ""},
		"no script":      {[]string{"*"}, "", "POST", "x-grpc-web", true, "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			passed := false
			next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { passed = true })
			h, err := (&Config{AllowOrigins: tt.allow}).New(t.Context(), middlewarestest.Env("test"), next)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodOptions, "/", nil)
			r.Header.Set("Origin", tt.origin)
			r.Header.Set("Access-Control-Request-Method", tt.method)
			r.Header.Set("Access-Control-Request-Headers", tt.ask)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			head := w.Header()
			if passed != tt.passes || !passed && w.Code != http.StatusNoContent {
				t.Errorf("passed: %v, got %d", passed, w.Code)
			}
			if head.Get("Access-Control-Allow-Origin") != tt.allowed || head.Get("Access-Control-Allow-Credentials") != tt.credentials {
				t.Errorf("got %v", head)
			}
		})
	}
}
