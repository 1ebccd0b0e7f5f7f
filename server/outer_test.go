package server

import (
	"bytes"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/internal/record"
)

func TestOuter_TheLineOfAFailureNamesTheRequest(t *testing.T) {
	for id, want := range map[string]bool{"abc-1": true, "": false} {
		var text bytes.Buffer
		log := logrus.New()
		log.SetOutput(&text)
		o := &outer{log: log}
		o.line(httptest.NewRequest("GET", "/", nil), &record.Record{RequestID: id, Outcome: record.Outcome{Status: 502, Cause: "refused"}})
		if !strings.Contains(text.String(), "request failed") || strings.Contains(text.String(), "requestID=abc-1") != want {
			t.Errorf("id %q: got %s", id, text.String())
		}
	}
}

func TestOuter_LinesAreBounded(t *testing.T) {
	var text bytes.Buffer
	log := logrus.New()
	log.SetOutput(&text)
	o := &outer{log: log}
	write := func(status int) {
		o.line(httptest.NewRequest("GET", "/", nil), &record.Record{Outcome: record.Outcome{Status: status, Cause: "refused"}})
	}
	write(499) // the client's own doing is no news
	synctest.Test(t, func(*testing.T) {
		for range linesAtOnce + 100 {
			write(502)
		}
		if got := strings.Count(text.String(), "request failed"); got != linesAtOnce {
			t.Errorf("%d lines at once, want %d", got, linesAtOnce)
		}
		time.Sleep(time.Second)
		text.Reset()
		write(502)
		if !strings.Contains(text.String(), "leftOut=100") {
			t.Errorf("what was left out is not told: %s", text.String())
		}
	})
}
