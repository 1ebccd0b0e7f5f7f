package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/config"
	"fairway/internal/outlet"
	"fairway/internal/secret"
	"fairway/telemetry/otlplogs"
)

// ownLog is the log of fairway itself. Whoever logs, as a request that has failed, does not
// wait for a disk, or for a pipe that nobody reads.
type ownLog struct {
	*logrus.Logger
	dropped func() uint64 // lines that found no room
	lost    func() uint64 // to a collector; nil: there is none
	close   func()        // after the last line
}

// longestClose is how long the last lines may take to be written, and to be sent.
const longestClose = time.Second

// within tells whether something has ended in time. What has not goes on until the program
// is gone.
func within(ended <-chan struct{}) bool {
	select {
	case <-ended:
		return true
	case <-time.After(longestClose):
		return false
	}
}

// newLog makes the log that the options ask for.
func newLog(c *config.Log) (*ownLog, error) {
	log := &ownLog{Logger: logrus.New(), close: func() {}}
	log.AddHook(discreet{})
	level, err := logrus.ParseLevel(strings.ToLower(c.Level))
	if err != nil {
		return nil, fmt.Errorf("option log.level: %q is none of TRACE, DEBUG, INFO, WARN, ERROR, FATAL, PANIC", c.Level)
	}
	log.SetLevel(level)
	if strings.EqualFold(c.Format, "json") {
		log.SetFormatter(&logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano})
	} else {
		log.SetFormatter(&logrus.TextFormatter{ForceColors: !c.NoColor && c.FilePath == "" && onTerminal(), DisableColors: c.NoColor, FullTimestamp: true})
	}
	var collector *otlplogs.Sender
	if c.OTLP != nil {
		if collector, err = c.OTLP.New(); err != nil {
			return nil, fmt.Errorf("option log.otlp.%w", err)
		}
	}
	if c.FilePath == "" {
		log.write("standard error", outlet.Standard(os.Stderr))
	} else {
		out, err := outlet.File(func() (*os.File, error) { return os.OpenFile(c.FilePath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) })
		if err != nil {
			return nil, fmt.Errorf("option log.filePath: %w", err)
		}
		log.write(c.FilePath, out)
	}
	if collector != nil {
		log.send(collector)
	}
	return log, nil
}

// onTerminal tells whether somebody may see colours. logrus cannot: the way there leads
// through a queue.
func onTerminal() bool {
	f, err := os.Stderr.Stat()
	return err == nil && f.Mode()&os.ModeCharDevice != 0
}

// write writes what is logged to an output, each line as soon as it is there, until the log
// is closed.
func (l *ownLog) write(name string, out *outlet.Output) {
	trouble := make(chan struct{}, 1)
	s := outlet.New(name, out, 1, time.Second, trouble)
	l.SetOutput(s)
	l.dropped = s.Dropped
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		outlet.Run(ctx, []*outlet.Sink{s}, trouble, l.Logger, outlet.Words{
			Unwritten: "the log cannot be written",
			Slow:      "lines of the log are lost: the output takes them too slowly",
			Again:     "the log is written again",
		})
	}()
	l.close = func() {
		cancel()
		within(ended)
	}
}

// discreet takes the passwords out of URLs before a line is written: errors of libraries
// repeat the addresses that they were given.
type discreet struct{}

// Levels implements logrus.Hook.
func (discreet) Levels() []logrus.Level { return logrus.AllLevels }

// Fire implements logrus.Hook. The entry is a copy that only this line is written from.
func (discreet) Fire(e *logrus.Entry) error {
	e.Message = secret.Text(e.Message)
	for name, value := range e.Data {
		switch v := value.(type) {
		case string:
			e.Data[name] = secret.Text(v)
		case error:
			if shown := secret.Text(v.Error()); shown != v.Error() {
				e.Data[name] = errors.New(shown)
			}
		}
	}
	return nil
}

// send sends what is logged to a collector as well, until the log is closed.
func (l *ownLog) send(to *otlplogs.Sender) {
	hook := otlplogs.NewHook(to, l.Logger)
	l.AddHook(hook)
	l.lost = hook.Lost
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		hook.Run(ctx)
	}()
	closeOutput := l.close
	l.close = func() {
		cancel()
		if !within(ended) {
			l.Warn("the last lines of the log could not be sent to the collector")
		}
		closeOutput()
	}
}
