//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"fairway/config"
	"fairway/server"
)

// fullPipe is a pipe that is full, and that nobody reads.
func fullPipe(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "log")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	for err == nil {
		_, err = syscall.Write(fd, []byte(strings.Repeat("x", 4096)))
	}
	if !errors.Is(err, syscall.EAGAIN) {
		t.Fatal(err)
	}
	return path
}

// A log that nobody reads any more, as a pipe to a program that hangs, costs its lines.
func TestLog_ThatNobodyReadsHoldsNothingUp(t *testing.T) {
	file := filepath.Join(t.TempDir(), "routes.yml")
	routes := func(path string) {
		text := fmt.Sprintf("http:\n  routers: {all: {rule: 'PathPrefix(`%s`)', service: all}}\n  services: {all: {loadBalancer: {servers: [{url: 'http://127.0.0.1:1'}]}}}\n", path)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	routes("/first")
	loaded, err := config.Load([]string{"--entrypoints.web.address=127.0.0.1:0", "--providers.file.filename=" + file, "--log.filepath=" + fullPipe(t)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	log, err := newLog(loaded.Log)
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(server.Options{Config: loaded, Log: log.Logger, LogDropped: log.dropped})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	client := &http.Client{Timeout: 20 * time.Second}
	await := func(path string, status int) {
		t.Helper()
		for got := 0; got != status; {
			res, err := client.Get("http://" + s.Addresses()["web"] + path)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			got = res.StatusCode
		}
	}
	await("/first", http.StatusBadGateway)
	for range 100 { // more than the lines about failed requests that are written at once
		await("/first", http.StatusBadGateway)
	}
	routes("/second")
	await("/second", http.StatusBadGateway)
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end")
	}
	log.close()
}

func TestLog_IsWrittenToItsEnd(t *testing.T) {
	c := config.Default().Log
	c.FilePath = filepath.Join(t.TempDir(), "log")
	log, err := newLog(c)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		log.Info("line ", i)
	}
	log.close()
	text, err := os.ReadFile(c.FilePath)
	if n := strings.Count(string(text), "\n"); err != nil || n != 1000 || !strings.Contains(string(text), "line 999") || log.dropped() != 0 {
		t.Errorf("got %d lines, %d lost, %v", n, log.dropped(), err)
	}
}
