// Package lambdatest runs functions for tests as AWS Lambda does: real programs, made with aws-lambda-go,
// that take invocations from the Runtime API (2018-06-01), behind the Invoke interface.
package lambdatest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

// Runtime has the Invoke interface at its URL, and processes of a function that answer.
type Runtime struct {
	URL string

	queue chan *invocation
	mu    sync.Mutex
	under map[string]*invocation
	seen  []http.Header // of invocations
}

// invocation is one under way.
type invocation struct {
	id     string
	event  []byte
	head   http.Header
	gone   <-chan struct{}
	result chan *result
}

// result is what a function posts; done is closed when all of it has been read.
type result struct {
	failed  bool
	kind    string
	body    io.Reader
	trailer *http.Header
	done    chan struct{}
}

// Start builds the function in test/function, and runs so many processes of it until the test is over.
func Start(tb testing.TB, processes int) *Runtime {
	tb.Helper()
	program := filepath.Join(tb.TempDir(), "function")
	build := exec.CommandContext(tb.Context(), "go", "build", "-o", program, "fairway/test/function") //nolint:gosec // what is built is always the same
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("build the function: %v\n%s", err, out)
	}
	rt := &Runtime{queue: make(chan *invocation), under: map[string]*invocation{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /2015-03-31/functions/{name}/invocations", rt.invoke)
	mux.HandleFunc("POST /2021-11-15/functions/{name}/response-streaming-invocations", rt.invoke)
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", rt.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/{what}", rt.take)
	server := httptest.NewServer(mux)
	rt.URL = server.URL
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for range processes {
		running.Go(func() {
			for ctx.Err() == nil { // one that panics is started anew
				c := exec.CommandContext(ctx, program)
				c.Env = append(os.Environ(), "AWS_LAMBDA_RUNTIME_API="+server.Listener.Addr().String(), "AWS_LAMBDA_FUNCTION_NAME=function")
				_ = c.Run()
			}
		})
	}
	tb.Cleanup(func() {
		cancel()
		running.Wait()
		server.CloseClientConnections()
		server.Close()
	})
	return rt
}

// Seen are the heads of the invocations so far.
func (rt *Runtime) Seen() []http.Header {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	return append([]http.Header(nil), rt.seen...)
}

func (rt *Runtime) invoke(w http.ResponseWriter, r *http.Request) {
	event, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	i := rt.begin(&invocation{event: event, head: r.Header, gone: r.Context().Done(), result: make(chan *result, 1)})
	if r.Header.Get("X-Amz-Invocation-Type") == "Event" {
		i.gone = nil
		go func() {
			rt.queue <- i
			if res := <-i.result; res != nil {
				_, _ = io.Copy(io.Discard, res.body)
				close(res.done)
			}
		}()
		w.WriteHeader(http.StatusAccepted)
		return
	}
	select {
	case rt.queue <- i:
	case <-i.gone:
		return
	}
	select {
	case res := <-i.result:
		defer close(res.done)
		if strings.HasPrefix(r.URL.Path, "/2021-11-15/") && !res.failed {
			stream(w, res)
			return
		}
		if res.failed {
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
		}
		_, _ = io.Copy(w, res.body)
	case <-i.gone:
	}
}

func (rt *Runtime) begin(i *invocation) *invocation {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	rt.seen = append(rt.seen, i.head)
	i.id = fmt.Sprint(len(rt.seen))
	rt.under[i.id] = i
	return i
}

// next hands an invocation to a process that waits for one.
func (rt *Runtime) next(w http.ResponseWriter, r *http.Request) {
	select {
	case i := <-rt.queue:
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", i.id)
		w.Header().Set("Lambda-Runtime-Deadline-Ms", "4102444800000")
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:123456789012:function:function")
		w.Header().Set("Lambda-Runtime-Trace-Id", i.head.Get("X-Amzn-Trace-Id"))
		_, _ = w.Write(i.event)
	case <-r.Context().Done():
	}
}

// take takes what a process has made of an invocation.
func (rt *Runtime) take(w http.ResponseWriter, r *http.Request) {
	rt.mu.Lock()
	i := rt.under[r.PathValue("id")]
	delete(rt.under, r.PathValue("id"))
	rt.mu.Unlock()
	if i == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	res := &result{failed: r.PathValue("what") == "error", kind: r.Header.Get("Content-Type"), body: r.Body, trailer: &r.Trailer, done: make(chan struct{})}
	i.result <- res
	select {
	case <-res.done:
	case <-i.gone: // nobody reads it any more
	}
	w.WriteHeader(http.StatusAccepted)
}

// stream writes the frames of an answer as they come.
func stream(w http.ResponseWriter, res *result) {
	w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
	out := http.NewResponseController(w)
	part := make([]byte, 4<<10)
	for {
		n, err := res.body.Read(part)
		if n > 0 {
			_, _ = w.Write(Frame("PayloadChunk", part[:n]))
			_ = out.Flush()
		}
		if err != nil {
			break
		}
	}
	end := []byte("{}")
	if kind := res.trailer.Get("Lambda-Runtime-Function-Error-Type"); kind != "" {
		details, _ := base64.StdEncoding.DecodeString(res.trailer.Get("Lambda-Runtime-Function-Error-Body"))
		end, _ = json.Marshal(map[string]string{"ErrorCode": kind, "ErrorDetails": string(details)})
	}
	_, _ = w.Write(Frame("InvokeComplete", end))
}

// Frame is an event of a stream.
func Frame(kind string, payload []byte) []byte {
	m := eventstream.Message{Payload: payload}
	m.Headers.Set(":message-type", eventstream.StringValue("event"))
	m.Headers.Set(":event-type", eventstream.StringValue(kind))
	var b strings.Builder
	_ = eventstream.NewEncoder().Encode(&b, m)
	return []byte(b.String())
}
