package main

import (
	"strings"
	"testing"
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
