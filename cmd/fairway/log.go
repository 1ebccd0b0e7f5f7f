package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/config"
	"fairway/telemetry/otlplogs"
)

// ownLog is the log of fairway itself.
type ownLog struct {
	*logrus.Logger
	lost  func() uint64 // to a collector; nil: there is none
	close func()        // after the last line
}

// newLog makes the log that the options ask for.
func newLog(c *config.Log) (*ownLog, error) {
	log := &ownLog{Logger: logrus.New(), close: func() {}}
	level, err := logrus.ParseLevel(strings.ToLower(c.Level))
	if err != nil {
		return nil, fmt.Errorf("option log.level: %q is none of TRACE, DEBUG, INFO, WARN, ERROR, FATAL, PANIC", c.Level)
	}
	log.SetLevel(level)
	if strings.EqualFold(c.Format, "json") {
		log.SetFormatter(&logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano})
	} else {
		log.SetFormatter(&logrus.TextFormatter{DisableColors: c.NoColor, FullTimestamp: true})
	}
	var collector *otlplogs.Sender
	if c.OTLP != nil {
		if collector, err = c.OTLP.New(); err != nil {
			return nil, fmt.Errorf("option log.otlp.%w", err)
		}
	}
	if c.FilePath != "" {
		f, err := openLogFile(c.FilePath)
		if err != nil {
			return nil, fmt.Errorf("option log.filePath: %w", err)
		}
		log.SetOutput(f)
		log.close = f.close
	}
	if collector != nil {
		log.send(collector)
	}
	return log, nil
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
	closeFile := l.close
	l.close = func() {
		cancel()
		<-ended
		closeFile()
	}
}
