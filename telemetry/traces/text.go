package traces

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Spans wait for their collector after the request is over. What is in them is bounded, and
// is none of its texts: a path of ten bytes would keep the whole head, of up to a
// megabyte, for as long.

// longestText is how many bytes of a text are kept.
const longestText = 2 << 10

// own is a text as spans have it: a copy, cut off, and valid, for else the whole message
// to the collector would not be.
func own(text string) string {
	if len(text) > longestText {
		end := longestText
		for end > longestText-utf8.UTFMax && !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end]
	}
	if !utf8.ValidString(text) {
		return strings.ToValidUTF8(text, "\uFFFD")
	}
	return strings.Clone(text)
}

func str(name, value string) attribute.KeyValue { return attribute.String(name, own(value)) }

// list is an attribute with several values, which are bounded together.
func list(name string, values []string) attribute.KeyValue {
	kept, size := make([]string, 0, len(values)), 0
	for _, value := range values {
		if size += len(value); size > longestText && len(kept) > 0 {
			break
		}
		kept = append(kept, own(value))
	}
	return attribute.StringSlice(name, kept)
}

// carrier reads what a sender tells of a trace, and keeps nothing of the head.
type carrier struct{ propagation.HeaderCarrier }

// Get implements propagation.TextMapCarrier.
func (c carrier) Get(name string) string { return strings.Clone(c.HeaderCarrier.Get(name)) }

func carrierOf(h http.Header) carrier { return carrier{propagation.HeaderCarrier(h)} }

// sized is a span that has ended, and about how many bytes it has.
type sized struct {
	sdktrace.ReadOnlySpan
	size int
}

// Bytes of a span, and of an attribute, beside its texts.
const (
	sizeOfSpan      = 256
	sizeOfAttribute = 32
)

func measure(s sdktrace.ReadOnlySpan) *sized {
	n := sizeOfSpan + len(s.Name()) + len(s.Status().Description) + len(s.SpanContext().TraceState().String())
	for _, a := range s.Attributes() {
		n += sizeOfAttribute + len(a.Key)
		switch a.Value.Type() {
		case attribute.STRING:
			n += len(a.Value.AsString())
		case attribute.STRINGSLICE:
			for _, text := range a.Value.AsStringSlice() {
				n += sizeOfAttribute + len(text)
			}
		}
	}
	return &sized{s, n}
}
