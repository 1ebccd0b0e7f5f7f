//go:build unix

package server

import (
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sirupsen/logrus"
)

// fullPipe is a pipe that is full, and that nobody reads until drain is called.
func fullPipe(t *testing.T) (path string, drain func() string) {
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
	return path, func() string {
		p := make([]byte, 64<<10)
		n, _ := syscall.Read(fd, p)
		return string(p[:max(n, 0)])
	}
}

// An access log that nobody reads costs no request anything, and is there again by itself.
func TestServer_AnAccessLogThatNobodyReads(t *testing.T) {
	path, drain := fullPipe(t)
	r := start(t, routeTo(backend(t, func(*http.Request) {})), "--accesslog.filepath="+path, "--accesslog.bufferingsize=1", "--accesslog.format=json", "--entrypoints.traefik.address=127.0.0.1:0", "--metrics.prometheus")
	long := strings.Repeat("y", 6000)
	for range 800 { // more than the 4 MiB that wait
		if res, _ := r.get(t, "any.test", "/"+long); res.StatusCode != http.StatusOK {
			t.Fatalf("got %d", res.StatusCode)
		}
	}
	if got := scrapeOf(t, r); strings.Contains(got, "\nfairway_accesslog_dropped_lines_total 0\n") {
		t.Error("nothing was lost")
	}
	await(t, "the log tells of it", func() bool { return strings.Contains(r.log.String(), "lines of the access log are lost") })
	await(t, "lines after the rubbish", func() bool { return strings.Contains(drain(), "RequestPath") })
	await(t, "it is told to be over", func() bool { drain(); return strings.Contains(r.log.String(), "the access log is written again") })
}

func TestServer_EndsThoughTheAccessLogIsStuck(t *testing.T) {
	path, _ := fullPipe(t)
	r := start(t, routeTo(backend(t, func(*http.Request) {})), "--accesslog.filepath="+path, "--accesslog.bufferingsize=1")
	for range 10 {
		r.get(t, "any.test", "/")
	}
	r.stop()
	if text := r.log.String(); !strings.Contains(text, "the last lines of the access log could not be written") || !strings.Contains(text, "level="+logrus.InfoLevel.String()+" msg=stopped") {
		t.Errorf("the log has\n%s", text)
	}
}
