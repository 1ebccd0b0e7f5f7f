package sandbox

import (
	"fmt"
	"regexp"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// verb is one of string.format: flags, a width and a precision of two digits at most, and what it is.
var verb = regexp.MustCompile(`^%([-+ #0]{0,5})([0-9]{0,2})(\.[0-9]{0,2})?([a-zA-Z])`)

// format is string.format of Lua 5.1.
func (r *Run) format(l *lua.LState) int {
	rest := l.CheckString(1)
	var b strings.Builder
	add := func(s string) {
		r.Take(2 * len(s))
		b.WriteString(s)
	}
	for arg := 2; ; {
		before, after, more := strings.Cut(rest, "%")
		add(before)
		if !more {
			break
		}
		if strings.HasPrefix(after, "%") {
			add("%")
			rest = after[1:]
			continue
		}
		parts := verb.FindStringSubmatch("%" + after[:min(len(after), 16)])
		if parts == nil {
			r.Fail("invalid conversion to 'format'")
		}
		r.Work(4)
		add(r.formatted(l, arg, parts))
		rest = after[len(parts[0])-1:]
		arg++
	}
	l.Push(lua.LString(b.String()))
	return 1
}

// formatted writes one argument.
func (r *Run) formatted(l *lua.LState, arg int, parts []string) string {
	how := "%" + parts[1] + parts[2] + parts[3]
	switch kind := parts[4]; kind {
	case "d", "i", "u":
		return fmt.Sprintf(how+"d", int64(l.CheckNumber(arg)))
	case "x", "X", "o":
		return fmt.Sprintf(how+kind, uint64(int64(l.CheckNumber(arg))))
	case "e", "E", "f":
		return fmt.Sprintf(how+kind, float64(l.CheckNumber(arg)))
	case "g", "G":
		if parts[3] == "" {
			how += ".6"
		}
		return fmt.Sprintf(how+kind, float64(l.CheckNumber(arg)))
	case "c":
		return string([]byte{byte(l.CheckInt(arg))})
	case "q":
		return quoted(l.CheckString(arg))
	case "s":
		s := l.ToStringMeta(l.CheckAny(arg)).String()
		if parts[2] == "" && parts[3] == "" {
			return s
		}
		return fmt.Sprintf(how+"s", s)
	default:
		r.Fail("invalid conversion '%%%s' to 'format'", kind)
		return ""
	}
}

// quoted is a text as a script has it.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`, "\n", "\\\n", "\r", `\r`, "\x00", `\000`).Replace(s) + `"`
}
