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

// measureAll runs every workload in interleaved rounds.
func (b *bench) measureAll(peers []string, loads []workload, rounds int) ([]result, error) {
	var all []result
	for _, w := range loads {
		results := make([]result, len(peers))
		for i, peer := range peers {
			results[i] = result{workload: w, peer: peer}
		}
		for round := range rounds {
			for i, peer := range peers {
				if w.only != "" && w.only != peer {
					continue
				}
				m, err := b.measure(peer, w)
				if err != nil {
					return nil, fmt.Errorf("%s, round %d, %s: %w", w.name, round+1, peer, err)
				}
				results[i].micros = append(results[i].micros, m.micros)
				results[i].failed += m.failed
			}
		}
		all = append(all, results...)
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
		base := baseline(results, r.workload)
		ratio, target := "", ""
		if base > 0 && r.median() > 0 {
			ratio = fmt.Sprintf("%.2f", base/r.median())
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

// baseline is what a workload is compared with: nginx, or fairway itself under
// another workload.
func baseline(results []result, w workload) float64 {
	for _, r := range results {
		if w.against != "" && r.workload.name == w.against && r.peer == "fairway" ||
			w.against == "" && r.workload.name == w.name && r.peer == "nginx" {
			return r.median()
		}
	}
	return 0
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
			fmt.Sprintf("%.3f", baseline(results, r.workload)/r.median()), strings.Join(rounds, " "),
		})
	}
	w.Flush()
	return w.Error()
}
