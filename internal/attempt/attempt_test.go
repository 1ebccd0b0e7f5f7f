package attempt

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fairway/internal/responsehead"
)

func badGateway(status int) bool { return status == http.StatusBadGateway }

func TestWriter_HoldsUpWhatIsRefused(t *testing.T) {
	out := httptest.NewRecorder()
	out.Header().Set("X-Outer", "stays")
	w := New(out, Func(badGateway))
	w.Header().Set("X-Bad", "1")
	w.Header().Del("X-Outer")
	w.WriteHeader(http.StatusBadGateway)
	if n, err := io.WriteString(w, "broken"); n != 6 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	if n, err := w.ReadFrom(strings.NewReader("more")); n != 4 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	w.Flush()
	w.Finish()
	if status, refused := w.Refused(); status != http.StatusBadGateway || !refused {
		t.Errorf("got %d, %v", status, refused)
	}
	second := New(out, Func(badGateway))
	second.Header().Set("X-Good", "1")
	_, _ = io.WriteString(second, "fine")
	got := out.Result()
	if got.StatusCode != http.StatusOK || out.Body.String() != "fine" || got.Header.Get("X-Bad") != "" || got.Header.Get("X-Good") != "1" || got.Header.Get("X-Outer") != "stays" {
		t.Errorf("got %d %q with %v", got.StatusCode, out.Body, got.Header)
	}
}

func TestWriter_PassesTheRest(t *testing.T) {
	for name, respond := range map[string]func(*Writer){
		"status":  func(w *Writer) { w.WriteHeader(http.StatusTeapot) },
		"body":    func(w *Writer) { w.WriteHeader(http.StatusTeapot); _, _ = io.WriteString(w, "") },
		"copying": func(w *Writer) { w.WriteHeader(http.StatusTeapot); _, _ = w.ReadFrom(strings.NewReader("")) },
		"flush":   func(w *Writer) { w.WriteHeader(http.StatusTeapot); w.Flush() },
	} {
		out := httptest.NewRecorder()
		w := New(out, Func(badGateway))
		respond(w)
		w.Finish()
		if _, refused := w.Refused(); refused || out.Code != http.StatusTeapot || w.Status() != http.StatusTeapot {
			t.Errorf("%s: got %d", name, out.Code)
		}
	}
}

func TestWriter_PassesInformationOn(t *testing.T) {
	var informed http.Header
	s := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("X-Outer", "1")
		w := New(out, Func(badGateway))
		w.Header().Set("Link", "</style.css>")
		w.WriteHeader(http.StatusEarlyHints)
		informed = out.Header().Clone()
		w.Header().Del("Link")
		w.WriteHeader(http.StatusNoContent)
	}))
	defer s.Close()
	res, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusNoContent || res.Header.Get("Link") != "" || res.Header.Get("X-Outer") != "1" || informed.Get("Link") != "" {
		t.Errorf("got %d with %v; after 103 there was %v", res.StatusCode, res.Header, informed)
	}
}

func TestBody_CanBeSentAgain(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader("hello"))) // of unknown length
	b, err := ReadBody(r, 5)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		out := b.Request(r)
		got, err := io.ReadAll(out.Body)
		if string(got) != "hello" || err != nil || out.ContentLength != 5 {
			t.Errorf("got %q of %d, %v", got, out.ContentLength, err)
		}
		out.Header.Set("X-Changed", "1")
	}
	if r.Header.Get("X-Changed") != "" {
		t.Error("the attempts share one header map")
	}
}

func TestReadBody_Limits(t *testing.T) {
	long := func() *http.Request { return httptest.NewRequest(http.MethodPost, "/", strings.NewReader("hello")) }
	unknown := httptest.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader("hello")))
	for _, r := range []*http.Request{long(), unknown} {
		if _, err := ReadBody(r, 4); !errors.Is(err, ErrTooLong) {
			t.Errorf("got error %v", err)
		}
	}
	if _, err := ReadBody(long(), -1); err != nil {
		t.Errorf("without a limit: %v", err)
	}
	none := httptest.NewRequest(http.MethodGet, "/", nil)
	if b, err := ReadBody(none, 0); err != nil || b.Request(none).Body != none.Body {
		t.Errorf("without a body: %v", err)
	}
}

// forwarder is a writer that can, or cannot, send a response on as it came.
type forwarder struct {
	*httptest.ResponseRecorder
	err   error
	asked bool
}

func (f *forwarder) Forward(responsehead.Received) error {
	f.asked = true
	return f.err
}

type received struct{ responsehead.Received }

func (received) StatusCode() int { return http.StatusTeapot }

func TestWriter_ForwardsWhatPasses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		inner   error
		refuses bool
		want    error
		asked   bool
		code    int // of what is then written in parts
	}{
		{name: "passes", asked: true, code: 200}, // the recorder's own, for it was not written to
		{name: "the writer below cannot", inner: responsehead.ErrInParts, want: responsehead.ErrInParts, asked: true, code: http.StatusTeapot},
		{name: "refused", refuses: true, want: responsehead.ErrInParts, code: 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := &forwarder{ResponseRecorder: httptest.NewRecorder(), err: tt.inner}
			judged := 0
			w := New(out, Func(func(int) bool { judged++; return tt.refuses }))
			w.Header().Set("X-Ours", "1")
			if err := responsehead.Forward(w, received{}); !errors.Is(err, tt.want) || out.asked != tt.asked {
				t.Errorf("got %v, asked %v", err, out.asked)
			}
			if tt.want != nil {
				w.WriteHeader(http.StatusTeapot)
			}
			w.Finish()
			if status, refused := w.Refused(); status != http.StatusTeapot || refused != tt.refuses || judged != 1 || out.Code != tt.code {
				t.Errorf("got %d, refused %v, judged %d times, sent %d", status, refused, judged, out.Code)
			}
			if ours := out.Header().Get("X-Ours") != ""; ours == tt.refuses {
				t.Errorf("the fields of the attempt reach the client: %v", ours)
			}
		})
	}
}
