package server

import (
	"bytes"
	"net/http/httptest"
	"strings"
	"testing"

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
