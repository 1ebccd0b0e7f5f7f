package main

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"

	"fairway/config"
	"fairway/telemetry/otlp"
	"fairway/telemetry/otlplogs"
)

func TestNewLog_SendsToACollectorAsWell(t *testing.T) {
	sent := make(chan string, 10)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		request := &collogs.ExportLogsServiceRequest{}
		if err != nil || proto.Unmarshal(body, request) != nil {
			t.Errorf("%s: no logs", r.URL)
		}
		for _, record := range request.ResourceLogs[0].ScopeLogs[0].LogRecords {
			sent <- record.Body.GetStringValue()
		}
	}))
	t.Cleanup(collector.Close)
	c := config.Default().Log
	c.OTLP = &otlplogs.Config{HTTP: &otlp.HTTP{Endpoint: collector.URL}}
	log, err := newLog(c)
	if err != nil {
		t.Fatal(err)
	}
	var own strings.Builder
	log.SetOutput(&own)
	log.Info("it began")
	log.close()
	if len(sent) != 1 || <-sent != "it began" || !strings.Contains(own.String(), "it began") || log.lost() != 0 {
		t.Errorf("the collector got %d, the log has %s", len(sent), &own)
	}
}

func TestNewLog_Mistakes(t *testing.T) {
	for want, change := range map[string]func(*config.Log){
		"option log.level: ":              func(c *config.Log) { c.Level = "loud" },
		"option log.filePath: ":           func(c *config.Log) { c.FilePath = "/nowhere/log" },
		"option log.otlp.http.endpoint: ": func(c *config.Log) { c.OTLP = &otlplogs.Config{HTTP: &otlp.HTTP{Endpoint: "x"}} },
	} {
		c := config.Default().Log
		change(c)
		if _, err := newLog(c); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// A collector that hangs must not use up the time that Docker gives to a program that ends.
func TestNewLog_DoesNotWaitForACollectorThatHangs(t *testing.T) {
	hold := make(chan struct{})
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hold }))
	t.Cleanup(func() { close(hold); collector.Close() })
	c := config.Default().Log
	c.OTLP = &otlplogs.Config{HTTP: &otlp.HTTP{Endpoint: collector.URL}}
	c.FilePath = filepath.Join(t.TempDir(), "log")
	log, err := newLog(c)
	if err != nil {
		t.Fatal(err)
	}
	log.Info("it began")
	log.close()
	text, err := os.ReadFile(c.FilePath)
	if err != nil || !strings.Contains(string(text), "it began") || !strings.Contains(string(text), "could not be sent to the collector") {
		t.Errorf("got %s, %v", text, err)
	}
}

// TestNewLog_TellsNoPasswords, though errors of libraries repeat the addresses they were given.
func TestNewLog_TellsNoPasswords(t *testing.T) {
	log, err := newLog(config.Default().Log)
	if err != nil {
		t.Fatal(err)
	}
	var own strings.Builder
	log.SetOutput(&own)
	log.WithError(errors.New(`Get "https://u:hunter2@a/?t=hunter2": no`)).WithField("endpoint", "tcp://u:hunter2@a").Warn("lost https://u:hunter2@a")
	if text := own.String(); strings.Contains(text, "hunter2") || !strings.Contains(text, "no") {
		t.Errorf("got %s", text)
	}
}
