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
  fairway certs check NAME [options]    try whether one can be got, where that does not count
                                        (the staging server of Let's Encrypt), keep nothing
  fairway certs renew NAME [options]    order it anew; a running fairway notices within a minute
  fairway certs revoke NAME [options]   have the authority revoke it, and remove it
  fairway certs export NAME [options]   print chain and private key as PEM

Where several resolvers may be meant, RESOLVER/NAME says which. The options are those that
fairway runs with: they say where the storage is. In a container they may be left out, those
of the running fairway are taken`

// runCerts works on the storage of the resolvers, while fairway may be running.
func runCerts(args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New(certsUsage)
	}
	do, args := args[0], args[1:]
	name := ""
	switch do {
	case "list":
	case "check", "renew", "revoke", "export":
		if len(args) == 0 || strings.HasPrefix(args[0], "-") {
			return fmt.Errorf("certs %s: say the name of a certificate; `fairway certs list` shows them", do)
		}
		name, args = args[0], args[1:]
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
	resolver, name, err := withCert(stores, name, do == "check")
	if err != nil {
		return fmt.Errorf("certs %s: %w", do, err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := onCert(ctx, stores[resolver], do, name, out); err != nil {
		return fmt.Errorf("certs %s %s, resolver %s: %w", do, name, resolver, err)
	}
	return nil
}

// onCert does what is to be done with one certificate.
func onCert(ctx context.Context, store *acme.Offline, do, name string, out io.Writer) (err error) {
	switch do {
	case "check":
		return tryCert(ctx, store, name, out)
	case "renew":
		if err = store.Renew(name); err == nil {
			_, err = fmt.Fprintf(out, "%s is due: a running fairway renews it within a minute\n", name)
		}
	case "revoke":
		if err = store.Revoke(ctx, name); err == nil {
			_, err = fmt.Fprintf(out, "%s is revoked and removed\n", name)
		}
	case "export":
		var text []byte
		if text, err = store.Export(name); err == nil {
			_, err = out.Write(text)
		}
	}
	return err
}

// tryTakes is how long an order may take that is placed to try.
const tryTakes = 10 * time.Minute

func tryCert(ctx context.Context, store *acme.Offline, name string, out io.Writer) error {
	trial, err := store.Trial(name)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "ordering for %s at %s\n", name, trial.CAServer)
	if trial.Real {
		_, _ = fmt.Fprintln(out, "note: no staging server is known for this authority, so the order counts for its limits; the certificate is not kept")
	}
	ctx, cancel := context.WithTimeout(ctx, tryTakes)
	defer cancel()
	if err := trial.Run(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, "ok")
	return err
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
	var failures []error
	for name, r := range loaded.CertificatesResolvers {
		if r.ACME == nil {
			continue
		}
		store, err := r.ACME.Open(name, log)
		if err != nil {
			failures = append(failures, fmt.Errorf("option certificatesResolvers.%s.acme.%w", name, err))
			continue
		}
		stores[name] = store
	}
	switch {
	case len(stores) > 0:
		for _, err := range failures {
			log.Warn(err)
		}
	case len(failures) > 0:
		return nil, errors.Join(failures...)
	default:
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

// withCert finds the resolver that is meant by NAME or RESOLVER/NAME: the one that has a
// certificate for the name or, if it need not be there yet, the only one.
func withCert(stores map[string]*acme.Offline, arg string, orOnly bool) (resolver, name string, err error) {
	if at := strings.LastIndex(arg, "/"); at >= 0 {
		resolver, name = arg[:at], arg[at+1:]
		if stores[resolver] == nil {
			return "", "", fmt.Errorf("there is no resolver %q; there are: %s", resolver, strings.Join(slices.Sorted(maps.Keys(stores)), ", "))
		}
		return resolver, name, nil
	}
	var having []string
	for _, resolver := range slices.Sorted(maps.Keys(stores)) {
		has, err := stores[resolver].Has(arg)
		if err != nil {
			return "", "", fmt.Errorf("resolver %s: %w", resolver, err)
		}
		if has {
			having = append(having, resolver)
		}
	}
	if len(having) == 0 && orOnly {
		having = slices.Sorted(maps.Keys(stores))
	}
	switch len(having) {
	case 1:
		return having[0], arg, nil
	case 0:
		return "", "", fmt.Errorf("no resolver has a certificate for %s; `fairway certs list` shows them", arg)
	}
	return "", "", fmt.Errorf("say which resolver is meant, %s: as in %s/%s", strings.Join(having, " or "), having[0], arg)
}
