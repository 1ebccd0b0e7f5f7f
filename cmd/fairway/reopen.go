package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/sirupsen/logrus"

	"fairway/internal/outlet"
)

// reopenOnSignal opens files anew on SIGUSR1, as programs that rotate logs send it, until
// stop is called.
func reopenOnSignal(log *logrus.Logger, accessLog func() error) (stop func()) {
	signals, ended := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGUSR1)
	go func() {
		defer close(ended)
		for range signals {
			if l, ok := log.Out.(*outlet.Sink); ok {
				if err := l.Reopen(); err != nil {
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
