package wasm

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// What plugins take beside their memory are tables of functions, which wazero lets grow without bounds,
// and begin with as many elements as they say. So each table of a module is given a bound before the
// module is compiled (WebAssembly Core Specification 2.0, sections 5.4.4 and 5.5.7).

// mostElements is how many elements all tables of a plugin may have together.
const mostElements = 1 << 18

const sectionOfTables = 4

var errModule = errors.New("its sections are broken off")

// bounded is the module with bounds for its tables.
func bounded(code []byte) ([]byte, error) {
	const head = 8 // magic number and version; what is wrong with them is told by the compiler
	if len(code) < head {
		return code, nil
	}
	for at := head; at < len(code); {
		id := code[at]
		size, n := binary.Uvarint(code[at+1:])
		begin := at + 1 + n
		if n <= 0 || size > uint64(len(code)-begin) {
			return nil, errModule
		}
		end := begin + int(size)
		if id == sectionOfTables {
			tables, err := boundedTables(code[begin:end])
			if err != nil {
				return nil, err
			}
			out := append([]byte{}, code[:at+1]...)
			out = append(binary.AppendUvarint(out, uint64(len(tables))), tables...)
			return append(out, code[end:]...), nil // there is one such section at most, as the compiler sees to
		}
		at = end
	}
	return code, nil
}

// boundedTables is the section with a bound for each table.
func boundedTables(section []byte) ([]byte, error) {
	number := func() (v uint64, err error) {
		v, n := binary.Uvarint(section)
		if n <= 0 {
			return 0, errModule
		}
		section = section[n:]
		return v, nil
	}
	count, err := number()
	if err != nil {
		return nil, err
	}
	out := binary.AppendUvarint(nil, count)
	total := uint64(0)
	for range count {
		if len(section) < 2 {
			return nil, errModule
		}
		kind, limits := section[0], section[1]
		section = section[2:]
		if kind != 0x70 && kind != 0x6f || limits > 1 { // funcref, externref
			return nil, fmt.Errorf("it has a table of a kind that is not known: %#x, %#x", kind, limits)
		}
		least, err := number()
		most := uint64(mostElements)
		if err == nil && limits == 1 {
			most, err = number()
		}
		if err != nil {
			return nil, err
		}
		most = max(least, min(most, least+mostElements/8))
		if total += most; most > mostElements || total > mostElements {
			return nil, fmt.Errorf("its tables have more than %d elements", mostElements)
		}
		out = append(out, kind, 1)
		out = binary.AppendUvarint(binary.AppendUvarint(out, least), most)
	}
	return append(out, section...), nil
}
