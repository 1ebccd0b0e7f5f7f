package main

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/config"
	"fairway/internal/demo"
	"fairway/server"
)

// run is the main job: it serves until it is told to stop.
func run(args []string) error {
	loaded, err := config.Load(args, os.Environ())
	if err != nil {
		return err
	}
	log, err := newLog(loaded.Log)
	if err != nil {
		return err
	}
	defer log.close()
	for _, warning := range loaded.Warnings {
		log.Warn(warning)
	}
	if loaded.File != "" {
		log.WithField("file", loaded.File).Info("configuration file read")
	}
	switch none := loaded.Providers.None(); {
	case none && loaded.Nothing && dockerAnswers():
		log.Info("nothing is configured: routing to the containers of this machine's Docker engine")
		loaded.AddDocker()
	case none:
		log.Warn("no provider is configured: there is nothing to route to; try --providers.docker")
	}
	return serve(server.Options{Config: loaded, Log: log.Logger, LogDropped: log.dropped, LogLost: log.lost, Version: version}, nil)
}

// runDemo serves sample services, so that there is something to try.
func runDemo(args []string) error {
	loaded, err := config.Load(append(demo.Options(), args...), nil)
	if err != nil {
		return err
	}
	log, err := newLog(loaded.Log)
	if err != nil {
		return err
	}
	defer log.close()
	if dockerAnswers() {
		loaded.AddDocker()
		loaded.Providers.Docker.ExposedByDefault = false
	}
	samples, err := demo.Start()
	if err != nil {
		return err
	}
	defer samples.Close()
	o := server.Options{Config: loaded, Log: log.Logger, LogDropped: log.dropped, LogLost: log.lost, Version: version, Extra: samples.Provider()}
	return serve(o, func(addresses map[string]string) {
		fmt.Print(demo.Welcome(addresses, loaded.Providers.Docker != nil))
	})
}

// serve runs a server until SIGTERM or SIGINT. ready is told the addresses.
func serve(o server.Options, ready func(addresses map[string]string)) error {
	stdlog.SetFlags(0)
	stdlog.SetOutput(ofLibraries{o.Log})
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	s, err := server.New(o)
	if err != nil {
		return err
	}
	if ready != nil {
		ready(s.Addresses())
	}
	if log, ok := o.Log.(*logrus.Logger); ok {
		defer reopenOnSignal(log, s.Reopen)()
	}
	floor := heapFloor()
	defer runtime.KeepAlive(floor)
	return s.Run(ctx)
}

// ofLibraries takes what libraries print about servers and clients: lines that the log
// has in its own words, by request, where they matter.
type ofLibraries struct{ log logrus.FieldLogger }

func (o ofLibraries) Write(line []byte) (int, error) {
	o.log.WithField("from", "a library").Debug(strings.TrimSpace(string(line)))
	return len(line), nil
}

// heapFloor makes memory that is never touched, and so never resident, but counts as
// heap. The garbage collector waits for the heap to double: from a few megabytes
// it would come dozens of times a second, from here it comes seldom. On a large
// heap the floor makes no difference. Whoever sets GOGC has other plans.
func heapFloor() []byte {
	if os.Getenv("GOGC") != "" {
		return nil
	}
	return make([]byte, 24<<20)
}

// dockerAnswers tells whether there is an engine at the usual socket. One that may
// not be asked counts: the provider says what to do about it.
func dockerAnswers() bool {
	conn, err := net.DialTimeout("unix", "/var/run/docker.sock", time.Second)
	if err != nil {
		return errors.Is(err, os.ErrPermission)
	}
	_ = conn.Close()
	return true
}
