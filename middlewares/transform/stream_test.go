package transform

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fairway/internal/record"
)

// The client has each item before the service sends the next one.
func TestStream_GoesOnItemByItem(t *testing.T) {
	more := make(chan string)
	h := built(t, &Config{Response: &Response{Body: "select(.n > 1) | {m: .n}", From: "ndjson"}}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.Header().Set("Content-Length", "7")
		for part := range more {
			_, _ = io.WriteString(w, part)
			_ = http.NewResponseController(w).Flush()
		}
	})
	s := httptest.NewServer(h)
	defer s.Close()
	go func() { more <- "{\"n\": 1}\n{\"n\"" }()
	res, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	for _, tt := range [][2]string{{": 2}\n", "{\"m\":2}\n"}, {"\n{\"n\": 3}\r\n{\"n\": 4}", "{\"m\":3}\n"}} {
		more <- tt[0]
		if got, err := lines.ReadString('\n'); got != tt[1] || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
	close(more)
	if got, err := io.ReadAll(lines); string(got) != "{\"m\":4}\n" || err != nil {
		t.Errorf("the end: got %q, %v", got, err)
	}
	if res.ContentLength != -1 || res.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("got %v", res.Header)
	}
}

func TestStream_OfEvents(t *testing.T) {
	const stream = ": hello\n\nevent: a\nid: 1\ndata: {\"n\":\ndata: 1}\n\ndata: [1,2]\r\n\r\ndata: [DONE]\r\rdata: {\"n\": 9}\n"
	for _, tt := range []struct{ name, to, want string }{
		{"events", "", ": hello\n\nevent: a\nid: 1\ndata: 1\n\ndata: 1\n\ndata: 2\n\ndata: [DONE]\n\n"},
		{"lines", "ndjson", "1\n1\n2\n"},
	} {
		for _, size := range []int{1, 2, 3, 1000} {
			h := built(t, &Config{Response: &Response{Body: ".[]", From: "sse", To: tt.to}}, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
				for rest := stream; rest != ""; {
					n := min(size, len(rest))
					_, _ = io.WriteString(w, rest[:n])
					rest = rest[n:]
				}
			})
			if w, _ := ask(h, "GET", "/", "", nil); w.Body.String() != tt.want {
				t.Errorf("%s by %d: got %q", tt.name, size, w.Body)
			}
		}
	}
}

func TestStream_ThatCannotBeChangedBreaksOff(t *testing.T) {
	for name, tt := range map[string]struct{ body, want string }{
		"no JSON":     {"1\n{\n", "an item: it is no JSON"},
		"a long item": {"1\n" + strings.Repeat("2", 65), "an item is longer than maxBodyBytes"},
		"an error":    {"1\n{}\n", "an item: "},
		"the last":    {"1\n{", "an item: it is no JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			h := built(t, &Config{Response: &Response{Body: ". + 1", From: "ndjson"}, MaxBodyBytes: 64}, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/jsonl")
				_, _ = io.WriteString(w, tt.body)
			})
			rec := &record.Record{}
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				h.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
			}))
			defer s.Close()
			res, err := http.Get(s.URL)
			if err == nil {
				_, err = io.ReadAll(res.Body)
				_ = res.Body.Close()
			}
			s.Close()
			if err == nil || !strings.HasPrefix(rec.Cause, "transform: response: "+tt.want) {
				t.Errorf("got %v, %q", err, rec.Cause)
			}
		})
	}
}

func TestStream_WhatIsNonePasses(t *testing.T) {
	for name, tt := range map[string]struct {
		kind, encoding string
		status, want   int
		body           string
	}{
		"another type":   {"text/html", "", 200, 200, "<p>"},
		"another status": {"application/x-ndjson", "", 500, 500, "<p>"},
		"packed":         {"application/x-ndjson", "gzip", 200, 502, "Bad Gateway"},
	} {
		h := built(t, &Config{Response: &Response{Body: ".", From: "ndjson", When: []string{"200-299"}}}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", tt.kind)
			if tt.encoding != "" {
				w.Header().Set("Content-Encoding", tt.encoding)
			}
			w.WriteHeader(tt.status)
			_, _ = io.WriteString(w, "<p>")
		})
		if w, _ := ask(h, "GET", "/", "", nil); w.Code != tt.want || w.Body.String() != tt.body {
			t.Errorf("%s: got %d %q", name, w.Code, w.Body)
		}
	}
}

func TestStream_OfARequest(t *testing.T) {
	var body []byte
	var failed error
	var got *http.Request
	h := built(t, &Config{Request: &Request{Body: "{m: .}", From: "ndjson"}}, func(_ http.ResponseWriter, r *http.Request) {
		got = r
		body, failed = io.ReadAll(r.Body)
	})
	ask(h, "POST", "/", "1\n2\n\n3", func(r *http.Request) { r.Header.Set("Content-Length", "6") })
	if string(body) != "{\"m\":1}\n{\"m\":2}\n{\"m\":3}\n" || failed != nil || got.ContentLength != -1 || got.Header.Get("Content-Length") != "" {
		t.Errorf("got %q, %v, %v", body, failed, got.Header)
	}
	ask(h, "POST", "/", "1\n{", nil)
	if string(body) != "{\"m\":1}\n" || failed == nil || !strings.HasPrefix(failed.Error(), "transform: request: an item: it is no JSON") {
		t.Errorf("got %q, %v", body, failed)
	}
}

func FuzzItems(f *testing.F) {
	for _, seed := range []string{"1\n2", "data: 1\n\n", ":\r\n\r\ndata:1\r\rid: 1", "\n\n\n", "data: {\ndata: }\n\n"} {
		f.Add([]byte(seed), uint8(3))
	}
	changes := map[format]*bodyChange{}
	for _, f := range []format{asLines, asEvents} {
		changes[f], _ = newBody(".", "", string(f), "", 0)
	}
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		for _, c := range changes {
			cut := func(size int) (out []byte, err error) {
				s := items{bodyChange: c, ctx: context.Background(), variables: valuesOf(httptest.NewRequest("GET", "/", nil)).variables(0, nil), most: 1 << 10}
				for rest := stream; len(rest) > 0 && err == nil; {
					n := min(size, len(rest))
					out, err = s.take(rest[:n], out)
					rest = rest[n:]
				}
				if err == nil {
					out, err = s.end(out)
				}
				return out, err
			}
			whole, err1 := cut(len(stream) + 1)
			parts, err2 := cut(int(size)%16 + 1)
			if string(whole) != string(parts) || (err1 == nil) != (err2 == nil) {
				t.Fatalf("%q: %q, %v, but in parts %q, %v", stream, whole, err1, parts, err2)
			}
		}
	})
}
