// Command fairway is an edge router and API gateway that reads container labels.
package main

import (
	"fmt"
	"os"
	"strings"
	// Certificate authorities and time zones for images that have none.
	_ "time/tzdata"

	_ "golang.org/x/crypto/x509roots/fallback"
)

// version is set when a release is built.
var version = "dev"

const usage = `fairway routes requests to containers as their labels say.

  fairway [options]            run
  fairway demo [options]       run on this machine with sample services to try
  fairway check FILE|DIR ...   look for mistakes in configurations and compose files;
                               nothing is opened
  fairway check --traefik FILE what becomes of what was written for Traefik
  fairway explain --url URL [FILE|DIR]
                               which router gets a request, and why others do not:
                               of a running fairway, or of a configuration
  fairway certs list|check|renew|revoke|export
                               certificates of the resolvers
  fairway import openapi|kong [-o FILE] FILE
                               a configuration of an OpenAPI document, or of Kong's
                               declarative one, and what has no counterpart
  fairway healthcheck [--ready]
                               ask a running fairway whether it is well, or whether it
                               knows what to route to
  fairway version

Options are those of Traefik, as flags (--providers.docker), in the environment
(FAIRWAY_PROVIDERS_DOCKER=true) or in a file (--configFile=fairway.yml). All of them
are described in docs/reference/install.md.
`

func main() {
	os.Exit(dispatch(chosen(os.Args[1:])))
}

// chosen takes the command off the arguments. Options alone mean to run.
func chosen(args []string) (command string, rest []string) {
	command = "run"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	if len(args) > 0 {
		switch args[0] {
		case "--help", "-h", "-help":
			command = "help"
		case "--version", "-version":
			command = "version"
		}
	}
	return command, args
}

func dispatch(command string, args []string) int {
	var err error
	switch command {
	case "run":
		err = run(args)
	case "demo":
		err = runDemo(args)
	case "check":
		return runCheck(args)
	case "explain":
		return runExplain(args, os.Stdout)
	case "certs":
		err = runCerts(args, os.Stdout)
	case "import":
		return runImport(args, os.Stdout, os.Stderr)
	case "healthcheck":
		err = healthcheck(args)
	case "version":
		fmt.Println("fairway", version)
	case "help":
		fmt.Print(usage)
	default:
		err = fmt.Errorf("there is no command %q\n\n%s", command, usage)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "fairway:", err)
		return 1
	}
	return 0
}
