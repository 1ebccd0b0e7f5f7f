// Package main prints the reference in docs/reference from the configuration
// types: their fields are the options, their comments the explanations, their
// SetDefaults the defaults, and testdata/example.txtar the examples. Nothing in
// that folder is written by hand.
//
// comments.go reads the comments of the types, options.go walks the types and
// puts both together, the other files print what came out: pages.go and
// reference.go as Markdown, schema.go as JSON schema.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// folder has the generated pages, seen from the top of the module; pageFolder the schema for
// the dashboard, which shows with each option what it is.
const (
	folder     = "docs/reference"
	pageFolder = "dashboard/ui/generated"
)

func main() {
	check := flag.Bool("check", false, "write nothing; tell what would change, and exit with 1 if anything would")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, "docgen:", err)
		os.Exit(1)
	}
}

func run(check bool) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	pages, err := Generate(root)
	if err != nil {
		return err
	}
	small, err := forPage(pages)
	if err != nil {
		return err
	}
	return errors.Join(update(root, folder, pages, check), update(root, pageFolder, small, check))
}

// update makes a folder hold exactly the pages, or tells whether it does not.
func update(root, folder string, pages Pages, check bool) error {
	if !check {
		return write(filepath.Join(root, folder), pages)
	}
	stale, err := differences(filepath.Join(root, folder), pages)
	if err != nil {
		return err
	}
	if len(stale) > 0 {
		return fmt.Errorf("%s is not up to date, run `make generate`: %s", folder, strings.Join(stale, ", "))
	}
	return nil
}

// forPage is the schema of routing without the spaces.
func forPage(pages Pages) (Pages, error) {
	var text bytes.Buffer
	if err := json.Compact(&text, pages["fairway-dynamic.schema.json"]); err != nil {
		return nil, fmt.Errorf("compact the schema: %w", err)
	}
	return Pages{"schema.json": append(bytes.TrimSpace(text.Bytes()), '\n')}, nil
}

// moduleRoot is the folder of the nearest go.mod, from the working directory
// upwards.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("there is no go.mod in this folder or above it")
		}
		dir = parent
	}
}
