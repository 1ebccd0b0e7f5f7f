// Package accesslog writes a line about every request: who asked for what, which router
// and server it went to, how it ended and how long that took. A disk that is slow or full
// holds no request up: lines that find no room any more are counted, and the log of the
// program tells how many they were.
//
// An exchange is encoded by the goroutine that has served it, without allocating, into a
// buffer in memory; one goroutine for each output writes what is there. form.go has the
// two shapes of a line, fields.go what can be in it; internal/outlet is the way to the disk.
package accesslog

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/traefik/paerser/types"

	"fairway/internal/nearest"
	"fairway/internal/outlet"
	"fairway/telemetry/otlplogs"
)

// Config of the access log.
type Config struct {
	// FilePath is the file to write to. Missing directories are made. After USR1 it is
	// opened anew, for logrotate. Default: the standard output.
	FilePath string `json:"filePath,omitempty"`
	// Format of the lines: common (Traefik's), genericCLF (what Apache calls combined),
	// json, or template. Default: common.
	Format string `json:"format,omitempty"`
	// Template is the line of the format template, with the names of fields in braces, as
	// in ${ClientHost} "${RequestMethod} ${RequestPath}" ${DownstreamStatus} ${Duration}.
	// ${request_User-Agent}, ${origin_Server} and ${downstream_Content-Type} are headers. As
	// in the formats common and genericCLF, times are written as 02/Jan/2006:15:04:05 +0000, durations in
	// milliseconds, what is not known as a dash, and what could break the line by its
	// number, as \x22; outside of double quotes this goes for spaces, too.
	Template string `json:"template,omitempty"`
	// BufferingSize is how many lines are collected before they are written, unless
	// FlushInterval is over before. Default: 0, as many as fit into 256 KiB. However many
	// they are, lines may wait in 4 MiB of memory for a slow disk; further ones are lost, and
	// the log of the program says how many.
	BufferingSize int `json:"bufferingSize,omitempty"`
	// FlushInterval is how long a line waits at most before it is written. Default: 1s.
	FlushInterval types.Duration `json:"flushInterval,omitempty"`
	// AddInternals also writes the requests that fairway answers by services of its own,
	// as api@internal and ping@internal. Default: false.
	AddInternals bool `json:"addInternals,omitempty"`
	// DualOutput writes the lines to the standard output as well as to FilePath, or OTLP.
	// Default: false.
	DualOutput bool `json:"dualOutput,omitempty"`
	// OTLP sends a record for each line to a collector of OpenTelemetry, with the fields of
	// the format json as attributes. Nothing is written to the standard output then, unless
	// DualOutput says so.
	OTLP *otlplogs.Config `json:"otlp,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// Filters choose the requests that are written. One that fits is enough. Default: all
	// requests are written.
	Filters *Filters `json:"filters,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// Sampling is the share, from 0 to 1, that is written of the requests that no filter
	// chooses, picked at random. With the filter statusCodes 400-599 and a sampling of
	// 0.01 all errors are written, and one in a hundred of the others. Default: with
	// filters none of them, without filters all.
	Sampling float64 `json:"sampling,omitempty"`
	// Fields says what of a request is written.
	Fields *FieldModes `json:"fields,omitempty" label:"allowEmpty" file:"allowEmpty"`
}

// Filters choose requests. One that fits is enough.
type Filters struct {
	// StatusCodes are the statuses that the client got, and ranges of them, as 404 and
	// 500-599. A client that went away has 499.
	StatusCodes []string `json:"statusCodes,omitempty"`
	// RetryAttempts chooses requests that were tried more than once. Default: false.
	RetryAttempts bool `json:"retryAttempts,omitempty"`
	// MinDuration chooses requests that took longer. Default: 0s, none.
	MinDuration types.Duration `json:"minDuration,omitempty"`
}

// FieldModes say what of a request is written: keep writes a field, drop leaves it out,
// redact writes REDACTED for it.
type FieldModes struct {
	// DefaultMode of the fields that Names does not mention: keep, drop or redact. It does
	// not concern those that a template names. Default: keep.
	DefaultMode string `json:"defaultMode,omitempty"`
	// Names are modes by the names of fields. Some fields are written only if they are
	// mentioned here, with keep.
	Names map[string]string `json:"names,omitempty"`
	// Headers are those of the request and of the response.
	Headers *HeaderModes `json:"headers,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// QueryParameters are those in RequestPath, and in headers that have an address: Referer,
	// Location, Content-Location, Refresh, and those whose names end with -Url or -Uri.
	QueryParameters *QueryModes `json:"queryParameters,omitempty" label:"allowEmpty" file:"allowEmpty"`
}

// SetDefaults implements the defaults documented at the fields.
func (f *FieldModes) SetDefaults() { f.DefaultMode = modeNames[keep] }

// HeaderModes say which headers are written. Those that carry credentials, as
// Authorization, Cookie, and what has a word like token, secret, password, key or auth in its
// name, are written REDACTED unless Names has them with keep.
type HeaderModes struct {
	// DefaultMode of the headers that Names does not mention: keep, drop or redact. It
	// does not concern those that a template names. Default: drop.
	DefaultMode string `json:"defaultMode,omitempty"`
	// Names are modes by the names of headers.
	Names map[string]string `json:"names,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (h *HeaderModes) SetDefaults() { h.DefaultMode = modeNames[drop] }

// QueryModes say which parameters of queries are written: drop leaves out a parameter,
// redact its value.
type QueryModes struct {
	// DefaultMode of the parameters that Names does not mention: keep, drop or redact.
	// Default: keep.
	DefaultMode string `json:"defaultMode,omitempty"`
	// Names are modes by the names of parameters; case does not count.
	Names map[string]string `json:"names,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (q *QueryModes) SetDefaults() { q.DefaultMode = modeNames[keep] }

// SetDefaults implements the defaults documented at the fields.
func (c *Config) SetDefaults() {
	c.Format, c.FlushInterval = formatCommon, types.Duration(time.Second)
}

// The formats of lines.
const (
	formatCommon   = "common"
	formatGeneric  = "genericCLF"
	formatJSON     = "json"
	formatTemplate = "template"
)

// New opens the log. Errors name the option at fault. Nothing is written before Run.
func (c *Config) New(log logrus.FieldLogger) (*Log, error) {
	l, err := c.build(log)
	if err != nil {
		return nil, err
	}
	if c.OTLP != nil {
		if err := c.collect(l); err != nil {
			return nil, fmt.Errorf("otlp.%w", err)
		}
	}
	if c.FilePath != "" {
		o, err := outlet.File(c.open)
		if err != nil {
			return nil, fmt.Errorf("filePath: %w", err)
		}
		l.sinks = append(l.sinks, c.sink(c.FilePath, o, l.trouble))
	}
	if c.FilePath == "" && c.OTLP == nil || c.DualOutput {
		l.sinks = append(l.sinks, c.sink("standard output", outlet.Standard(os.Stdout), l.trouble))
	}
	return l, nil
}

// build makes everything but the outputs.
func (c *Config) build(log logrus.FieldLogger) (*Log, error) {
	switch {
	case c.BufferingSize < 0:
		return nil, fmt.Errorf("bufferingSize: %d is below zero", c.BufferingSize)
	case c.FlushInterval < 0:
		return nil, fmt.Errorf("flushInterval: %s is below zero", time.Duration(c.FlushInterval))
	}
	m, err := c.Fields.modes()
	if err != nil {
		return nil, fmt.Errorf("fields.%w", err)
	}
	f, err := c.form(m)
	if err != nil {
		return nil, err
	}
	choose, err := c.choice()
	if err != nil {
		return nil, err
	}
	l := &Log{log: log, form: f, choose: choose, trouble: make(chan struct{}, 1)}
	l.free.New = func() any { return newLine(f, time.Local) }
	return l, nil
}

func (c *Config) form(m *modes) (*form, error) {
	if c.Template != "" && c.Format != formatTemplate {
		return nil, errors.New("template: is only used with format: template")
	}
	switch c.Format {
	case "", formatCommon:
		return newText(m, commonLine, false)
	case formatGeneric:
		return newText(m, genericLine, false)
	case formatJSON:
		return newJSON(m), nil
	case formatTemplate:
		f, err := newText(m, strings.TrimRight(c.Template, "\r\n"), true)
		if err != nil {
			return nil, fmt.Errorf("template: %w", err)
		}
		return f, nil
	}
	known := []string{formatCommon, formatGeneric, formatJSON, formatTemplate}
	return nil, fmt.Errorf("format: %q is none of %s%s", c.Format, strings.Join(known, ", "), suggestion(c.Format, known))
}

func (c *Config) choice() (*choice, error) {
	filters, err := c.Filters.parse()
	if err != nil {
		return nil, fmt.Errorf("filters.%w", err)
	}
	if !(c.Sampling >= 0 && c.Sampling <= 1) { // NaN included
		return nil, fmt.Errorf("sampling: %v is not between 0 and 1", c.Sampling)
	}
	share := c.Sampling
	if share == 0 && !filters.any() {
		share = 1
	}
	return &choice{internals: c.AddInternals, filters: filters, share: share, random: rand.Float64}, nil
}

func (c *Config) sink(name string, o *outlet.Output, trouble chan struct{}) *outlet.Sink {
	interval := time.Duration(c.FlushInterval)
	if interval == 0 {
		interval = time.Second
	}
	return outlet.New(name, o, c.BufferingSize, interval, trouble)
}

// suggestion ends an error about a name that is not known.
func suggestion(got string, known []string) string {
	if name := nearest.Name(got, known); name != "" {
		return fmt.Sprintf("; did you mean %q?", name)
	}
	return ""
}

// open opens the file, and makes its directory.
func (c *Config) open() (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(c.FilePath), 0o755); err != nil {
		return nil, fmt.Errorf("make the directory of the access log: %w", err)
	}
	f, err := os.OpenFile(c.FilePath, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644) //nolint:gosec // those who collect logs are other users
	if err != nil {
		return nil, fmt.Errorf("open the access log: %w", err)
	}
	return f, nil
}
