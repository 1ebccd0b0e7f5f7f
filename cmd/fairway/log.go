package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/config"
	"fairway/internal/secret"
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
	log.AddHook(discreet{})
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
	closeFile := l.close
	l.close = func() {
		cancel()
		<-ended
		closeFile()
	}
}
