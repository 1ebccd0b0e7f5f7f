package decode

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/traefik/paerser/types"
)

type box struct {
	Name     string            `json:"name"`
	Open     bool              `json:"open"`
	Count    int               `json:"count"`
	Wait     types.Duration    `json:"wait"`
	Tags     []string          `json:"tags"`
	Codes    []int             `json:"codes"`
	Headers  map[string]string `json:"headers"`
	Boxes    map[string]*box   `json:"boxes"`
	Sub      *sub              `json:"sub"`
	Marker   *marker           `json:"marker" label:"allowEmpty" file:"allowEmpty"`
	Items    []sub             `json:"items"`
	Servers  []sub             `json:"servers" label-slice-as-struct:"server"`
	FileOnly string            `json:"fileOnly" label:"-"`
	Old      string            `json:"old" deprecated:"use name"`
}

type sub struct {
	Port string `json:"port"`
	URL  string `json:"url"`
}

type marker struct {
	Mode string `json:"mode"`
}

func (m *marker) SetDefaults() { m.Mode = "soft" }

func decodeKeys(t *testing.T, keys map[string]string, later func(string) bool) (box, []Fault) {
	t.Helper()
	tree, faults := Keys(keys)
	var b box
	return b, append(faults, tree.Into(&b, later)...)
}

func TestKeys(t *testing.T) {
	tests := []struct {
		name   string
		keys   map[string]string
		want   box
		faults []string
	}{
		{
			name: "plain values in any case",
			keys: map[string]string{"NAME": "x", "open": "TRUE", "Count": "3", "wait": "10", "tags": "a, b"},
			want: box{Name: "x", Open: true, Count: 3, Wait: types.Duration(10 * time.Second), Tags: []string{"a", "b"}},
		},
		{
			name:   "a deprecated option is used all the same",
			keys:   map[string]string{"old": "x"},
			want:   box{Old: "x"},
			faults: []string{"old: is deprecated: use name"},
		},
		{
			name: "indexed form of a plain list, in numeric order",
			keys: map[string]string{"tags[0]": "a", "tags[10]": "c", "tags[2]": "b"},
			want: box{Tags: []string{"a", "b", "c"}},
		},
		{
			name: "map keys keep their dots and case",
			keys: map[string]string{"headers.X-A.b": "1"},
			want: box{Headers: map[string]string{"X-A.b": "1"}},
		},
		{
			name: "objects in lists",
			keys: map[string]string{"items[0].port": "1", "items[1].port": "2"},
			want: box{Items: []sub{{Port: "1"}, {Port: "2"}}},
		},
		{
			name: "the one server",
			keys: map[string]string{"server.port": "80"},
			want: box{Servers: []sub{{Port: "80"}}},
		},
		{
			name: "empty struct set and unset",
			keys: map[string]string{"marker": "true", "boxes.a.marker": "false", "boxes.a.name": "n"},
			want: box{Marker: &marker{Mode: "soft"}, Boxes: map[string]*box{"a": {Name: "n"}}},
		},
		{
			name:   "a wrong name costs only itself",
			keys:   map[string]string{"name": "x", "opne": "true", "boxes.a.count": "1", "boxes.a.nme": "y", "boxes.b.nme": "z"},
			want:   box{Name: "x", Boxes: map[string]*box{"a": {Count: 1}}},
			faults: []string{`boxes.a.nme: there is no option "nme" here (did you mean "boxes.a.name"?)`, `boxes.b.nme: there is no option "nme" here (did you mean "boxes.b.name"?)`, `opne: there is no option "opne" here (did you mean "open"?)`},
		},
		{
			name: "values that do not fit",
			keys: map[string]string{"open": "yes", "count": "1e3", "wait": "soon", "codes": "1,x", "count.deep": "1"},
			faults: []string{
				`codes: "x" is not a whole number`, `count: takes one value, not options below it`,
				`open: "yes" is neither true nor false`, `wait: "soon" is not a duration like 10s, 1m30s or 500ms`,
			},
		},
		{
			name:   "structs need options",
			keys:   map[string]string{"sub": "true", "headers": "x", "items.port": "80", "marker": "maybe", "server": "x"},
			faults: []string{`headers: needs a name below it`, `items.port: is a list of objects: write items[0].port`, `marker: "maybe" is neither true nor false`, `server: needs an option below it: one of port, url`, `sub: needs an option below it: one of port, url`},
		},
		{
			name:   "keys that are no keys",
			keys:   map[string]string{"name": "x", "a..b": "", ".a": "", "a]": "1", "[0]": "1", "tags[x]": "1", "": ""},
			want:   box{Name: "x"},
			faults: []string{`: has an empty part: two dots in a row, or a dot at an end`, `.a: has an empty part: two dots in a row, or a dot at an end`, `[0]: has an index without a name in front of it`, `a..b: has an empty part: two dots in a row, or a dot at an end`, `a]: has a bad index in "a]": write name[0]`, `tags[x]: has a bad index in "tags[x]": write name[0]`},
		},
		{
			name:   "options for files only",
			keys:   map[string]string{"fileonly": "x"},
			faults: []string{"fileonly: cannot be set by a label, only in a file"},
		},
		{
			name:   "option of later days",
			keys:   map[string]string{"future.x.y": "1"},
			faults: []string{"future.x.y: is an option of Traefik's that fairway does not have yet"},
		},
		{
			name:   "options of later days are named together",
			keys:   map[string]string{"future.x.y.a": "1", "future.x.y.b[0]": "2", "future.x.y.c": "3", "future.x.z": "4"},
			faults: []string{"future.x.y: is an option of Traefik's that fairway does not have yet", `future.x.z: there is no option "future" here`},
		},
		{
			name:   "the list of files instead of the one of labels",
			keys:   map[string]string{"servers[0].port": "1", "boxes.a.server[0].url": "x"},
			faults: []string{`boxes.a.server[0].url: takes no number here: there is one only (did you mean "boxes.a.server.url"?)`, `servers[0].port: there is no option "servers" here (did you mean "server.port"?)`},
		},
		{
			name:   "an option without its section",
			keys:   map[string]string{"url": "x"},
			faults: []string{`url: there is no option "url" here (did you mean "sub.url"?)`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, faults := decodeKeys(t, tt.keys, func(path string) bool { return path == "future.x.y" })
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("decoded (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.faults, faultTexts(faults)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func faultTexts(faults []Fault) []string {
	var texts []string
	for _, f := range faults {
		texts = append(texts, f.Error())
	}
	return texts
}

func TestDocument(t *testing.T) {
	want := box{Name: "a,b", Tags: []string{"x,y", "z"}, Codes: []int{1}, Items: []sub{{Port: "1"}}, Marker: &marker{Mode: "soft"}, Headers: map[string]string{"A": "1"}}
	tests := []struct{ name, ext, text string }{
		{"yaml", ".yml", "name: a,b\ntags: ['x,y', z]\ncodes: [1]\nitems:\n- port: 1\nmarker: {}\nheaders: {A: 1}\nsub:\n"},
		{"json", ".json", `{"name":"a,b","tags":["x,y","z"],"codes":[1],"items":[{"port":1}],"marker":{},"headers":{"A":"1"}}`},
		{"toml", ".toml", "name='a,b'\ntags=['x,y','z']\ncodes=[1]\n[[items]]\nport='1'\n[marker]\n[headers]\nA='1'\n"},
		{"yaml with anchors", ".yaml", "x-base: &b {name: wrong, tags: ['x,y', z]}\n<<: *b\nname: a,b\ncodes: [1]\nitems: [{port: 1}]\nmarker: {}\nheaders: {A: 1}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree, err := Document([]byte(tt.text), tt.ext)
			if err != nil {
				t.Fatal(err)
			}
			var got box
			tree.Into(&got, nil)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("decoded (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDocument_NamesTheLine(t *testing.T) {
	tests := []struct{ name, ext, text, want string }{
		{"yaml option", ".yml", "name: x\nsub:\n  prot: 1\n", `3: sub.prot: there is no option "prot" here (did you mean "sub.port"?)`},
		{"toml option", ".toml", "name='x'\n[sub]\nprot=1\n", `3: sub.prot: there is no option "prot" here (did you mean "sub.port"?)`},
		{"yaml key given twice", ".yml", "name: x\nsub:\n  port: 1\n  port: 2\n", `4: sub.port: is given twice: line 3 has it already, and that one stays`},
		{"yaml key given twice in an alias", ".yml", "name: &n x\nboxes:\n  a: &a {name: *n, name: y}\n  b: *a\n", `3: boxes.a.name: is given twice: line 3 has it already, and that one stays`},
		{"key given in two cases", ".yml", "name: x\nNAME: y\n", `2: NAME: is given twice: line 1 has it already, and that one stays`},
		{"json key given twice", ".json", "{\"name\": \"x\",\n\"name\": \"y\"}", `2: name: is given twice: line 1 has it already, and that one stays`},
		{"second document", ".yml", "name: x\n---\nname: y\n", `2: : a second document begins here, which is not read: put it into a file of its own`},
		{"object of a map without options", ".yml", "boxes:\n  a: {name: x}\n  b:\n", `3: boxes.b: has no options`},
		{"object of a map that is a number", ".yml", "boxes:\n  b: 5\n", `2: boxes.b: "5" is not an object: it needs an option below it, one of name, open, count, wait, tags, codes, headers, boxes, sub, marker, items, servers, fileOnly, old`},
		{"object that is a text", ".yml", "sub: x\n", `1: sub: "x" is not an object: it needs an option below it, one of port, url`},
		{"object that is a list", ".yml", "sub: [x]\n", `1: sub: a list is not an object: it needs an option below it, one of port, url`},
		{"switch that is a number", ".yml", "marker: 5\n", `1: marker: "5" is not an object: it needs an option below it, one of mode`},
		{"yaml value", ".yml", "name: x\ncount: many\n", `2: count: "many" is not a whole number`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree, err := Document([]byte(tt.text), tt.ext)
			if err != nil {
				t.Fatal(err)
			}
			faults := tree.Into(new(box), nil)
			if len(faults) != 1 {
				t.Fatalf("got %d faults %v, want 1", len(faults), faults)
			}
			if got := string(rune('0'+faults[0].Line)) + ": " + faults[0].Error(); got != tt.want {
				t.Errorf("got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestDocument_KeepsTheFirstOfTwo(t *testing.T) {
	text := "name: first\nname: second\ncount: 1\nboxes: {a: {name: first}}\nboxes: {b: {}}\n<<: {tags: [merged], count: 2}\n---\nname: third\n"
	tree, err := Document([]byte(text), ".yml")
	if err != nil {
		t.Fatal(err)
	}
	var got box
	faults := tree.Into(&got, nil)
	want := box{Name: "first", Count: 1, Boxes: map[string]*box{"a": {Name: "first"}}, Tags: []string{"merged"}}
	if diff := cmp.Diff(want, got); diff != "" || len(faults) != 3 {
		t.Errorf("decoded (-want +got):\n%s\nfaults: %q", diff, faultTexts(faults))
	}
}

func TestDocument_IgnoresWhatIsNotSet(t *testing.T) {
	for _, text := range []string{
		"---\nname:\nsub:\nboxes:\nheaders: {A: }\nitems:\nmarker:\n---\n# nothing\n...\n", "", "---\n", "~", "<<: {name: x}\nname:\n",
	} {
		tree, err := Document([]byte(text), ".yml")
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if faults := tree.Into(new(box), nil); len(faults) > 0 {
			t.Errorf("%q: got faults %q", text, faultTexts(faults))
		}
	}
}

func TestDocument_SyntaxErrorsNameTheLine(t *testing.T) {
	tests := []struct {
		name, ext, text string
		line            int
	}{
		{"yaml", ".yml", "a: 1\nb: [1,\n", 2},
		{"yaml top level list", ".yml", "- a\n", 1},
		{"toml", ".toml", "a = 1\nb = ?\n", 2},
		{"json", ".json", "{\n\"a\": 1,\n\"b\": \"x\n", 3},
		{"second document", ".yml", "a: 1\n---\n- b\n", 3},
		{"mixed list", ".yml", "a: 1\nitems: [x, {port: 1}]\n", 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Document([]byte(tt.text), tt.ext)
			se, ok := errors.AsType[*SyntaxError](err)
			if !ok {
				t.Fatalf("got error %v, want a SyntaxError", err)
			}
			if se.Line != tt.line {
				t.Errorf("got line %d (%v), want %d", se.Line, se, tt.line)
			}
		})
	}
}

func TestDocument_AliasesCannotGrowWithoutBound(t *testing.T) {
	text := "a: &a {x: 1, y: 1, z: 1}\n"
	for c := 'b'; c <= 'z'; c++ {
		p := string(c - 1)
		text += string(c) + ": &" + string(c) + " {x: *" + p + ", y: *" + p + ", z: *" + p + "}\n"
	}
	if _, err := Document([]byte(text), ".yml"); err == nil {
		t.Error("a document of 3^25 options was read")
	}
}

func TestMerge(t *testing.T) {
	under, err := Document([]byte("name: file\ncount: 1\ntags: [a, b]\nboxes: {x: {name: n, count: 2}}"), ".yml")
	if err != nil {
		t.Fatal(err)
	}
	over, faults := Keys(map[string]string{"Name": "flag", "boxes.X.count": "3"})
	if faults != nil {
		t.Fatal(faults)
	}
	var got box
	if faults := under.Merge(over).Into(&got, nil); faults != nil {
		t.Fatal(faults)
	}
	want := box{Name: "flag", Count: 1, Tags: []string{"a", "b"}, Boxes: map[string]*box{"x": {Name: "n", Count: 3}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
}

func TestMerge_FaultsNameThePlaceOfWhatStays(t *testing.T) {
	under, err := Document([]byte("name: x\ncount: 1\nboxes:\n  a: {nme: y}\n"), ".yml")
	if err != nil {
		t.Fatal(err)
	}
	over, faults := KeysFrom(map[string]string{"count": "many", "a..b": "1"}, func(key string) string { return "flag --" + key })
	faults = append(faults, under.Merge(over).Into(new(box), nil)...)
	want := []string{
		"flag --a..b: has an empty part: two dots in a row, or a dot at an end", `flag --count: "many" is not a whole number`,
		`boxes.a.nme: there is no option "nme" here (did you mean "boxes.a.name"?)`,
	}
	if diff := cmp.Diff(want, faultTexts(faults)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	if faults[2].Line != 4 {
		t.Errorf("got line %d, want 4", faults[2].Line)
	}
}

func FuzzKeys(f *testing.F) {
	for _, seed := range []string{"name=x", "boxes.a.tags[0]=1\nboxes.a.tags[1]=2", "a]=1", "marker=true\nmarker.mode=x", "items[0].port=1", "server.port=80", "headers.a=1\nheaders.a.b=2", "items[0]=1", "sub.port.x=1", "boxes=1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tree, _ := Keys(lines(text))
		var b box
		for _, fault := range tree.Into(&b, nil) {
			if fault.Path == "" && fault.Reason != "" && len(fault.Reason) > 17 && fault.Reason[:17] == "cannot be decoded" {
				t.Errorf("paerser panicked: %v", fault)
			}
		}
	})
}

func FuzzDocument(f *testing.F) {
	f.Add("a: 1\nname: x\nitems: [{port: 1}]", uint8(0))
	f.Add("name='x'\n[[items]]\nport=1", uint8(1))
	f.Add("x: &a [*a]", uint8(0))
	f.Add("<<: {name: x}\nmarker: false", uint8(0))
	f.Fuzz(func(t *testing.T, text string, kind uint8) {
		tree, err := Document([]byte(text), []string{".yml", ".toml"}[kind%2])
		if err != nil {
			return
		}
		var b box
		for _, fault := range tree.Into(&b, nil) {
			if len(fault.Reason) > 17 && fault.Reason[:17] == "cannot be decoded" {
				t.Errorf("paerser panicked: %v", fault)
			}
		}
	})
}
