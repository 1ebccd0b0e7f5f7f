//go:build e2e

package test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// calls is a service by gRPC that does what the tests ask for.
type calls struct {
	waiting   chan struct{} // a call waits
	cancelled chan error    // why a call that waits has ended
	proceed   chan struct{} // lets the next message of a stream go
}

// one answers with what it got, or as the metadata says.
func (c *calls) one(ctx context.Context, in *wrapperspb.BytesValue) (*wrapperspb.BytesValue, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	_ = grpc.SetHeader(ctx, metadata.Pairs("heard", first(md, "say"), "heard-bin", first(md, "say-bin")))
	_ = grpc.SetTrailer(ctx, metadata.Pairs("after", first(md, "say"), "after-bin", first(md, "say-bin")))
	switch first(md, "do") {
	case "fail":
		return nil, status.Error(codes.FailedPrecondition, "not now: 100 % ä\n")
	case "wait":
		c.waiting <- struct{}{}
		<-ctx.Done()
		c.cancelled <- ctx.Err()
		return nil, ctx.Err()
	}
	return in, nil
}

func first(md metadata.MD, name string) string {
	if values := md.Get(name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// down sends as many messages as it is told, each when the test lets it.
func (c *calls) down(s grpc.ServerStream) error {
	var in wrapperspb.BytesValue
	if err := s.RecvMsg(&in); err != nil {
		return err
	}
	for i := range in.Value[0] {
		<-c.proceed
		if err := s.SendMsg(wrapperspb.Bytes([]byte{i})); err != nil {
			return err
		}
	}
	return nil
}

// up adds up what comes.
func (c *calls) up(s grpc.ServerStream) error {
	total := 0
	for {
		var in wrapperspb.BytesValue
		switch err := s.RecvMsg(&in); {
		case err == nil:
			total += len(in.Value)
		case errors.Is(err, io.EOF):
			return s.SendMsg(wrapperspb.Bytes(fmt.Append(nil, total)))
		default:
			return err
		}
	}
}

// chat answers each message with itself.
func (c *calls) chat(s grpc.ServerStream) error {
	for {
		var in wrapperspb.BytesValue
		switch err := s.RecvMsg(&in); {
		case err == nil:
		case errors.Is(err, io.EOF):
			return status.Error(codes.Aborted, "the end")
		default:
			return err
		}
		if err := s.SendMsg(&in); err != nil {
			return err
		}
	}
}

func (c *calls) description() *grpc.ServiceDesc {
	stream := func(f func(*calls, grpc.ServerStream) error) grpc.StreamHandler {
		return func(srv any, s grpc.ServerStream) error { return f(srv.(*calls), s) }
	}
	return &grpc.ServiceDesc{
		ServiceName: "test.Calls", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "One", Handler: func(srv any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			in := new(wrapperspb.BytesValue)
			if err := decode(in); err != nil {
				return nil, err
			}
			return srv.(*calls).one(ctx, in)
		}}},
		Streams: []grpc.StreamDesc{
			{StreamName: "Down", ServerStreams: true, Handler: stream((*calls).down)},
			{StreamName: "Up", ClientStreams: true, Handler: stream((*calls).up)},
			{StreamName: "Chat", ServerStreams: true, ClientStreams: true, Handler: stream((*calls).chat)},
		},
	}
}

const messageSize = 8 << 20

// serveCalls starts the service, by TLS if it gets a certificate.
func serveCalls(t *testing.T, certificate *tls.Certificate) (*calls, string) {
	t.Helper()
	c := &calls{waiting: make(chan struct{}), cancelled: make(chan error, 1), proceed: make(chan struct{})}
	options := []grpc.ServerOption{grpc.MaxRecvMsgSize(messageSize), grpc.MaxSendMsgSize(messageSize)}
	if certificate != nil {
		options = append(options, grpc.Creds(credentials.NewServerTLSFromCert(certificate)))
	}
	s := grpc.NewServer(options...)
	s.RegisterService(c.description(), c)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(l) }() // ends with Stop
	t.Cleanup(s.Stop)
	return c, l.Addr().String()
}

// dialCalls makes a client of the gateway.
func dialCalls(t *testing.T, f *fairway, secure bool) *grpc.ClientConn {
	t.Helper()
	creds := insecure.NewCredentials()
	if secure {
		creds = credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})
	}
	conn, err := grpc.NewClient("passthrough:///"+f.address("web"), grpc.WithTransportCredentials(creds), grpc.WithAuthority("grpc.test"),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(messageSize), grpc.MaxCallSendMsgSize(messageSize)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// newCertificate makes a certificate for 127.0.0.1, and a file that lets programs
// trust it.
func newCertificate(t *testing.T) (*tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}
