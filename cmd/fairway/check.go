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
	look := check.Configuration
	if len(args) > 0 && args[0] == "--labels" {
		look, args = check.Compose, args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "fairway check: say which FILE or DIR to look at; with --labels, which compose file")
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
