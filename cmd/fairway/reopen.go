package main

import (
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/sirupsen/logrus"
)

// logFile is the file of the log, which can be opened anew after it has been renamed.
type logFile struct {
	path string
	mu   sync.Mutex
	file *os.File
}

func openLogFile(path string) (*logFile, error) {
	l := &logFile{path: path}
	return l, l.reopen()
}

func (l *logFile) reopen() error {
	fresh, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		_ = l.file.Close()
	}
	l.file = fresh
	return nil
}

func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Write(p)
}

func (l *logFile) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.file.Close()
}

// reopenOnSignal opens files anew on SIGUSR1, as programs that rotate logs send it, until
// stop is called.
func reopenOnSignal(log *logrus.Logger, accessLog func() error) (stop func()) {
	signals, ended := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGUSR1)
	go func() {
		defer close(ended)
		for range signals {
			if l, ok := log.Out.(*logFile); ok {
				if err := l.reopen(); err != nil {
					log.WithError(err).Error("the log cannot be opened anew: the old file is written to")
				}
			}
			if err := accessLog(); err != nil {
				log.WithError(err).Error("the access log cannot be opened anew")
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
		<-ended
	}
}
