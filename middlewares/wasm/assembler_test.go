package wasm

import (
	"encoding/binary"
	"slices"
)

// A small assembler for plugins of tests: what they import, what is in their memory, and the code of
// their functions, byte by byte (WebAssembly Core Specification 1.0, section 5).

// assembly is a plugin to be put together.
type assembly struct {
	data              string // at the start of the memory
	start             []byte // nil: none
	tables            []byte // the section; nil: none
	request, response []byte
}

// imported are the functions that all of them import: their names, arguments and results.
var imported = []struct {
	name          string
	args, results int // of 32 bits; results of 64 bits are negative
}{
	{"enable_features", 1, 1}, {"set_header_value", 5, 0}, {"set_status_code", 1, 0}, {"write_body", 3, 0}, {"read_body", 3, -1}, {"log", 3, 0}, {"set_uri", 2, 0}, {"remove_header", 3, 0},
}

func uleb(n int) []byte { return binary.AppendUvarint(nil, uint64(n)) }

func sized(b []byte) []byte { return append(uleb(len(b)), b...) }

func section(id byte, items ...[]byte) []byte {
	return append([]byte{id}, sized(append(uleb(len(items)), slices.Concat(items...)...))...)
}

func text(s string) []byte { return sized([]byte(s)) }

func signature(args, results int) []byte {
	out := append([]byte{0x60}, sized(slices.Repeat([]byte{0x7f}, args))...)
	switch {
	case results < 0:
		return append(out, 1, 0x7e)
	case results > 0:
		return append(out, 1, 0x7f)
	}
	return append(out, 0)
}

// assembled is the plugin.
func (a assembly) assembled() []byte {
	var types, imports [][]byte
	for i, f := range imported {
		types = append(types, signature(f.args, f.results))
		imports = append(imports, slices.Concat(text("http_handler"), text(f.name), []byte{0}, uleb(i)))
	}
	n := len(imported)
	types = append(types, signature(0, -1), signature(2, 0), signature(0, 0))
	functions := [][]byte{uleb(n), uleb(n + 1)}
	code := [][]byte{body(a.request), body(a.response)}
	var start []byte
	if a.start != nil {
		functions, code = append(functions, uleb(n+2)), append(code, body(a.start))
		start = append([]byte{8}, sized(uleb(n+2))...)
	}
	export := func(name string, kind byte, i int) []byte { return slices.Concat(text(name), []byte{kind}, uleb(i)) }
	return slices.Concat([]byte("\x00asm\x01\x00\x00\x00"),
		section(1, types...), section(2, imports...), section(3, functions...), a.tables, section(5, []byte{0, 1}),
		section(7, export("memory", 2, 0), export("handle_request", 0, n), export("handle_response", 0, n+1)),
		start, section(10, code...), section(11, slices.Concat([]byte{0, 0x41, 0, 0x0b}, text(a.data))))
}

func body(code []byte) []byte { return sized(slices.Concat([]byte{0}, code, []byte{0x0b})) }

// call calls an imported function with constants.
func call(name string, args ...int) (code []byte) {
	for _, n := range args {
		code = append(code, constant(n)...)
	}
	i := slices.IndexFunc(imported, func(f struct {
		name          string
		args, results int
	},
	) bool {
		return f.name == name
	})
	return append(append(code, 0x10), uleb(i)...)
}

func constant(n int) []byte { return append([]byte{0x41}, sleb(n)...) }

// sleb is a signed number.
func sleb(n int) (out []byte) {
	for {
		b := byte(n & 0x7f)
		if n >>= 7; n == 0 && b&0x40 == 0 || n == -1 && b&0x40 != 0 {
			return append(out, b)
		}
		out = append(out, b|0x80)
	}
}

// next is the result of handle_request: whether the next one is to serve the request.
func next(goesOn int64) []byte { return append([]byte{0x42}, sleb(int(goesOn))...) }

var (
	trap    = []byte{0x00}
	drop    = []byte{0x1a}
	forever = []byte{0x03, 0x40, 0x0c, 0, 0x0b} // loop br 0 end
	// grown has a table grow by 2^30 elements, which fails, or else stops the plugin.
	grown  = slices.Concat([]byte{0xd0, 0x70}, constant(1<<30), []byte{0xfc, 0x0f, 0}, constant(-1), []byte{0x47, 0x04, 0x40, 0x00, 0x0b})
	hungry = []byte{0x03, 0x40, 0x41, 1, 0x40, 0, 0x41, 0x7f, 0x46, 0x04, 0x40, 0x00, 0x0b, 0x0c, 0, 0x0b} // loop: if memory.grow(1) == -1 then trap
)
