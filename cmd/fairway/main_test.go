package main

import (
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
)

func TestChosen(t *testing.T) {
	for line, want := range map[string]string{
		"": "run", "--ping": "run", "run --ping": "run", "check x.yml": "check", "version": "version", "--version": "version", "-version": "version",
		"--help": "help", "check -h": "help", "nonsense": "nonsense",
	} {
		if got, _ := chosen(strings.Fields(line)); got != want {
			t.Errorf("%q: got %s, want %s", line, got, want)
		}
	}
}

func TestOfLibraries_PutsTheirLinesIntoTheLog(t *testing.T) {
	var out strings.Builder
	log := logrus.New()
	log.SetOutput(&out)
	log.SetLevel(logrus.DebugLevel)
	log.SetFormatter(&logrus.JSONFormatter{})
	line := "protocol error: received DATA after END_STREAM\n"
	if n, err := (ofLibraries{log}).Write([]byte(line)); n != len(line) || err != nil {
		t.Fatal(n, err)
	}
	if !strings.Contains(out.String(), `"level":"debug","msg":"protocol error: received DATA after END_STREAM"`) {
		t.Errorf("got %s", &out)
	}
}
