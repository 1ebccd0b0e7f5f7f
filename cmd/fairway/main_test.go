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

func TestHealthcheck_OptionsOfTheRunningProgram(t *testing.T) {
	for line, want := range map[string]string{
		"/fairway --ping":          "--ping",
		"/traefik --ping":          "--ping",
		"fairway run --ping --api": "--ping --api",
		"/sbin/init --ping":        "",
		"":                         "",
	} {
		if got := strings.Join(optionsOf(strings.ReplaceAll(line, " ", "\x00")+"\x00"), " "); got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
	if got := optionsOf("fairway\x00demo\x00--ping\x00"); len(got) < 2 || got[len(got)-1] != "--ping" {
		t.Errorf("the demonstration: got %q", got)
	}
}
