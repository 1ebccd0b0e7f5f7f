package acme

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func mounts(points ...string) []byte {
	var text strings.Builder
	for _, point := range append([]string{"/", "/proc"}, points...) {
		text.WriteString("36 35 98:0 /x " + strings.ReplaceAll(point, " ", `\040`) + " rw,noatime master:1 - ext4 /dev/root rw\n")
	}
	return []byte(text.String())
}

func TestMounts_AFileByItselfIsNoStorage(t *testing.T) {
	t.Parallel()
	dir := resolved(t.TempDir())
	single := filepath.Join(dir, "single file", "acme.json")
	writeFile(t, single, nil)
	if err := os.Symlink(filepath.Dir(single), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	folder := strings.TrimSuffix(single, ".json")
	for name, tt := range map[string]struct {
		info []byte
		file string
		warn bool
	}{
		"the file only":             {mounts(single), single, true},
		"by a link":                 {mounts(single), filepath.Join(dir, "link", "acme.json"), true},
		"the folder around it":      {mounts(filepath.Dir(single)), single, false},
		"both":                      {mounts(filepath.Dir(single), single), single, false},
		"the folder of our own too": {mounts(single, folder), single, false},
		"a folder of another name":  {mounts(single, folder+"-x"), single, true},
		"nothing":                   {mounts(), single, false},
		"no Linux":                  {nil, single, false},
	} {
		got := lostWithContainer(tt.info, tt.file, strings.TrimSuffix(tt.file, ".json"))
		if (got != "") != tt.warn || tt.warn && (!strings.Contains(got, single+" is mounted by itself") || !strings.Contains(got, "the folder "+folder+",")) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestMounts_WarningIsInTheLog(t *testing.T) {
	t.Parallel()
	var c Config
	c.SetDefaults()
	c.Storage, c.HTTPChallenge = filepath.Join(t.TempDir(), "acme.json"), &HTTPChallenge{EntryPoint: "web"}
	s, err := standalone(t, &c)
	if err != nil || s.Warning() != "" {
		t.Fatalf("%v, %q", err, s.Warning())
	}
	s.warning = lostWithContainer(mounts(resolved(c.Storage)), c.Storage, filepath.Dir(s.store.dir))
	s.begin()
	s.await("the log has it", func() bool { return strings.Contains(s.log.String(), "is mounted by itself") })
	if !strings.Contains(s.Warning(), "mount a folder instead") {
		t.Errorf("warning: %q", s.Warning())
	}
}

func FuzzMountPoints(f *testing.F) {
	f.Add(mounts("/acme.json", "/a b"))
	f.Add([]byte(`36 35 98:0 / /a\011b\134\777\04 rw - ext4 x rw`))
	f.Add([]byte("1 2 3\n\n\\"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, point := range mountPoints(data) {
			if len(point) > len(data) {
				t.Fatal("longer than all")
			}
		}
	})
}
