package dynamic

import (
	"fmt"
	"strings"
)

// Problem is one mistake, kept and shown instead of stopping anything.
type Problem struct {
	Severity Severity `json:"severity"`
	Provider string   `json:"provider,omitempty"`
	// Kind and Name say which object is concerned, when one is: "router",
	// "web@docker".
	Kind string `json:"kind,omitempty"`
	Name string `json:"name,omitempty"`
	// Source is where the mistake was written: a container or a file.
	Source string `json:"source,omitempty"`
	// Line in the file, from 1; 0 when unknown.
	Line int `json:"line,omitempty"`
	// Key is the label or option, as written.
	Key string `json:"key,omitempty"`
	// Reason says what is wrong.
	Reason string `json:"reason"`
	// Nearest is the right name that was probably meant.
	Nearest string `json:"nearest,omitempty"`
	// Disables tells that the object is out of use until the mistake is mended:
	// a router or middleware that was not understood is not guessed at, since a
	// forgotten middleware or entry point may be what keeps strangers out.
	Disables bool `json:"disables,omitempty"`
	// Yields tells, of a router that is disabled, that its place is free for others: what is
	// missing is what it leads to, and not what was to guard that.
	Yields bool `json:"-"`
	// Blind tells that its provider cannot see at present what there is, and tries again by
	// itself.
	Blind bool `json:"-"`
}

// Severity of a problem.
type Severity string

const (
	Error   Severity = "error"   // something does not work
	Warning Severity = "warning" // it works, but not as written
	Notice  Severity = "notice"  // worth knowing
)

// Kinds of objects, as the problems name them.
const (
	KindRouter     = "router"
	KindService    = "service"
	KindMiddleware = "middleware"
	KindTransport  = "serversTransport"
	KindConsumer   = "consumer"
	KindPlan       = "plan"
	KindTLSOptions = "tlsOptions"
	KindTLSStore   = "tlsStore"
)

// String is the problem on one line: place, reason, nearest right name.
func (p Problem) String() string {
	var b strings.Builder
	if p.Source != "" {
		b.WriteString(p.Source)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	} else if p.Name != "" {
		b.WriteString(p.Kind + " " + p.Name + ": ")
	}
	b.WriteString(p.Reason)
	if p.Nearest != "" {
		fmt.Fprintf(&b, " (did you mean %q?)", p.Nearest)
	}
	return b.String()
}
