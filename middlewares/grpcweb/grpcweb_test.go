package grpcweb

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"

	"fairway/internal/answer"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

// serve starts the middleware in front of a handler.
func serve(t *testing.T, c *Config, next http.HandlerFunc) *httptest.Server {
	t.Helper()
	h, err := c.New(t.Context(), middlewarestest.Env("test"), next)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	server.Client().Timeout = 10 * time.Second
	return server
}

// healthService is a server by gRPC; the gateway speaks HTTP/2 to it.
func healthService(t *testing.T) (*health.Server, http.HandlerFunc) {
	t.Helper()
	server := grpc.NewServer()
	t.Cleanup(server.Stop)
	service := health.NewServer()
	grpc_health_v1.RegisterHealthServer(server, service)
	return service, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Te") != "trailers" {
			t.Errorf("TE is %q", r.Header.Get("Te"))
		}
		r2 := r.Clone(r.Context())
		r2.Proto, r2.ProtoMajor, r2.ProtoMinor = "HTTP/2.0", 2, 0
		server.ServeHTTP(w, r2)
	}
}

func frame(kind byte, payload []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(payload))), payload...)
}

func healthRequest(t *testing.T, service string) []byte {
	t.Helper()
	payload, err := proto.Marshal(&grpc_health_v1.HealthCheckRequest{Service: service})
	if err != nil {
		t.Fatal(err)
	}
	return frame(0, payload)
}

func call(t *testing.T, s *httptest.Server, method, kind string, body io.Reader) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/grpc.health.v1.Health/"+method, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("X-Grpc-Web", "1")
	r.Header.Set("Origin", "https://app.test")
	res, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// next reads a frame.
func nextFrame(t *testing.T, from io.Reader) (kind byte, payload []byte) {
	t.Helper()
	var head [5]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		t.Fatalf("read the head of a frame: %v", err)
	}
	payload = make([]byte, binary.BigEndian.Uint32(head[1:]))
	if _, err := io.ReadFull(from, payload); err != nil {
		t.Fatalf("read a frame: %v", err)
	}
	return head[0], payload
}

func status(t *testing.T, payload []byte) grpc_health_v1.HealthCheckResponse_ServingStatus {
	t.Helper()
	var res grpc_health_v1.HealthCheckResponse
	if err := proto.Unmarshal(payload, &res); err != nil {
		t.Fatal(err)
	}
	return res.GetStatus()
}

// coded is a body in base64, in pieces that each have their end.
func coded(b []byte) io.Reader {
	return strings.NewReader(base64.StdEncoding.EncodeToString(b[:4]) + base64.StdEncoding.EncodeToString(b[4:]))
}

func TestGRPCWeb_CallsAServer(t *testing.T) {
	_, next := healthService(t)
	s := serve(t, &Config{AllowOrigins: []string{"https://app.test"}}, next)
	for kind, text := range map[string]bool{"application/grpc-web+proto": false, "application/grpc-web-text+proto": true, "application/grpc-web-text": true} {
		t.Run(kind, func(t *testing.T) {
			var body io.Reader = bytes.NewReader(healthRequest(t, ""))
			if text {
				body = coded(healthRequest(t, ""))
			}
			res := call(t, s, "Check", kind, body)
			if got := res.Header.Get("Content-Type"); res.StatusCode != 200 || !strings.HasPrefix(got, kind) {
				t.Fatalf("got %d, %q", res.StatusCode, got)
			}
			if got := res.Header.Get("Access-Control-Allow-Origin"); got != "https://app.test" {
				t.Errorf("allowed for %q", got)
			}
			answer := io.Reader(res.Body)
			if text {
				answer = newDecoder(res.Body)
			}
			if kind, payload := nextFrame(t, answer); kind != 0 || status(t, payload) != grpc_health_v1.HealthCheckResponse_SERVING {
				t.Errorf("got frame %d %q", kind, payload)
			}
			kindOf, payload := nextFrame(t, answer)
			if !strings.Contains(string(payload), "grpc-status: 0\r\n") || kindOf != 0x80 {
				t.Errorf("got frame %d %q", kindOf, payload)
			}
			if rest, err := io.ReadAll(answer); len(rest) > 0 || err != nil || len(res.Trailer) > 0 {
				t.Errorf("there is more: %q, %v, %v", rest, err, res.Trailer)
			}
		})
	}
}

func TestGRPCWeb_TellsOfErrors(t *testing.T) {
	_, next := healthService(t)
	s := serve(t, &Config{}, next)
	res := call(t, s, "Check", "application/grpc-web+proto", bytes.NewReader(healthRequest(t, "nobody")))
	body, err := io.ReadAll(res.Body)
	if err != nil || res.Header.Get("Grpc-Status") != "5" && !strings.Contains(string(body), "grpc-status: 5\r\n") {
		t.Errorf("got %v, %q, %v", res.Header, body, err)
	}
}

func TestGRPCWeb_AMessageDoesNotWaitForTheNext(t *testing.T) {
	for kind, text := range map[string]bool{"application/grpc-web": false, "application/grpc-web-text": true} {
		t.Run(kind, func(t *testing.T) {
			service, next := healthService(t)
			s := serve(t, &Config{}, next)
			var body io.Reader = bytes.NewReader(healthRequest(t, ""))
			if text {
				body = coded(healthRequest(t, ""))
			}
			res := call(t, s, "Watch", kind, body)
			answer := io.Reader(bufio.NewReader(res.Body))
			if text {
				answer = newDecoder(res.Body)
			}
			for _, want := range []grpc_health_v1.HealthCheckResponse_ServingStatus{
				grpc_health_v1.HealthCheckResponse_SERVING, grpc_health_v1.HealthCheckResponse_NOT_SERVING, grpc_health_v1.HealthCheckResponse_SERVING,
			} {
				service.SetServingStatus("", want)
				if _, payload := nextFrame(t, answer); status(t, payload) != want {
					t.Errorf("got %v, want %v", status(t, payload), want)
				}
			}
		})
	}
}

// TestGRPCWeb_FlushesEachMessage is about services whose messages come in parts, and
// who do not flush.
func TestGRPCWeb_FlushesEachMessage(t *testing.T) {
	taken := make(chan struct{})
	s := serve(t, &Config{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		first := frame(0, []byte("first"))
		for _, b := range append(first, frame(0, nil)...) {
			_, _ = w.Write([]byte{b})
		}
		select {
		case <-taken:
		case <-r.Context().Done():
		}
		w.Header().Set("Grpc-Status", "0")
		w.Header().Set(http.TrailerPrefix+"X-Late", "1")
		w.Header().Set("X-Unannounced", "1")
	})
	res := call(t, s, "x", "application/grpc-web-text", nil)
	answer := newDecoder(res.Body)
	if _, payload := nextFrame(t, answer); string(payload) != "first" {
		t.Errorf("got %q", payload)
	}
	if _, payload := nextFrame(t, answer); len(payload) != 0 {
		t.Errorf("got %q", payload)
	}
	close(taken)
	if _, payload := nextFrame(t, answer); string(payload) != "grpc-status: 0\r\nx-late: 1\r\n" {
		t.Errorf("got trailers %q", payload)
	}
}

func TestGRPCWeb_AnswersOfTheGatewayAreUnderstood(t *testing.T) {
	s := serve(t, &Config{}, func(w http.ResponseWriter, r *http.Request) { answer.Refuse(w, r, http.StatusBadGateway, "") })
	res := call(t, s, "x", "application/grpc-web-text+proto", nil)
	if body, _ := io.ReadAll(res.Body); len(body) != 0 || res.Header.Get("Grpc-Status") != "14" || res.Header.Get("Content-Type") != "application/grpc-web-text" {
		t.Errorf("got %v %q", res.Header, body)
	}
}

func TestGRPCWeb_LeavesOtherRequestsAlone(t *testing.T) {
	var got *http.Request
	s := serve(t, &Config{}, func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.Header().Set("Content-Type", "application/grpc")
	})
	for _, kind := range []string{"application/json", "application/grpc", "application/grpc-webx", ""} {
		res := call(t, s, "x", kind, strings.NewReader("body"))
		if got.Header.Get("Content-Type") != kind || got.ContentLength != 4 || res.Header.Get("Content-Type") != "application/grpc" {
			t.Errorf("%q: the service got %v", kind, got.Header)
		}
	}
}
