package accesslog

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	otellog "go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/trace"

	"fairway/internal/outlet"
	"fairway/telemetry"
	"fairway/telemetry/otlplogs"
)

// A collector of OpenTelemetry is an output as a file is: it gets lines of JSON from a
// queue, and makes records of them. So a request is logged at the same price, and a
// collector that is away is what a full disk is. Only that a collector may refuse some
// records, for reasons of its own: they are given up.

// collector is an io.Writer of lines.
type collector struct {
	to      *otlplogs.Sender
	refused *telemetry.Failures
}

// collect adds a collector to the outputs.
func (c *Config) collect(l *Log) error {
	to, err := c.OTLP.New()
	if err != nil {
		return err
	}
	l.refused = telemetry.NewFailures(l.log, "the collector refuses records of the access log", "the collector takes records of the access log again")
	s := c.sink("otlp", outlet.To(&collector{to, l.refused}), l.trouble)
	if l.form.json {
		l.sinks = append(l.sinks, s)
		return nil
	}
	m, err := c.Fields.modes()
	if err != nil {
		return fmt.Errorf("fields.%w", err)
	}
	f := newJSON(m)
	l.collected = &Log{log: l.log, form: f, sinks: []*outlet.Sink{s}}
	l.collected.free.New = func() any { return newLine(f, time.Local) }
	return nil
}

// Write implements io.Writer. It tells how many bytes are dealt with, which are whole lines.
func (c *collector) Write(text []byte) (n int, err error) {
	for n < len(text) {
		records, size := take(text[n:])
		switch err := c.to.Send(records); {
		case err == nil:
			c.refused.Worked()
		case errors.Is(err, otlplogs.ErrRefused):
			c.refused.Failed(len(records), err)
		default:
			return n, err
		}
		n += size
	}
	return n, nil
}

// Close implements io.Closer.
func (c *collector) Close() error { return c.to.Close() }

// take makes records of as many lines as are sent at once.
func take(text []byte) (records []otlplogs.Record, size int) {
	for len(records) < otlplogs.MostRecords && size < len(text) {
		end := bytes.IndexByte(text[size:], '\n') + 1
		if end == 0 {
			end = len(text) - size
		}
		records = append(records, recordOf(text[size:size+end]))
		size += end
	}
	return records, size
}

// recordOf makes a record of a line, with its fields as attributes. It is of the moment
// when the request was over.
func recordOf(line []byte) otlplogs.Record {
	r := otlplogs.Record{Severity: otellog.SeverityInfo, Text: "INFO"}
	var fields map[string]any
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	if err := decoder.Decode(&fields); err != nil { // it is our own: there is none
		r.Body = string(line)
		return r
	}
	r.Time, r.Body, r.Trace = timeOf(fields), summary(fields), traceOf(fields)
	for _, own := range []string{"level", "msg", "time"} {
		delete(fields, own)
	}
	for name, value := range fields {
		r.Attributes = append(r.Attributes, attributeOf(name, value))
	}
	slices.SortFunc(r.Attributes, func(a, b attribute.KeyValue) int { return strings.Compare(string(a.Key), string(b.Key)) })
	return r
}

func attributeOf(name string, value any) attribute.KeyValue {
	switch v := value.(type) {
	case string:
		return attribute.String(name, v)
	case bool:
		return attribute.Bool(name, v)
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return attribute.Int64(name, n)
		}
		if n, err := v.Float64(); err == nil {
			return attribute.Float64(name, n)
		}
	}
	return attribute.String(name, fmt.Sprint(value))
}

// timeOf is more precise where the fields are kept that tell.
func timeOf(fields map[string]any) time.Time {
	began, _ := fields[nameStartUTC].(string)
	took, _ := fields[nameDuration].(json.Number)
	if start, err := time.Parse(time.RFC3339Nano, began); err == nil {
		n, _ := took.Int64()
		return start.Add(time.Duration(n))
	}
	text, _ := fields["time"].(string)
	at, _ := time.Parse(time.RFC3339, text)
	return at
}

// summary is what there is to read without a look at the attributes.
func summary(fields map[string]any) string {
	var words []string
	for _, name := range []string{"RequestMethod", "RequestHost", "RequestPath", "DownstreamStatus"} {
		if v, has := fields[name]; has {
			words = append(words, fmt.Sprint(v))
		}
	}
	return strings.Join(words, " ")
}

// traceOf is the span of the request, or the trace that its sender has put it into.
func traceOf(fields map[string]any) trace.SpanContext {
	var c trace.SpanContextConfig
	id, _ := fields["TraceId"].(string)
	if n, err := hex.Decode(c.TraceID[:], []byte(id[:min(len(id), 32)])); err != nil || n != len(c.TraceID) {
		return trace.SpanContext{}
	}
	if id, _ := fields["SpanId"].(string); len(id) == 16 {
		if _, err := hex.Decode(c.SpanID[:], []byte(id)); err == nil {
			c.TraceFlags = trace.FlagsSampled
		}
	}
	return trace.NewSpanContext(c)
}
