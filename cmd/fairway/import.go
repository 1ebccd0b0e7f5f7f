package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/crypto/bcrypt"

	"fairway/internal/importer"
	"fairway/internal/importer/kong"
	"fairway/internal/importer/openapi"
)

// mostImported is how long a file may be that is imported.
const mostImported = 64 << 20

const importUsage = `fairway import openapi [options] FILE   a document, with the extensions of Amazon API Gateway
fairway import kong [options] FILE      a declarative configuration`

// runImport makes a configuration for the file provider of that of another gateway, and reports on stderr what has
// no counterpart. It returns 1 when something is lost, and 2 when nothing could be made.
func runImport(args []string, stdout, stderr io.Writer) int {
	out, target, err := imported(args, stderr)
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			_, _ = fmt.Fprintln(stderr, "fairway import:", err)
		}
		return 2
	}
	text, err := out.YAML(target.from)
	if err == nil && target.to == "" {
		_, err = stdout.Write(text)
	} else if err == nil {
		err = os.WriteFile(target.to, text, 0o600) // there may be secrets in it
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "fairway import:", err)
		return 2
	}
	for _, l := range out.Report() {
		_, _ = fmt.Fprintln(stderr, l)
	}
	if out.Lost() {
		return 1
	}
	return 0
}

// files are those of an import.
type files struct{ from, to string }

func imported(args []string, stderr io.Writer) (*importer.Output, files, error) {
	if len(args) == 0 {
		return nil, files{}, errors.New("say what to import:\n" + importUsage)
	}
	kind := args[0]
	set := flag.NewFlagSet("fairway import "+kind, flag.ContinueOnError)
	set.SetOutput(stderr)
	var at files
	var o openapi.Options
	set.StringVar(&at.to, "o", "", "write the configuration to `FILE`, in place of the output")
	if kind == "openapi" {
		set.StringVar(&o.Service, "service", "", "`URL` of the service, in place of the servers of the document")
		set.StringVar(&o.Host, "host", "", "host `NAME` that the routers are for")
		set.BoolVar(&o.TLS, "tls", false, "the routers answer what comes over TLS")
		set.StringVar(&o.Document, "document", "", "`PATH` where the gateway finds the document (default: where it is now)")
	}
	if err := set.Parse(args[1:]); err != nil {
		return nil, at, err
	}
	at.from = set.Arg(0)
	if set.NArg() > 1 { // options may stand behind the file
		if err := set.Parse(set.Args()[1:]); err != nil {
			return nil, at, err
		}
		if set.NArg() > 0 {
			at.from = ""
		}
	}
	if at.from == "" {
		return nil, at, errors.New("say which FILE to import:\n" + importUsage)
	}
	text, err := readUpTo(at.from, mostImported)
	if err != nil {
		return nil, at, err
	}
	var out *importer.Output
	switch kind {
	case "openapi":
		if o.Document == "" {
			if o.Document, err = filepath.Abs(at.from); err != nil {
				return nil, at, err
			}
		}
		out, err = openapi.Import(text, o)
	case "kong":
		out, err = kong.Import(text, hashed)
	default:
		return nil, at, fmt.Errorf("%q cannot be imported:\n%s", kind, importUsage)
	}
	if err != nil {
		return nil, at, fmt.Errorf("%s: %w", at.from, err)
	}
	return out, at, nil
}

// hashed is a password as basicAuth has it.
func hashed(password string) (string, error) {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	return string(hash), err
}

func readUpTo(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%s is longer than %d bytes", name, most)
	}
	return text, err
}
