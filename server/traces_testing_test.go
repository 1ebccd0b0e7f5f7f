package server

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	v1 "go.opentelemetry.io/proto/otlp/trace/v1"
	pb "google.golang.org/protobuf/proto"
)

// collector receives spans by OTLP.
type collector struct {
	url string

	mu    sync.Mutex
	spans []*v1.Span
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		request := &coltrace.ExportTraceServiceRequest{}
		if err := pb.Unmarshal(body, request); err != nil {
			t.Error(err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, resource := range request.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				c.spans = append(c.spans, scope.Spans...)
			}
		}
	}))
	t.Cleanup(s.Close)
	c.url = s.URL + "/v1/traces"
	return c
}

// tree draws the spans below that with the id, each with those attributes that are named.
func (c *collector) tree(under []byte, attributes ...string) string {
	var lines []string
	var draw func(under []byte, indent string)
	draw = func(under []byte, indent string) {
		for _, s := range c.below(under) {
			line := indent + s.Name
			for _, name := range attributes {
				for _, a := range s.Attributes {
					if a.Key == name {
						line += " " + name[strings.LastIndexByte(name, '.')+1:] + "=" + valueOf(a.Value)
					}
				}
			}
			lines = append(lines, line)
			draw(s.SpanId, indent+"> ")
		}
	}
	draw(under, "")
	return strings.Join(lines, "\n")
}

func valueOf(v *common.AnyValue) string {
	if text := v.GetStringValue(); text != "" {
		return text
	}
	return strconv.FormatInt(v.GetIntValue(), 10)
}

// below are the spans that hang on the one with the id, as they began.
func (c *collector) below(id []byte) (list []*v1.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if string(s.ParentSpanId) == string(id) {
			list = append(list, s)
		}
	}
	slices.SortStableFunc(list, func(a, b *v1.Span) int { return int(int64(a.StartTimeUnixNano) - int64(b.StartTimeUnixNano)) })
	return list
}

// ofKind are the ids of the spans of a kind, in the order in which they have ended.
func (c *collector) ofKind(kind v1.Span_SpanKind) (ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.Kind == kind {
			ids = append(ids, hex.EncodeToString(s.SpanId))
		}
	}
	return ids
}
