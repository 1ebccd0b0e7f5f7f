package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fairway/config"
	"fairway/internal/demo"
)

// healthcheck asks a fairway with the same configuration whether it is well: by
// /ping where that is served, else by connecting to an entry point. Without
// options it takes those of process 1, which is the fairway to ask in a container.
func healthcheck(args []string) error {
	environ := os.Environ()
	if len(args) == 0 {
		args = optionsOfProcess1()
	}
	loaded, err := config.Load(args, environ)
	if err != nil {
		return err
	}
	if p := loaded.Ping; p != nil && !p.ManualRouting {
		return ping(loaded.EntryPoints[p.EntryPoint])
	}
	var failures []error
	for _, e := range loaded.EntryPoints {
		conn, err := net.DialTimeout("tcp", localAddress(e), 3*time.Second)
		if err == nil {
			return conn.Close()
		}
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

func ping(e *config.EntryPoint) error {
	scheme := "http"
	if e.HTTP.TLS != nil {
		scheme = "https"
	}
	// The certificate is for other names than that of this machine to itself.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}} //nolint:gosec // it asks itself
	client := http.Client{Timeout: 5 * time.Second, Transport: transport}
	res, err := client.Get(scheme + "://" + localAddress(e) + "/ping")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("ping answers %s", res.Status)
	}
	return nil
}

// localAddress is where an entry point is reached from its own machine.
func localAddress(e *config.EntryPoint) string {
	address, _ := e.ListenAddress()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

func optionsOfProcess1() []string {
	line, err := os.ReadFile("/proc/1/cmdline")
	if err != nil {
		return nil
	}
	args := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
	if filepath.Base(args[0]) != "fairway" {
		return nil
	}
	args = args[1:]
	if len(args) > 0 && args[0] == "demo" {
		return append(demo.Options(), args[1:]...)
	}
	if len(args) > 0 && args[0] == "run" {
		args = args[1:]
	}
	return args
}
