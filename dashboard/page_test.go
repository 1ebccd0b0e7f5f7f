package dashboard

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestPage_IsCompressedAndKept(t *testing.T) {
	h := newAPI(t, sample)
	fetch := func(headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "/dashboard/style.css", nil)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	plain, small := fetch(), fetch("Accept-Encoding", "br, gzip;q=0.5")
	unzipped, err := gzip.NewReader(small.Body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unzipped)
	if err != nil || !bytes.Equal(text, plain.Body.Bytes()) || small.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("got %d bytes, %v, %v", len(text), err, small.Header())
	}
	if w := fetch("Accept-Encoding", "gzip;q=0"); w.Header().Get("Content-Encoding") != "" {
		t.Errorf("gzip is refused: got %v", w.Header())
	}
	tag := small.Header().Get("ETag")
	if w := fetch("Accept-Encoding", "gzip", "If-None-Match", tag); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
		t.Errorf("what is known: got %d", w.Code)
	}
	if w := fetch("If-None-Match", tag); w.Code != http.StatusOK {
		t.Errorf("another form of it: got %d", w.Code)
	}
}

// TestPage_IsLight adds up what a browser loads for all pages together.
func TestPage_IsLight(t *testing.T) {
	total := 0
	for name, a := range newAssets() {
		if a.zipped == nil {
			t.Errorf("%s is not compressed", name)
		}
		total += len(a.zipped)
	}
	if most := 150 << 10; total > most || total < 10<<10 {
		t.Errorf("the page has %d bytes, want at most %d", total, most)
	}
	t.Logf("%d bytes", total)
}
