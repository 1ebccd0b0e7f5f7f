package answer

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"fairway/internal/record"
)

func refuse(method, kind string, status int, body string) (*httptest.ResponseRecorder, *record.Record) {
	rec := &record.Record{}
	r := httptest.NewRequest(method, "/", nil)
	r = r.WithContext(record.With(r.Context(), rec))
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	w := httptest.NewRecorder()
	Text(w, r, status, "the cause", body)
	return w, rec
}

func TestText_AnswersWithTheBodyAndNotesTheCause(t *testing.T) {
	w, rec := refuse("GET", "", 503, "no available server")
	if w.Code != 503 || w.Body.String() != "no available server" || w.Header().Get("Grpc-Status") != "" || rec.Cause != "the cause" {
		t.Errorf("got %d %q %v, cause %q", w.Code, w.Body, w.Header(), rec.Cause)
	}
	if w, _ := refuse("HEAD", "", 503, "no available server"); w.Body.Len() != 0 {
		t.Errorf("HEAD: got %q", w.Body)
	}
	w = httptest.NewRecorder()
	Refuse(w, httptest.NewRequest("GET", "/", nil), StatusClientClosedRequest, "")
	if w.Code != 499 || w.Body.String() != "Client Closed Request" {
		t.Errorf("got %d %q", w.Code, w.Body)
	}
}

func TestText_AnswersCallsByGRPC(t *testing.T) {
	for status, code := range map[int]string{
		400: "13", 401: "16", 403: "7", 404: "12", 429: "14", 502: "14", 503: "14", 504: "14",
		405: "2", 413: "2", 499: "2", 500: "2", 508: "2",
	} {
		w, rec := refuse("POST", "application/grpc", status, "text")
		h := w.Header()
		if w.Code != 200 || w.Body.Len() != 0 || h.Get("Content-Type") != "application/grpc" || h.Get("Grpc-Status") != code || h.Get("Grpc-Message") != "text" {
			t.Errorf("%d: got %d %q %v, want code %s", status, w.Code, w.Body, h, code)
		}
		if rec.Status != status || rec.Cause != "the cause" {
			t.Errorf("%d: the record has %d, %q", status, rec.Status, rec.Cause)
		}
	}
}

func TestText_KnowsCallsByTheirContentType(t *testing.T) {
	for kind, want := range map[string]string{
		"application/grpc":                  "application/grpc",
		"application/grpc+proto":            "application/grpc",
		"Application/gRPC; charset=utf-8":   "application/grpc",
		"application/grpc-web+proto":        "application/grpc-web+proto",
		"application/grpc-web-text":         "application/grpc-web-text+proto",
		"application/grpcx":                 "text/plain; charset=utf-8",
		"application/json":                  "text/plain; charset=utf-8",
		"text/plain; also=application/grpc": "text/plain; charset=utf-8",
	} {
		if w, _ := refuse("POST", kind, 404, "x"); w.Header().Get("Content-Type") != want {
			t.Errorf("%s: got %q, want %q", kind, w.Header().Get("Content-Type"), want)
		}
	}
}

func TestText_EncodesMessages(t *testing.T) {
	for message, want := range map[string]string{
		"404 page not found\n": "404 page not found",
		"100% sure":            "100%25 sure",
		"ä\r\nx":               "%C3%A4%0D%0Ax",
		"~ !":                  "~ !",
	} {
		w, _ := refuse("POST", "application/grpc", http.StatusNotFound, message)
		if got := w.Header().Get("Grpc-Message"); got != want {
			t.Errorf("%q: got %q, want %q", message, got, want)
		}
	}
}
