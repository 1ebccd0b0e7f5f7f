//go:build e2e

package test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// routesTo is a file with routes in plain text and by TLS to one server, and some
// that lead nowhere.
func routesTo(t *testing.T, server string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "routes.yml")
	text := `
http:
  routers:
    plain: {rule: 'Host("grpc.test") && PathPrefix("/test.Calls/")', service: calls}
    tls: {rule: 'Host("grpc.test") && PathPrefix("/test.Calls/")', service: calls, tls: {}}
    dead: {rule: 'PathPrefix("/test.Dead/")', service: dead}
    none: {rule: 'PathPrefix("/test.None/")', service: none}
    closed: {rule: 'PathPrefix("/test.Closed/")', service: calls, middlewares: [auth]}
  middlewares:
    auth: {basicAuth: {users: ['a:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=']}}
  services:
    calls: {loadBalancer: {servers: [{url: '` + server + `'}]}}
    dead: {loadBalancer: {servers: [{url: 'h2c://127.0.0.1:` + freePort(t) + `'}]}}
    none: {loadBalancer: {servers: [{url: 'h2c://127.0.0.1:1', weight: 0}]}}
`
	text = strings.ReplaceAll(text, `"`, "`")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// everyWay runs a test with clients in plain text and by TLS, and with servers of
// both kinds.
func everyWay(t *testing.T, test func(t *testing.T, f *fairway, c *calls, conn *grpc.ClientConn)) {
	certificate, ca := newCertificate(t)
	for _, scheme := range []string{"h2c", "https"} {
		by := certificate
		if scheme == "h2c" {
			by = nil
		}
		t.Setenv("SSL_CERT_FILE", ca) // for fairway
		c, address := serveCalls(t, by)
		f := startFairway(t, "--providers.file.filename="+routesTo(t, scheme+"://"+address), "--log.level=DEBUG")
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("by %s, client by TLS %v", scheme, secure), func(t *testing.T) { test(t, f, c, dialCalls(t, f, secure)) })
		}
	}
}

func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestGRPC_Unary(t *testing.T) {
	everyWay(t, func(t *testing.T, _ *fairway, _ *calls, conn *grpc.ClientConn) {
		for _, size := range []int{0, 1, 16 << 10, 4 << 20} {
			in, out := wrapperspb.Bytes(bytes.Repeat([]byte{'x'}, size)), new(wrapperspb.BytesValue)
			var head, tail metadata.MD
			ctx := metadata.AppendToOutgoingContext(limited(t), "say", "hello", "say-bin", "\x00\xff\n")
			if err := conn.Invoke(ctx, "/test.Calls/One", in, out, grpc.Header(&head), grpc.Trailer(&tail)); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(in.Value, out.Value) {
				t.Errorf("%d bytes: got %d", size, len(out.Value))
			}
			if first(head, "heard") != "hello" || first(head, "heard-bin") != "\x00\xff\n" || first(tail, "after") != "hello" || first(tail, "after-bin") != "\x00\xff\n" {
				t.Errorf("got %v, %v", head, tail)
			}
		}
	})
}

func TestGRPC_Errors(t *testing.T) {
	everyWay(t, func(t *testing.T, _ *fairway, _ *calls, conn *grpc.ClientConn) {
		var tail metadata.MD
		ctx := metadata.AppendToOutgoingContext(limited(t), "do", "fail", "say", "hello")
		err := conn.Invoke(ctx, "/test.Calls/One", wrapperspb.Bytes(nil), new(wrapperspb.BytesValue), grpc.Trailer(&tail))
		if s := status.Convert(err); s.Code() != codes.FailedPrecondition || s.Message() != "not now: 100 % ä\n" || first(tail, "after") != "hello" {
			t.Errorf("got %v, %v", err, tail)
		}
		if err := conn.Invoke(limited(t), "/test.Calls/Unknown", wrapperspb.Bytes(nil), new(wrapperspb.BytesValue)); status.Code(err) != codes.Unimplemented {
			t.Errorf("an unknown method: got %v", err)
		}
	})
}

func TestGRPC_ServerStream(t *testing.T) {
	everyWay(t, func(t *testing.T, _ *fairway, c *calls, conn *grpc.ClientConn) {
		s, err := conn.NewStream(limited(t), &grpc.StreamDesc{ServerStreams: true}, "/test.Calls/Down")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.SendMsg(wrapperspb.Bytes([]byte{3})); err != nil {
			t.Fatal(err)
		}
		_ = s.CloseSend()
		for i := range byte(3) { // each arrives before there is another one
			c.proceed <- struct{}{}
			var out wrapperspb.BytesValue
			if err := s.RecvMsg(&out); err != nil || out.Value[0] != i {
				t.Fatalf("got %v, %v", out.Value, err)
			}
		}
		if err := s.RecvMsg(new(wrapperspb.BytesValue)); !errors.Is(err, io.EOF) {
			t.Errorf("at the end: got %v", err)
		}
	})
}

func TestGRPC_ClientStream(t *testing.T) {
	everyWay(t, func(t *testing.T, _ *fairway, _ *calls, conn *grpc.ClientConn) {
		s, err := conn.NewStream(limited(t), &grpc.StreamDesc{ClientStreams: true}, "/test.Calls/Up")
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if err := s.SendMsg(wrapperspb.Bytes(make([]byte, 10000))); err != nil {
				t.Fatal(err)
			}
		}
		_ = s.CloseSend()
		var out wrapperspb.BytesValue
		if err := s.RecvMsg(&out); err != nil || string(out.Value) != "1000000" {
			t.Errorf("got %q, %v", out.Value, err)
		}
	})
}

// chat has a conversation in which each message waits for the answer to the last.
func chat(ctx context.Context, conn *grpc.ClientConn, turns int) error {
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/test.Calls/Chat")
	if err != nil {
		return err
	}
	for i := range turns {
		said := fmt.Sprintf("message %d", i)
		if err := s.SendMsg(wrapperspb.Bytes([]byte(said))); err != nil {
			return err
		}
		var heard wrapperspb.BytesValue
		if err := s.RecvMsg(&heard); err != nil {
			return err
		}
		if string(heard.Value) != said {
			return fmt.Errorf("got %q, want %q", heard.Value, said)
		}
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	if err := s.RecvMsg(new(wrapperspb.BytesValue)); status.Code(err) != codes.Aborted {
		return fmt.Errorf("at the end: %w", err)
	}
	return nil
}

func TestGRPC_Conversation(t *testing.T) {
	everyWay(t, func(t *testing.T, _ *fairway, _ *calls, conn *grpc.ClientConn) {
		if err := chat(limited(t), conn, 50); err != nil {
			t.Error(err)
		}
	})
}

func TestGRPC_ManyConversations(t *testing.T) {
	everyWay(t, func(t *testing.T, _ *fairway, _ *calls, conn *grpc.ClientConn) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() {
				if err := chat(ctx, conn, 5); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
}

// Deadlines reach the server, and so does a client that gives up.
func TestGRPC_DeadlinesAndCancelling(t *testing.T) {
	everyWay(t, func(t *testing.T, f *fairway, c *calls, conn *grpc.ClientConn) {
		for want, limit := range map[codes.Code]time.Duration{codes.DeadlineExceeded: 300 * time.Millisecond, codes.Canceled: time.Hour} {
			ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), "do", "wait"), limit)
			failed := make(chan error, 1)
			go func() {
				failed <- conn.Invoke(ctx, "/test.Calls/One", wrapperspb.Bytes(nil), new(wrapperspb.BytesValue))
			}()
			<-c.waiting
			if want == codes.Canceled {
				cancel()
			}
			if err := <-failed; status.Code(err) != want {
				t.Errorf("the client: got %v, want %v", err, want)
			}
			if err := <-c.cancelled; err == nil {
				t.Error("the server did not hear of it")
			}
			cancel()
		}
		f.await("the cause in the log", func() bool { return strings.Contains(f.text(), "the client went away") })
	})
}

// What the gateway answers itself is an outcome that clients understand.
func TestGRPC_RefusedByTheGateway(t *testing.T) {
	_, address := serveCalls(t, nil)
	f := startFairway(t, "--providers.file.filename="+routesTo(t, "h2c://"+address))
	conn := dialCalls(t, f, false)
	for method, want := range map[string]struct {
		code    codes.Code
		message string
	}{
		"/test.Elsewhere/One": {codes.Unimplemented, "404 page not found"},
		"/test.Dead/One":      {codes.Unavailable, "Bad Gateway"},
		"/test.None/One":      {codes.Unavailable, "no available server"},
		"/test.Closed/One":    {codes.Unauthenticated, "Unauthorized"},
	} {
		var err error
		f.await(fmt.Sprint(method, " to answer ", want), func() bool {
			err = conn.Invoke(limited(t), method, wrapperspb.Bytes(nil), new(wrapperspb.BytesValue))
			s := status.Convert(err)
			return s.Code() == want.code && s.Message() == want.message
		})
	}
	f.await("the cause in the log", func() bool { return strings.Contains(f.text(), "connect to h2c://127.0.0.1") })
}
