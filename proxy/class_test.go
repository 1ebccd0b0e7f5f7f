package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"testing"

	"fairway/http1"
)

func TestClassOf(t *testing.T) {
	dial := func(err error) error { return &http1.DialError{Err: &net.OpError{Op: "dial", Err: err}} }
	for _, tt := range []struct {
		err    error
		status int
		unsent bool
		want   string
	}{
		{dial(&net.DNSError{IsTimeout: true}), 502, true, "dns_timeout"},
		{dial(&net.DNSError{IsNotFound: true}), 502, true, "dns_error"},
		{dial(syscall.ECONNREFUSED), 502, true, "connection_refused"},
		{dial(syscall.EHOSTUNREACH), 502, true, "destination_ip_unroutable"},
		{dial(os.ErrDeadlineExceeded), 504, true, "connection_timeout"},
		{dial(errors.New("no more sockets")), 502, true, "destination_unavailable"},
		{&tls.CertificateVerificationError{}, 500, false, "tls_certificate_error"},
		{dial(x509.UnknownAuthorityError{}), 502, true, "tls_certificate_error"},
		{tls.AlertError(40), 502, false, "tls_alert_received"},
		{tls.RecordHeaderError{}, 502, false, "tls_protocol_error"},
		{context.DeadlineExceeded, 504, false, "http_response_timeout"},
		{&http1.ProtocolError{}, 502, false, "http_protocol_error"},
		{io.ErrUnexpectedEOF, 502, false, "connection_terminated"},
		{errors.New("the client went away"), 499, false, ""},
		{io.ErrUnexpectedEOF, 400, false, ""},
	} {
		if got := classOf(fmt.Errorf("wrapped: %w", tt.err), &Error{Status: tt.status, Unsent: tt.unsent}); got != tt.want {
			t.Errorf("%v, status %d: got %q, want %q", tt.err, tt.status, got, tt.want)
		}
	}
}

// What really happens when nobody listens, by both forwarders.
func TestForward_NamesTheClassOfAnError(t *testing.T) {
	for name, forwarder := range map[string]Forwarder{"engine": NewEngine(), "standard": NewStandard()} {
		u, err := url.Parse(deadAddress(t))
		if err != nil {
			t.Fatal(err)
		}
		target := &Target{URL: u}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.RequestURI = "/"
		failed, _ := errors.AsType[*Error](forwarder.Forward(nil, r, target, Options{}))
		if failed == nil || failed.Class != "connection_refused" {
			t.Errorf("%s: got %+v", name, failed)
		}
	}
}
