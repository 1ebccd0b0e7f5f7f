package responsehead

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestWriter_EditsOnceWhateverBeginsTheResponse(t *testing.T) {
	tests := map[string]func(w *Writer){
		"status":  func(w *Writer) { w.WriteHeader(http.StatusTeapot) },
		"body":    func(w *Writer) { _, _ = w.Write([]byte("x")) },
		"copying": func(w *Writer) { _, _ = w.ReadFrom(strings.NewReader("x")) },
		"flush":   func(w *Writer) { w.Flush() },
		"nothing": func(*Writer) {},
	}
	for name, begin := range tests {
		t.Run(name, func(t *testing.T) {
			rec := httptest.NewRecorder()
			w := New(rec, Edit(func(h Head) { h.Add("X-Edited", "once") }))
			begin(w)
			_, _ = w.Write([]byte("more"))
			w.Finish()
			if got := rec.Result().Header["X-Edited"]; len(got) != 1 {
				t.Errorf("got X-Edited %v", got)
			}
		})
	}
}

func TestWriter_LeavesInformationalResponses(t *testing.T) {
	edited := 0
	w := New(httptest.NewRecorder(), Edit(func(Head) { edited++ }))
	w.WriteHeader(http.StatusEarlyHints)
	if edited != 0 {
		t.Error("103 was edited")
	}
	w.WriteHeader(http.StatusOK)
	if edited != 1 {
		t.Errorf("edited %d times, want 1", edited)
	}
}
