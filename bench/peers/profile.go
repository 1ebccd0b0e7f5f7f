package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// profile measures where the processor time goes under every load, and writes all of
// it as one profile: the compiler of fairway is guided by it (cmd/fairway/default.pgo).
func (b *bench) profile(out string, loads []workload) error {
	var parts []string
	for _, w := range loads {
		if len(loads) == len(workloads) && w.only != "" && w.setup != "observed" && w.setup != "jwt" {
			continue // the same load again
		}
		part := filepath.Join(b.dir, w.name+".prof")
		if err := b.profileOne(w, part); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		parts = append(parts, part)
	}
	cmd := exec.Command("go", append([]string{"tool", "pprof", "-proto", "-output=" + out}, parts...)...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("merge the profiles: %w\n%s", err, text)
	}
	return nil
}

func (b *bench) profileOne(w workload, out string) error {
	b.debug = freePort()
	defer func() { b.debug = 0 }()
	p, err := b.start("fairway", w.setup)
	if err != nil {
		return err
	}
	defer p.stop()
	loaded := make(chan error, 1)
	go func() {
		_, _, err := b.load(p, w, b.duration+2*time.Second)
		loaded <- err
	}()
	err = fetch(fmt.Sprintf("http://127.0.0.1:%d/debug/pprof/profile?seconds=%d", b.debug, max(1, int(b.duration.Seconds()))), out)
	if failed := <-loaded; failed != nil {
		return failed
	}
	return err
}

// fetch writes what is at an address to a file.
func fetch(url, out string) error {
	res, err := http.Get(url) // our own process; the load ends by itself
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, res.Status)
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, res.Body); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
