package wasm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/sirupsen/logrus"
	"github.com/tetratelabs/wazero/api"

	"fairway/internal/clientip"
	"fairway/internal/headername"
	"fairway/internal/requesthead"
)

// The functions that plugins can call, as http-wasm has them: texts are places in the plugin's memory,
// and what is longer than a plugin has room for is not written, but its length told. A call that makes no
// sense ends the plugin with its reason.

// hosted is a function: it gets its arguments, and gives back its result.
type hosted func(c *calling, args []uint64) uint64

// calling is a call of a plugin.
type calling struct {
	*exchange
	memory api.Memory
}

// fails ends the plugin. It does not return.
func fails(format string, args ...any) {
	panic(fmt.Errorf(format, args...)) //nolint:forbidigo // wazero makes it the error of the call
}

// host defines the functions. The letters are their arguments and results: i for 32 bits, l for 64.
func (p *plugin) host(ctx context.Context) error {
	kinds := func(letters string) (all []api.ValueType) {
		for _, l := range letters {
			all = append(all, map[rune]api.ValueType{'i': api.ValueTypeI32, 'l': api.ValueTypeI64}[l])
		}
		return all
	}
	b := p.runtime.NewHostModuleBuilder("http_handler")
	for name, f := range functions {
		b = b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, module api.Module, stack []uint64) {
			x := of(ctx)
			if x.handler == nil && !f.early {
				fails("%s: there is no request yet", name)
			}
			for i := range f.args { // all are of 32 bits, and what is above may be anything
				stack[i] = uint64(uint32(stack[i]))
			}
			result := f.call(&calling{x, module.Memory()}, stack)
			if f.result != "" {
				stack[0] = result
			}
		}), kinds(f.args), kinds(f.result)).Export(name)
	}
	if _, err := b.Instantiate(ctx); err != nil {
		return fmt.Errorf("define what plugins can call: %w", err)
	}
	return nil
}

// functions are all of them, by name.
var functions = map[string]struct {
	args, result string
	early        bool // also when an instance begins
	call         hosted
}{
	"enable_features":      {"i", "i", true, (*calling).enableFeatures},
	"get_config":           {"ii", "i", true, func(c *calling, a []uint64) uint64 { return c.write(a, c.instance.plugin.config.Config) }},
	"log_enabled":          {"i", "i", true, func(c *calling, a []uint64) uint64 { return c.logEnabled(a) }},
	"log":                  {"iii", "", true, (*calling).logLine},
	"get_method":           {"ii", "i", false, func(c *calling, a []uint64) uint64 { return c.write(a, c.r.Method) }},
	"set_method":           {"ii", "", false, (*calling).setMethod},
	"get_uri":              {"ii", "i", false, func(c *calling, a []uint64) uint64 { return c.write(a, c.r.URL.RequestURI()) }},
	"set_uri":              {"ii", "", false, (*calling).setURIOf},
	"get_protocol_version": {"ii", "i", false, func(c *calling, a []uint64) uint64 { return c.write(a, c.r.Proto) }},
	"get_source_addr":      {"ii", "i", false, func(c *calling, a []uint64) uint64 { return c.write(a, clientip.Peer(c.r).String()) }},
	"get_header_names":     {"iii", "l", false, (*calling).headerNames},
	"get_header_values":    {"iiiii", "l", false, (*calling).headerValues},
	"set_header_value":     {"iiiii", "", false, func(c *calling, a []uint64) uint64 { return c.setHeader(a, false) }},
	"add_header_value":     {"iiiii", "", false, func(c *calling, a []uint64) uint64 { return c.setHeader(a, true) }},
	"remove_header":        {"iii", "", false, (*calling).removeHeader},
	"read_body":            {"iii", "l", false, (*calling).readInto},
	"write_body":           {"iii", "", false, (*calling).writeBody},
	"get_status_code":      {"", "i", false, func(c *calling, _ []uint64) uint64 { return uint64(max(c.status, http.StatusOK)) }},
	"set_status_code":      {"i", "", false, (*calling).setStatus},
}

// text is what the plugin has in its memory.
func (c *calling) text(at, length uint64) string {
	b, ok := c.memory.Read(uint32(at), uint32(length))
	if !ok {
		fails("a text is out of the memory")
	}
	return string(b)
}

// write gives the plugin a text, if it has the room.
func (c *calling) write(a []uint64, text string) uint64 {
	if len(text) <= int(uint32(a[1])) && !c.memory.WriteString(uint32(a[0]), text) {
		fails("the room for a text is out of the memory")
	}
	return uint64(len(text))
}

// writeAll gives the plugin texts, each with a zero behind it.
func (c *calling) writeAll(a []uint64, texts []string) uint64 {
	if len(texts) == 0 {
		return 0
	}
	all := strings.Join(texts, "\x00") + "\x00"
	return uint64(len(texts))<<32 | c.write(a, all)
}

func (c *calling) enableFeatures(a []uint64) uint64 {
	features := uint32(a[0]) & (bufferRequest | bufferResponse)
	if c.handler == nil {
		c.instance.features |= features
		return uint64(c.instance.features)
	}
	c.features |= features
	return uint64(c.features)
}

// level is one of http-wasm, as the log has it.
func level(a uint64) logrus.Level {
	switch int32(a) {
	case -1:
		return logrus.DebugLevel
	case 0:
		return logrus.InfoLevel
	case 1:
		return logrus.WarnLevel
	}
	return logrus.ErrorLevel
}

func (c *calling) logEnabled(a []uint64) uint64 {
	if logger, ok := c.handlerLog().(*logrus.Entry); ok && int32(a[0]) < 3 && logger.Logger.IsLevelEnabled(level(a[0])) {
		return 1
	}
	return 0
}

func (c *calling) handlerLog() logrus.FieldLogger {
	if c.handler == nil {
		return nil
	}
	return c.handler.log.WithField("path", c.r.URL.Path)
}

// Limits for what is written into the log.
const (
	mostLines   = 20
	longestLine = 1000
)

func (c *calling) logLine(a []uint64) uint64 {
	log, _ := c.handlerLog().(*logrus.Entry)
	if c.lines++; log != nil && c.lines <= mostLines && int32(a[0]) < 3 {
		log.Log(level(a[0]), "plugin: "+strings.ToValidUTF8(c.text(a[1], min(a[2], longestLine)), "?"))
	}
	return 0
}

// early refuses what would come too late.
func (c *calling) early(what string) {
	if c.after {
		fails("%s: the request has been sent", what)
	}
}

// changeable refuses what would come too late for the response.
func (c *calling) changeable(what string) {
	if c.after && c.features&bufferResponse == 0 {
		fails("%s: the response has been sent, as buffer_response is not enabled", what)
	}
}

func (c *calling) setMethod(a []uint64) uint64 {
	c.early("set_method")
	method := c.text(a[0], a[1])
	if !headername.Valid(method) {
		fails("set_method: %q is none", method)
	}
	c.changed().Method = method
	return 0
}

func (c *calling) setURIOf(a []uint64) uint64 {
	c.early("set_uri")
	if err := c.setURI(c.text(a[0], a[1])); err != nil {
		fails("%s", err.Error())
	}
	return 0
}

// The kinds of headers and bodies.
const (
	ofRequest  = 0
	ofResponse = 1
)

// fields is the header map of a kind. Trailers are not to be had, and so there are none.
func (c *calling) fields(kind uint64) http.Header {
	switch {
	case kind == ofRequest:
		return c.r.Header
	case kind == ofResponse && c.header != nil:
		return c.header
	case kind == ofResponse:
		return c.client.Header()
	}
	return nil
}

func (c *calling) headerNames(a []uint64) uint64 {
	names := slices.Sorted(maps.Keys(c.fields(a[0])))
	if a[0] == ofRequest {
		names = append(names, "Host")
	}
	for i, name := range names {
		names[i] = strings.ToLower(name)
	}
	return c.writeAll(a[1:], names)
}

func (c *calling) headerValues(a []uint64) uint64 {
	name := http.CanonicalHeaderKey(c.text(a[1], a[2]))
	if a[0] == ofRequest && name == "Host" {
		return c.writeAll(a[3:], []string{c.r.Host})
	}
	return c.writeAll(a[3:], c.fields(a[0])[name])
}

// mostValues is how many values of a name a plugin may make.
const mostValues = 100

func (c *calling) setHeader(a []uint64, add bool) uint64 {
	given, value := c.text(a[1], a[2]), c.text(a[3], a[4])
	if err := headername.Settable(given); err != nil {
		fails("set a header: %s", err.Error())
	}
	if !headername.ValidValue(value) {
		fails("%s: %q is no value of a header", given, value)
	}
	name := http.CanonicalHeaderKey(given)
	values := []string{value}
	if add {
		values = append(slices.Clip(c.fields(a[0])[name]), value)
	}
	if len(values) > mostValues {
		fails("%s: has more than %d values", name, mostValues)
	}
	c.put(a[0], name, values)
	return 0
}

func (c *calling) removeHeader(a []uint64) uint64 {
	name := c.text(a[1], a[2])
	if err := headername.Settable(name); err != nil {
		fails("remove a header: %s", err.Error())
	}
	c.put(a[0], http.CanonicalHeaderKey(name), nil)
	return 0
}

// put makes values all that a header has; nil: it is taken away.
func (c *calling) put(kind uint64, name string, values []string) {
	switch kind {
	case ofRequest:
		c.early("change a header of the request")
		if values == nil {
			c.undo = append(c.undo, requesthead.Remove(c.r.Header, name))
		} else {
			c.undo = append(c.undo, requesthead.Set(c.r.Header, name, values))
		}
	case ofResponse:
		c.changeable("change a header of the response")
		if values == nil {
			delete(c.fields(kind), name)
		} else {
			c.fields(kind)[name] = values
		}
	default:
		fails("trailers cannot be changed")
	}
}

// readInto gives the plugin the next part of a body, and tells whether that was the last one.
func (c *calling) readInto(a []uint64) uint64 {
	room, ok := c.memory.Read(uint32(a[1]), uint32(a[2]))
	if !ok || len(room) == 0 {
		fails("read_body: there is no room")
	}
	var from *bytes.Reader
	switch a[0] {
	case ofRequest:
		if c.body == nil {
			c.early("read_body")
			if err := c.readBody(); err != nil {
				fails("read_body: %s", err.Error())
			}
		}
		from = c.body
	case ofResponse:
		if from = c.response; from == nil {
			fails("read_body: there is no response, or buffer_response is not enabled")
		}
	default:
		fails("read_body: %d is no kind of body", a[0])
	}
	n, _ := from.Read(room)
	result := uint64(n)
	if from.Len() == 0 {
		result |= 1 << 32
	}
	return result
}

var errLong = errors.New("write_body: the body is longer than maxBodyBytes")

func (c *calling) writeBody(a []uint64) uint64 {
	to := &c.written
	switch a[0] {
	case ofRequest:
		c.early("write_body")
		to = &c.newBody
	case ofResponse:
		c.changeable("write_body")
	default:
		fails("write_body: %d is no kind of body", a[0])
	}
	if *to == nil {
		*to = &bytes.Buffer{}
	}
	if int64((*to).Len())+int64(uint32(a[2])) > c.handler.most {
		fails("%s", errLong.Error())
	}
	(*to).WriteString(c.text(a[1], a[2]))
	return 0
}

func (c *calling) setStatus(a []uint64) uint64 {
	c.changeable("set_status_code")
	if status := uint32(a[0]); status < 200 || status > 599 {
		fails("set_status_code: %d is not from 200 to 599", status)
	}
	c.status = int(a[0])
	return 0
}
