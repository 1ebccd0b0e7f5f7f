// Command standin takes the place of the services of the example stacks in the
// end-to-end tests. One program is all of them: the image of each says in its
// environment which it is. STANDIN is its name, STANDIN_SERVES lists what it serves
// as kind:port (app, tls, grpc, auth, docker).
package main

import (
	"crypto/tls"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	for served := range strings.FieldsSeq(os.Getenv("STANDIN_SERVES")) {
		kind, port, _ := strings.Cut(served, ":")
		l, err := net.Listen("tcp", ":"+port)
		if err != nil {
			log.Fatal(err)
		}
		serve, err := server(kind, port)
		if err != nil {
			log.Fatal(err)
		}
		go func() { log.Fatal(serve(l)) }() // ends with the process
	}
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	<-told
}

// server makes what serves connections in the way of a kind.
func server(kind, port string) (func(net.Listener) error, error) {
	s := &http.Server{ReadHeaderTimeout: 10 * time.Second}
	switch kind {
	case "app":
		s.Handler = app(port)
	case "tls":
		certificate, err := selfSigned()
		if err != nil {
			return nil, err
		}
		s.Handler = app(port)
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
		return func(l net.Listener) error { return s.ServeTLS(l, "", "") }, nil
	case "auth":
		a, err := readAuth("/config/configuration.yml")
		if err != nil {
			return nil, err
		}
		s.Handler = a.handler()
	case "docker":
		s.Handler = socketProxy()
	case "grpc":
		return grpcEcho().Serve, nil
	default:
		return nil, fmt.Errorf("STANDIN_SERVES: there is no kind %q", kind)
	}
	return s.Serve, nil
}
