package main

import (
	"fmt"
	"os"

	"fairway/config/dynamic"
	"fairway/internal/check"
)

// runCheck prints the problems of configurations. It returns 1 when there is one
// that is more than a notice, and 2 when it cannot look at all.
func runCheck(args []string) int {
	if len(args) > 0 && args[0] == "--traefik" {
		return checkTraefik(args[1:])
	}
	look := check.Configuration
	if len(args) > 0 && args[0] == "--labels" {
		look, args = check.Compose, args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "fairway check: say which FILE or DIR to look at; with --labels, which compose file; with --traefik, which file that was written for Traefik")
		return 2
	}
	status := 0
	for _, path := range args {
		problems, err := look(path)
		if err != nil {
			fmt.Fprintln(os.Stderr, "fairway check:", err)
			return 2
		}
		for _, p := range problems {
			fmt.Printf("%-7s  %s\n", p.Severity, p)
			if p.Severity != dynamic.Notice {
				status = 1
			}
		}
		if len(problems) == 0 {
			fmt.Printf("ok       %s\n", path)
		}
	}
	return status
}

// checkTraefik tells what becomes of each option in files for Traefik. It returns 1 when something is lost or wrong.
func checkTraefik(paths []string) int {
	if len(paths) == 0 {
		fmt.Fprintln(os.Stderr, "fairway check --traefik: say which compose file, install configuration or file of routes to look at")
		return 2
	}
	status := 0
	for _, path := range paths {
		list, err := check.Traefik(path)
		if err != nil {
			fmt.Fprintln(os.Stderr, "fairway check:", err)
			return 2
		}
		counts := map[string]int{}
		for _, f := range list {
			counts[f.Status]++
			place := path
			if f.Line > 0 {
				place = fmt.Sprintf("%s:%d", path, f.Line)
			}
			line := fmt.Sprintf("%-6s  %s: %s", f.Status, place, f.What)
			if f.Note != "" {
				line += ": " + f.Note
			}
			fmt.Println(line)
		}
		fmt.Printf("%s: %d the same, %d better, %d lost, %d wrong\n", path, counts[check.Same], counts[check.Better], counts[check.Lost], counts[check.Wrong])
		if len(list) == counts[check.Unread] {
			fmt.Fprintf(os.Stderr, "fairway check: %s has nothing that was written for Traefik\n", path)
			status = 1
		}
		if counts[check.Lost]+counts[check.Wrong] > 0 {
			status = 1
		}
	}
	return status
}
