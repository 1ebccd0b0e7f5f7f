package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fairway/config"
	"fairway/internal/demo"
)

// healthcheck asks a fairway with the same configuration whether it is well: by
// /ping where that is served, else by connecting to an entry point. With --ready it
// asks whether it knows what to route to, by /ready. Without other options it takes
// those of process 1, which is the fairway to ask in a container.
func healthcheck(args []string) error {
	environ := os.Environ()
	rest := slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return arg == "--ready" })
	ready := len(rest) < len(args)
	if args = rest; len(args) == 0 {
		args = optionsOfProcess1()
	}
	loaded, err := config.Load(args, environ)
	if err != nil {
		return err
	}
	switch p := loaded.Ping; {
	case p != nil && !p.ManualRouting && ready:
		return ask(loaded.EntryPoints[p.EntryPoint], "/ready", config.Ready)
	case p != nil && !p.ManualRouting:
		return ask(loaded.EntryPoints[p.EntryPoint], "/ping", "")
	case ready:
		return errors.New("--ready asks for /ready, which only the option ping serves (without ping.manualRouting)")
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

// ask wants 200 for a path of the entry point, with a body that begins with some words.
func ask(e *config.EntryPoint, path, words string) error {
	scheme := "http"
	if e.HTTP.TLS != nil {
		scheme = "https"
	}
	// The certificate is for other names than that of this machine to itself.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}} //nolint:gosec // it asks itself
	client := http.Client{Timeout: 5 * time.Second, Transport: transport}
	res, err := client.Get(scheme + "://" + localAddress(e) + path)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(res.Body, 200))
	said := strings.TrimSpace(string(body))
	switch {
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("%s answers %s: %s", path, res.Status, said)
	case !strings.HasPrefix(said, words):
		return fmt.Errorf("%s is answered by a service: give it a router of its own to %s@internal", path, strings.TrimPrefix(path, "/"))
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
	return optionsOf(string(line))
}

// optionsOf are those that a process was started with, if it is a fairway.
func optionsOf(line string) []string {
	args := strings.Split(strings.TrimSuffix(line, "\x00"), "\x00")
	if name := filepath.Base(args[0]); name != "fairway" && name != "traefik" { // the image has both
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
