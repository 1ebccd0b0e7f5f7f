package sandbox

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	lua "github.com/yuin/gopher-lua"
)

var usual = Limits{Instructions: 200_000, Memory: 8 << 20, Time: time.Minute}

// run runs a script, which tells something by out, and returns what it has told.
func run(t *testing.T, text string, limits Limits) (string, error) {
	t.Helper()
	s, err := Compile("script", text, limits, func(r *Run) {
		r.Define("out", r.L.NewFunction(func(l *lua.LState) int {
			for i := range l.GetTop() {
				fmt.Fprint(r.Of.(*strings.Builder), l.ToStringMeta(l.Get(i+1)).String(), " ")
			}
			return 0
		}))
	})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	r, err := s.Begin(t.Context(), &b)
	defer r.End()
	return strings.TrimSpace(b.String()), err
}

// TestScripts_DoWhatLuaDoes has expressions, and what Lua 5.1 makes of them.
func TestScripts_DoWhatLuaDoes(t *testing.T) {
	for text, want := range map[string]string{
		`1 .. 2 .. "x"`:                         "12x",
		`"a" .. (function() return 1, 2 end)()`: "a1",
		`("x"):rep(3)`:                          "xxx",
		`("x"):rep(-1)`:                         "",
		`#{1, 2, 3}`:                            "3",
		`#{(function() return 1, 2, 3 end)()}`:  "3",
		`string.format("%5.1f|%-4d|%04x|%s|%q|%%|%c|%g", 3.14159, 7, 255, "s", 'a"b', 65, 1e20)`: `3.1|7   |00ff|s|"a\"b"|%|A|1e+20`,
		`string.format("%3s|%-3s|%.2s", "a", "b", "long")`:                                       "a|b  |lo",
		`("hello world"):find("o w")`:                                                            "5 7",
		`("hello"):find("l+")`:                                                                   "3 4",
		`("hello"):find("(l)(l)")`:                                                               "3 4 l l",
		`("hello"):find("xyz")`:                                                                  "nil",
		`("a.b"):find(".", 1, true)`:                                                             "2 2",
		`("a.b"):find("", 9)`:                                                                    "nil",
		`("hello"):find("")`:                                                                     "1 0",
		`("hello"):find("l", -2)`:                                                                "4 4",
		`("key = value"):match("^(%w+)%s*=%s*(%w+)$")`:                                           "key value",
		`("hello"):match("()ll()")`:                                                              "3 5",
		`("x=(a(b)c)d"):match("%b()")`:                                                           "(a(b)c)",
		`("THE (quick) fox"):find("%f[%a]%a+%f[%A]")`:                                            "1 3",
		`("abab"):match("(ab)%1")`:                                                               "ab",
		`("[]]"):match("[]]+")`:                                                                  "]]",
		`("a-b"):gsub("[a-]", "x")`:                                                              "xxb 2",
		`("hello"):gsub("l", "L", 1)`:                                                            "heLlo 1",
		`("hello"):gsub("", "-")`:                                                                "-h-e-l-l-o- 6",
		`("hello"):gsub("(h)(e)", "%2%1%0%%")`:                                                   "ehhe%llo 1",
		`("$a $b"):gsub("%$(%w+)", {a = 1})`:                                                     "1 $b 2",
		`("abc"):gsub("%w", function(c) if c == "b" then return "B" end end)`:                    "aBc 3",
		`("hello"):gsub("^h", "j")`:                                                              "jello 1",
		`("hello"):gsub("l*", "x")`:                                                              "xhxexxox 5",
		`("a,b,,c"):gsub(",", "")`:                                                               "abc 3",
		`("abc"):reverse():upper()`:                                                              "CBA",
		`("abc"):byte(1, -1)`:                                                                    "97 98 99",
		`string.char(72, 105)`:                                                                   "Hi",
		`table.concat({1, 2, "x"}, ", ")`:                                                        "1, 2, x",
		`table.concat({1, 2, 3}, "", 2, 3)`:                                                      "23",
		`table.concat({})`:                                                                       "",
		`math.floor(7 / 2), math.max(1, 5), 7 % 3, 2 ^ 10`:                                       "3 5 1 1024",
		`pcall(error, "x")`:                                                                      "false script:1: x",
		`select("#", unpack({1, 2, 3}))`:                                                         "3",
		`tostring(nil), tonumber("0x10"), tonumber("z", 36)`:                                     "nil 16 35",
		`type(string), type(string.rep)`:                                                         "userdata function",
		`json.encode({b = {1, 2}, a = "x\n", c = json.null, d = 1.5, e = true})`:                 `{"a":"x\n","b":[1,2],"c":null,"d":1.5,"e":true}`,
		`json.encode(json.decode('{"a":[],"b":{},"c":[null,{"d":12}]}'))`:                        `{"a":[],"b":{},"c":[null,{"d":12}]}`,
		`json.encode({}), json.encode(json.array({})), json.encode("<&>")`:                       `{} [] "<&>"`,
		`json.decode("12") + 1, json.decode('"x"'), json.decode("null") == json.null`:            "13 x true",
		`io, os, require, load, loadstring, dofile, loadfile, debug, package, getfenv, setfenv, coroutine, newproxy, collectgarbage, _G, print, module`: strings.TrimSpace(strings.Repeat("nil ", 17)),
		`getmetatable(""), getmetatable(string), getmetatable(json)`:                                                                                    "false false false",
	} {
		t.Run(text, func(t *testing.T) {
			got, err := run(t, "out("+text+")", usual)
			if err != nil || got != strings.TrimSpace(want) {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		})
	}
}

func TestScripts_AssignAsLuaDoes(t *testing.T) {
	for name, script := range map[string][2]string{
		"swap":              {`local t = {1, 2} t[1], t[2] = t[2], t[1] out(t[1], t[2])`, "2 1"},
		"index before":      {`local i, t = 1, {} i, t[i] = i + 1, 20 out(i, t[1], t[2])`, "2 20 nil"},
		"several values":    {`local function f() return 1, 2 end local t = {} t.a, t.b, x = f() out(t.a, t.b, x)`, "1 2 nil"},
		"one of several":    {`local function f() return 1, 2 end local t = {} t.a = f() out(t.a)`, "1"},
		"no value":          {`local function f() end local t = {a = 1} t.a = f() out(t.a)`, "nil"},
		"methods":           {`local t = {n = 1} function t:inc(by) self.n = self.n + by return self end out(t:inc(2):inc(3).n)`, "6"},
		"dotted function":   {`local t = {u = {}} function t.u.f(x) return x .. "!" end out(t.u.f("a"))`, "a!"},
		"recursion":         {`local function f(n) if n == 0 then return 0 end return n + f(n - 1) end out(f(50))`, "1275"},
		"tail calls":        {`local function f(n) if n == 0 then return "end" end return f(n - 1) end out(f(5000))`, "end"},
		"closures":          {`local function c() local n = 0 return function() n = n + 1 return n end end local a, b = c(), c() a() out(a(), b())`, "2 1"},
		"newindex table":    {`local s = {} local t = setmetatable({}, {__newindex = s}) t.x = 1 t[1] = 2 out(rawget(t, "x"), s.x, s[1])`, "nil 1 2"},
		"newindex function": {`local t = setmetatable({}, {__newindex = function(t, k, v) rawset(t, k, v * 2) end}) t.x = 4 out(t.x)`, "8"},
		"concat function":   {`local t = setmetatable({}, {__concat = function(a, b) return "joined" end}) out("a" .. t, t .. 1, "x" .. "y" .. t)`, "joined joined xjoined"},
		"varargs":           {`local function f(...) local t = {...} return #t .. (...) end out(f("a", "b"))`, "2a"},
		"goto":              {`for i = 1, 3 do if i == 2 then goto continue end out(i) ::continue:: end`, "1 3"},
		"repeat":            {`local i = 0 repeat local done = i > 2 i = i + 1 until done out(i)`, "4"},
		"insert and remove": {`local t = {} table.insert(t, "a") table.insert(t, 1, "b") out(table.concat(t), table.remove(t), table.remove(t, 1), #t, table.remove(t))`, "ba a b 0 nil"},
		"sort":              {`local t = {3, 1, 2} table.sort(t) out(table.concat(t)) table.sort(t, function(a, b) return a > b end) out(table.concat(t))`, "123 321"},
		"sort of texts":     {`local t = {"b", "a", "ab", ""} table.sort(t) out(table.concat(t, ","))`, ",a,ab,b"},
		"sort by __lt":      {`local m = {__lt = function(a, b) return a.n < b.n end} local t = {} for i = 1, 3 do t[i] = setmetatable({n = -i}, m) end table.sort(t) out(t[1].n, t[3].n)`, "-3 -1"},
		"sort of all kinds": {`out(pcall(table.sort, {1, "x"}))`, "false script:1: attempt to compare string with number"},
		"keys of all kinds": {`local function f() return 1, 2 end local t = {"a", [4] = "b", [f() + 4] = f(), x = 3, [{}] = 1, f()} out(t[1], t[2], t[3], t[4], t[5], t.x)`, "a 1 2 b 1 3"},
		"sparse":            {`local ok = {[404] = true, [500] = true} out(ok[404], ok[405], ok[500])`, "true nil true"},
		"gmatch":            {`for k, v in ("a=1, b=2"):gmatch("(%w+)=(%w+)") do out(k, v) end`, "a 1 b 2"},
		"pairs":             {`local n = 0 for k, v in pairs({1, 2, x = 3}) do n = n + v end out(n)`, "6"},
		"caught":            {`out(select(2, pcall(function() error({code = 7}) end)).code)`, "7"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := run(t, script[0], usual); err != nil || got != script[1] {
				t.Errorf("got %q, %v, want %q", got, err, script[1])
			}
		})
	}
}

// TestBombs_AreStopped has scripts that would take all time or memory there is. What they have taken
// is measured: it is little.
func TestBombs_AreStopped(t *testing.T) {
	const instructions, memory = "more than 200000 instructions", "more than 8388608 bytes of memory"
	for name, bomb := range map[string]struct{ script, want string }{
		"loop":                   {`while true do end`, instructions},
		"loop that catches":      {`while true do pcall(function() while true do end end) end`, instructions},
		"handler that loops":     {`xpcall(function() while true do end end, function() while true do end end)`, instructions},
		"tail calls":             {`local function f() return f() end f()`, instructions},
		"recursion":              {`local function f() return 1 + f() end f()`, "stack overflow"},
		"recursion by pcall":     {`local function f() pcall(f) f() end f()`, ""},
		"recursion by metatable": {`local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] end out(t.x)`, "stack overflow"},
		"recursion by tostring":  {`local t = setmetatable({}, {}) getmetatable(t).__tostring = tostring out(tostring(t))`, ""},
		"doubling":               {`local s = "x" while true do s = s .. s end`, memory},
		"many at once":           {`local s = ("x"):rep(100000) while true do s = s .. s .. s .. s .. s .. s .. s .. s end`, memory},
		"caught doubling":        {`local s = "x" while true do pcall(function() while true do s = s .. s end end) end`, memory},
		"repeated":               {`local s = ("x"):rep(1e9)`, memory},
		"repeated beyond":        {`local s = ("xxxxxxxx"):rep(2^61)`, memory},
		"elements":               {`local t = {} while true do t[#t + 1] = "x" end`, "it takes more than"},
		"inserted":               {`local t = {} while true do table.insert(t, "x") end`, "it takes more than"},
		"far element":            {`local t = {} t[60000000] = 1`, memory},
		"far raw element":        {`local t = {} rawset(t, 60000000, 1)`, memory},
		"far element behind":     {`local s = {} local t = setmetatable({}, {__newindex = s}) t[60000000] = 1`, memory},
		"far element of several": {`local t = {} t[60000000], t.x = 1, 2`, memory},
		"far field":              {`local t = {[60000000] = 1}`, memory},
		"names":                  {`local t = {} for i = 1, 1e9 do t["k" .. i] = i end`, "it takes more than"},
		"numbers as names":       {`local t = {} for i = 1, 1e9 do t[i + 0.5] = i end`, "it takes more than"},
		"tables":                 {`local t = {} for i = 1, 1e9 do t[i] = {} end`, memory},
		"tables in tables":       {`local t = {} while true do t = {t, t, t} end`, memory},
		"functions":              {`local t = {} for i = 1, 1e9 do local a, b, c, d t[i] = function() return a, b, c, d end end`, memory},
		"local functions":        {`local t for i = 1, 1e9 do local u = t local function f() return u end t = f end`, memory},
		"unpack":                 {`local t = {} for i = 1, 1e4 do t[i] = i end local u = {} while true do u = {unpack(t)} end`, memory},
		"unpack of nothing":      {`unpack({}, 1, 1e9)`, "registry overflow"},
		"format":                 {`local s = ("x"):rep(1e6) s = ("%s%s%s%s%s%s%s%s%s"):format(s, s, s, s, s, s, s, s, s)`, memory},
		"wide format":            {`("%1000000d"):format(1)`, "invalid conversion"},
		"gsub":                   {`local s = ("x"):rep(1e5) s = s:gsub(".", s)`, memory},
		"gsub with captures":     {`local s = ("x"):rep(1e6) s = s:gsub("(.*)", ("%1"):rep(100))`, memory},
		"concat":                 {`local t = {} local s = ("x"):rep(1e5) for i = 1, 1000 do t[i] = s end table.concat(t)`, memory},
		"concat between":         {`table.concat({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, ("x"):rep(1e6))`, memory},
		"encode":                 {`local s = ("x"):rep(1e6) json.encode({s, s, s, s, s, s, s})`, memory},
		"endless encode":         {`local t = {} t[1] = t json.encode(t)`, "nested deeper"},
		"decode":                 {`json.decode("[" .. ("[],"):rep(1e5) .. "1]")`, memory},
		"deep decode":            {`json.decode(("["):rep(1e5))`, "nested deeper"},
		"pattern":                {`(("a"):rep(40)):find(("a?"):rep(40) .. ("a"):rep(40))`, instructions},
		"pattern of stars":       {`(("a"):rep(1000)):find(("a*"):rep(20) .. "b")`, instructions},
		"deep pattern":           {`("x"):find(("("):rep(1000))`, "too many captures"},
		"recursive pattern":      {`(("x"):rep(1e5)):find(("x?"):rep(1e3))`, "too complex"},
		"balanced":               {`local s = ("("):rep(1e6) while true do s:find("%b()") end`, instructions},
		"sort":                   {`local t = {} for i = 1, 5e4 do t[i] = -i end while true do table.sort(t) end`, ""},
		"sort of texts":          {`local t, s = {}, ("x"):rep(1e5) for i = 1, 1000 do t[i] = s end table.sort(t)`, instructions},
		"sort that is caught":    {`local t, s = {}, ("x"):rep(1e5) for i = 1, 1000 do t[i] = s end pcall(table.sort, t)`, instructions},
		"sort by a function":     {`local t = {} for i = 1, 1e4 do t[i] = i * 7919 % 1e4 end table.sort(t, function(a, b) return a < b end)`, instructions},
		"reverse":                {`local s = ("x"):rep(1e6) while true do s = s:reverse() end`, memory},
		"insert in front":        {`local t = {} while true do table.insert(t, 1, "x") end`, "it takes more than"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := run(t, bomb.script, usual)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), bomb.want) {
				t.Fatalf("got %v, want %q", err, bomb.want)
			}
			if taken := after.TotalAlloc - before.TotalAlloc; taken > 96<<20 {
				t.Errorf("it has taken %d MiB", taken>>20)
			}
		})
	}
}

// TestWork_LooksAtTheClock has a function of the library at work for long: it ends, too.
func TestWork_LooksAtTheClock(t *testing.T) {
	var b budget
	b.reset(t.Context(), Limits{Instructions: 10 * between, Time: time.Minute})
	b.until = time.Now().Add(-time.Second)
	for range between {
		if !b.work(1) {
			return
		}
	}
	t.Errorf("it goes on: %v", b.why)
}

func TestScripts_EndWithTheirTimeAndTheirClient(t *testing.T) {
	limits := Limits{Instructions: 1 << 40, Memory: 1 << 20, Time: 20 * time.Millisecond}
	if _, err := run(t, `while true do end`, limits); err == nil || !strings.Contains(err.Error(), "computes for longer than 20ms") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	limits.Time = time.Hour
	s, err := Compile("script", `function f() while true do end end`, limits, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Begin(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.End()
	cancel()
	if err := r.Call("f"); err == nil || !strings.Contains(err.Error(), "the client does not wait") {
		t.Errorf("got %v", err)
	}
}

func TestErrors_NameThePlace(t *testing.T) {
	for script, want := range map[string]string{
		"x = 1\ny = = 2":             `line 2, near "=": syntax error`,
		"if x then":                  "at its end: syntax error",
		"goto nowhere":               "line 2: no visible label 'nowhere' for <goto> at line 1",
		"\n\nerror('what is wrong')": "script:3: what is wrong",
		"local t = nil\nt.x = 1":     "script:2: attempt to index a non-table object(nil) with key 'x'",
		"local t = nil\nout(t.x.y)":  "script:2: attempt to index a non-table object(nil) with key 'x'",
		"out(1)\nout(1 + {})":        "script:2: cannot perform add operation between number and table",
		"out('a' .. {})":             "script:1: attempt to concatenate a string and a table",
		"error({})":                  "script: an error that is a table",
		"string.x = 1":               "script:1: attempt to index a non-table object(userdata) with key 'x'",
		"table.insert({}, 5, 1)":     "script:1: bad argument #2 to insert (is not within the table)",
		"('x'):find('[a')":           "script:1: malformed pattern (missing ']')",
		"local t = {} t[nil] = 1":    "script:1: the key of a table is nil, or not a number",
		"local t = {} t[0/0] = 1":    "script:1: the key of a table is nil, or not a number",
		"nothing()":                  "script:1: attempt to call a non-function object",
		"x = " + strings.Repeat("{", 2000) + strings.Repeat("}", 2000): "it is nested deeper than 1000",
		"x = " + strings.Repeat("not ", 200_00) + "1":                  "it is nested deeper than 1000",
		strings.Repeat(" ", longest+1):                                 "it is longer than 262144 bytes",
	} {
		if _, err := run(t, script, usual); err == nil || err.Error() != want {
			t.Errorf("%.40q: got %v, want %s", script, err, want)
		}
	}
}

// TestRequests_LeaveNothingBehind runs a script for many requests by the same interpreters.
func TestRequests_LeaveNothingBehind(t *testing.T) {
	s, err := Compile("script", `
		local seen = count
		count = (count or 0) + 1
		local own = string.rep
		function f() return seen, count, string.x, table.x, json.x, getmetatable("").x, rep == own end
		pcall(function() string.x = 1 end)
		pcall(function() rawset(string, "x", 1) end)
		pcall(function() table.insert(table, 1) end)
		pcall(function() getmetatable("").x = 1 end)
		pcall(function() getmetatable(string).__index.x = 1 end)
		pcall(function() setmetatable(json, {}) end)
		string, table = nil, nil`, usual, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		r, err := s.Begin(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Has("g") || !r.Has("f") {
			t.Error("it has other functions than it defines")
		}
		r.End()
	}
	r, err := s.Begin(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.End()
	var got []string
	r.Define("told", r.L.NewFunction(func(l *lua.LState) int {
		for i := range l.GetTop() {
			got = append(got, l.Get(i+1).String())
		}
		return 0
	}))
	if err := r.L.DoString(""); err != nil {
		t.Fatal(err)
	}
	r.L.Push(r.global.RawGetString("f"))
	err = r.L.PCall(0, 7, nil)
	if err == nil {
		t.Fatal("string is nil for what the script does afterwards, as it has said")
	}
	if diff := cmp.Diff([]string(nil), got); diff != "" {
		t.Error(diff)
	}
}

// FuzzCompile reads anything, and runs what is a script.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		`x = 1`, `local t = {1, a = 2, [3] = 4} t[1], t.a = t.a, t[1]`, `for i = 1, 3 do out(i .. "x") end`, `local function f(...) return ... end f(f(1, 2))`,
		`goto a ::a:: while true do break end repeat until true`, `string.format("%d %s %q", 1, "x", "y")`, `("x"):gsub("(%w)", "%1")`, `return function() end`, `json.decode("{}")`,
		"x = [[\n]] --[[ c ]] y = 'a\\n\\065'", `x = {...} y = (...)`, `t = setmetatable({}, {__index = function(t, k) return k end}) out(t.x)`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		from := time.Now()
		_, _ = run(t, text, Limits{Instructions: 20_000, Memory: 1 << 20, Time: 10 * time.Second})
		if took := time.Since(from); took > 5*time.Second {
			t.Errorf("it takes %s", took)
		}
	})
}

// FuzzPattern looks for anything in anything.
func FuzzPattern(f *testing.F) {
	for _, seed := range [][2]string{{"%b()", "(a)"}, {"[^%w]*$", "abc "}, {"(a)(b)%2%1", "abba"}, {"%f[%a]x-", "x"}, {"[]]", "]"}, {"^(.-)%s*$", "a "}, {"[a-", "a"}, {"%", ""}} {
		f.Add(seed[0], seed[1])
	}
	s, err := Compile("script", "", usual, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		r, err := s.Begin(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.End()
		for _, name := range []string{"find", "match", "gsub"} {
			f := r.L.GetField(r.library.RawGetString("string"), name)
			if err := r.L.CallByParam(lua.P{Fn: f, Protect: true}, lua.LString(text), lua.LString(pattern), lua.LNumber(1)); err != nil {
				if !strings.HasPrefix(err.Error(), "script") && strings.Contains(err.Error(), "runtime error") {
					t.Fatal(err)
				}
			}
		}
	})
}

// BenchmarkRun is what a request costs whose script looks at a header and sets two.
func BenchmarkRun(b *testing.B) {
	text, err := os.ReadFile("testdata/headers.lua")
	if err != nil {
		b.Fatal(err)
	}
	s, err := Compile("script", string(text), usual, func(r *Run) {
		r.Define("header", r.L.NewFunction(func(*lua.LState) int { return 0 }))
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r, err := s.Begin(b.Context(), nil)
		if err == nil {
			err = r.Call("on_request")
		}
		if err != nil {
			b.Fatal(err)
		}
		r.End()
	}
}
