package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/config"
	"fairway/tls/acme"
)

const certsUsage = `say what to do with the certificates of the resolvers:

  fairway certs list [options]          which there are, until when, what went wrong
  fairway certs renew NAME [options]    order it anew; a running fairway notices within a minute
  fairway certs revoke NAME [options]   have the authority revoke it, and remove it
  fairway certs export NAME [options]   print chain and private key as PEM

The options are those that fairway runs with: they say where the storage is. In a container
they may be left out, those of the running fairway are taken`

// runCerts works on the storage of the resolvers, while fairway may be running.
func runCerts(args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New(certsUsage)
	}
	do, args := args[0], args[1:]
	name := ""
	switch do {
	case "list":
	case "renew", "revoke", "export":
		if len(args) == 0 || strings.HasPrefix(args[0], "-") {
			return fmt.Errorf("certs %s: say the name of a certificate; `fairway certs list` shows them", do)
		}
		name, args = strings.ToLower(args[0]), args[1:]
	default:
		return fmt.Errorf("certs: there is no %q\n\n%s", do, certsUsage)
	}
	stores, err := openStores(args)
	if err != nil {
		return err
	}
	if do == "list" {
		return listCerts(stores, out)
	}
	resolver, store, err := withCert(stores, name)
	if err != nil {
		return err
	}
	switch do {
	case "renew":
		if err = store.Renew(name); err == nil {
			_, err = fmt.Fprintf(out, "%s is due: a running fairway renews it within a minute\n", name)
		}
	case "revoke":
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		if err = store.Revoke(ctx, name); err == nil {
			_, err = fmt.Fprintf(out, "%s is revoked and removed\n", name)
		}
	case "export":
		var text []byte
		if text, err = store.Export(name); err == nil {
			_, err = out.Write(text)
		}
	}
	if err != nil {
		return fmt.Errorf("certs %s %s, resolver %s: %w", do, name, resolver, err)
	}
	return nil
}

// openStores opens the storage of each resolver of the configuration.
func openStores(args []string) (map[string]*acme.Offline, error) {
	if len(args) == 0 && os.Getpid() != 1 {
		args = optionsOfProcess1()
	}
	loaded, err := config.Load(args, os.Environ())
	if err != nil {
		return nil, err
	}
	log := logrus.New()
	log.SetOutput(os.Stderr)
	log.SetLevel(logrus.WarnLevel)
	stores := map[string]*acme.Offline{}
	for name, r := range loaded.CertificatesResolvers {
		if r.ACME == nil {
			continue
		}
		if stores[name], err = r.ACME.Open(name, log); err != nil {
			return nil, fmt.Errorf("option certificatesResolvers.%s.acme.%w", name, err)
		}
	}
	if len(stores) == 0 {
		return nil, errors.New("certs: the options have no certificate resolver; give those that fairway runs with, as --configFile=fairway.yml")
	}
	return stores, nil
}

func listCerts(stores map[string]*acme.Offline, out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "RESOLVER\tNAMES\tUNTIL\tRENEWED FROM\tERROR")
	for _, resolver := range slices.Sorted(maps.Keys(stores)) {
		list, err := stores[resolver].List()
		if err != nil {
			return fmt.Errorf("certs list, resolver %s: %w", resolver, err)
		}
		for _, c := range list {
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", resolver, strings.Join(c.Names, " "), dated(c.NotAfter), dated(c.RenewAt), c.Error)
		}
	}
	return w.Flush()
}

func dated(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

// withCert finds the resolver that has a certificate for a name.
func withCert(stores map[string]*acme.Offline, name string) (string, *acme.Offline, error) {
	for _, resolver := range slices.Sorted(maps.Keys(stores)) {
		list, err := stores[resolver].List()
		if err != nil {
			return "", nil, fmt.Errorf("certs, resolver %s: %w", resolver, err)
		}
		for _, c := range list {
			if slices.Contains(c.Names, name) {
				return resolver, stores[resolver], nil
			}
		}
	}
	return "", nil, fmt.Errorf("certs: no resolver has a certificate for %s; `fairway certs list` shows them", name)
}
