// Command peers runs fairway beside nginx and HAProxy, under the same loads, and
// prints how many requests each serves per second of processor time, in relation
// to nginx in the same run.
//
// Every proxy has one worker and is pinned to one core; the load and the origin
// (an nginx) are on the other. What counts is the processor time that the proxy
// has used (utime + stime in /proc) for each request that was completed. Rounds
// interleave the proxies, and the median of the rounds is taken: machines are
// noisy, and an absolute figure proves nothing.
package main

import (
	"cmp"
	"encoding/csv"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench/peers:", err)
		os.Exit(1)
	}
}

func run() error {
	rounds := flag.Int("rounds", 5, "interleaved rounds; medians are taken")
	duration := flag.Duration("duration", 3*time.Second, "length of one measurement")
	binary := flag.String("fairway", "bin/fairway", "the program to measure")
	only := flag.String("only", "", "comma-separated names of workloads; all when empty")
	peers := flag.String("peers", "nginx,haproxy,fairway", "comma-separated names of proxies")
	out := flag.String("csv", "", "file to write the figures to")
	guide := flag.String("profile", "", "file to write a profile of fairway under all loads to, instead of measuring")
	flag.Parse()
	for _, tool := range []string{"nginx", "haproxy", "wrk", "h2load", "taskset"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is missing: install nginx haproxy wrk nghttp2-client", tool)
		}
	}
	dir, err := os.MkdirTemp("", "fairway-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	if *binary, err = filepath.Abs(*binary); err != nil {
		return err
	}
	b := &bench{dir: dir, fairway: *binary, duration: *duration}
	defer b.end()
	if err := b.prepare(); err != nil {
		return err
	}
	if *guide != "" {
		return b.profile(*guide, chosen(*only))
	}
	results, err := b.measureAll(strings.Split(*peers, ","), chosen(*only), *rounds)
	if err != nil {
		return err
	}
	report(results)
	if *out == "" {
		return nil
	}
	return writeCSV(*out, results)
}

func chosen(only string) []workload {
	if only == "" {
		return workloads
	}
	names := strings.Split(only, ",")
	return slices.DeleteFunc(slices.Clone(workloads), func(w workload) bool { return !slices.Contains(names, w.name) })
}

// result is what one proxy made of one workload: microseconds of processor time
// per request, one for each round.
type result struct {
	workload workload
	peer     string
	micros   []float64
	failed   int
}

func (r result) median() float64 {
	sorted := slices.Sorted(slices.Values(r.micros))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)/2]
}

// measureAll runs every workload in interleaved rounds: each round has all of them, so that a machine
// that becomes slower does so for all.
func (b *bench) measureAll(peers []string, loads []workload, rounds int) ([]result, error) {
	var all []result
	for _, w := range loads {
		for _, peer := range peers {
			all = append(all, result{workload: w, peer: peer})
		}
	}
	for round := range rounds {
		for i := range all {
			r := &all[i]
			if r.workload.only != "" && r.workload.only != r.peer || r.workload.without == r.peer {
				continue
			}
			m, err := b.measure(r.peer, r.workload)
			if err != nil {
				return nil, fmt.Errorf("%s, round %d, %s: %w", r.workload.name, round+1, r.peer, err)
			}
			r.micros = append(r.micros, m.micros)
			r.failed += m.failed
		}
	}
	return all, nil
}

// report prints the table: one line per workload, ratios against nginx.
func report(results []result) {
	fmt.Printf("%-28s %-10s %14s %10s %8s\n", "workload", "proxy", "us/request", "x nginx", "target")
	for _, r := range results {
		if len(r.micros) == 0 {
			continue
		}
		ratio, target := "", ""
		if n := r.ratio(baseline(results, r.workload)); n > 0 {
			ratio = fmt.Sprintf("%.2f", n)
		}
		if r.peer == "fairway" && r.workload.target > 0 {
			target = fmt.Sprintf("%.2f", r.workload.target)
		}
		note := ""
		if r.failed > 0 {
			note = fmt.Sprintf("  (%d failed)", r.failed)
		}
		fmt.Printf("%-28s %-10s %14.1f %10s %8s%s\n", r.workload.name, r.peer, r.median(), ratio, target, note)
	}
}

// baseline is what a workload is compared with: nginx or another rival, or fairway itself
// under another workload.
func baseline(results []result, w workload) *result {
	rival := cmp.Or(w.rival, "nginx")
	for i, r := range results {
		if w.against != "" && r.workload.name == w.against && r.peer == "fairway" ||
			w.against == "" && r.workload.name == w.name && r.peer == rival {
			return &results[i]
		}
	}
	return nil
}

// ratio is the median of what each round says: its measurements are neighbours. 0: there is none.
func (r *result) ratio(base *result) float64 {
	if base == nil {
		return 0
	}
	rounds := result{}
	for i, micros := range r.micros {
		if i < len(base.micros) && micros > 0 {
			rounds.micros = append(rounds.micros, base.micros[i]/micros)
		}
	}
	return rounds.median()
}

func writeCSV(path string, results []result) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := csv.NewWriter(f)
	_ = w.Write([]string{"workload", "proxy", "median_us", "ratio", "rounds_us"})
	for _, r := range results {
		if len(r.micros) == 0 {
			continue
		}
		var rounds []string
		for _, m := range r.micros {
			rounds = append(rounds, fmt.Sprintf("%.2f", m))
		}
		_ = w.Write([]string{
			r.workload.name, r.peer, fmt.Sprintf("%.2f", r.median()),
			fmt.Sprintf("%.3f", r.ratio(baseline(results, r.workload))), strings.Join(rounds, " "),
		})
	}
	w.Flush()
	return w.Error()
}
