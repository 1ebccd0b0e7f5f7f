package acme

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// storeForever is another process: it stores records of changing size until it is killed.
func storeForever(dir string) {
	s := &storage{dir: dir}
	for i := 0; ; i++ {
		rec := record{Names: []string{"kill.test"}, Error: strings.Repeat("x", i%5000*40)}
		data, err := rec.encode()
		if err == nil {
			err = s.store(certificateFiles, fmt.Sprintf("kill%d", i%5), data)
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(i)
	}
}

func TestStorage_KilledWhileWriting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := &storage{dir: dir}
	for round := range 8 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "ACME_TEST_STORES_IN="+dir)
		out := &syncBuffer{}
		cmd.Stdout = out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		await(t, "it stores", func() bool { return bytes.Count([]byte(out.String()), []byte("\n")) > 10+round*7 })
		_ = cmd.Process.Kill() // SIGKILL
		_ = cmd.Wait()
		files, err := s.list(certificateFiles)
		if err != nil || len(files) != 5 {
			t.Fatalf("%d files, %v", len(files), err)
		}
		for file := range files {
			data, err := s.load(certificateFiles, file)
			if err != nil {
				t.Fatal(err)
			}
			if rec, _, err := parseRecord(data); err != nil || rec.Names[0] != "kill.test" {
				t.Errorf("%s is not whole: %v", file, err)
			}
		}
	}
	s.sweep(time.Now().Add(time.Minute))
	left, err := filepath.Glob(filepath.Join(dir, certificateFiles, ".new-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("half-written files are left: %v", left)
	}
	if files, _ := s.list(certificateFiles); len(files) != 5 {
		t.Errorf("sweeping has removed certificates: %v", files)
	}
}

func TestStorage_WhereItIs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "plain"), nil)
	writeFile(t, filepath.Join(dir, "taken"), nil)
	for _, tt := range []struct{ path, resolver, want string }{
		{"acme.json", "le", "acme/le"},
		{"data", "le", "data/le"},
		{"plain", "le", "plain.d/le"},
		{"acme.json", "../../x", "acme/_._.._x+"},
		{"taken.json", "le", ""},
		{".json", "le", ""},
	} {
		s, err := openStorage(filepath.Join(dir, tt.path), tt.resolver)
		if tt.want == "" {
			if err == nil {
				t.Errorf("%s: is %s, want an error", tt.path, s.dir)
			}
			continue
		}
		if err != nil || !strings.HasPrefix(s.dir, filepath.Join(dir, tt.want)) {
			t.Errorf("%s: %v, %v, want %s", tt.path, s, err, tt.want)
		}
	}
}

func TestStorage_LockIsExclusive(t *testing.T) {
	t.Parallel()
	s := &storage{dir: t.TempDir()}
	unlock, ok, err := s.lock("a")
	if !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	if _, ok, err := s.lock("a"); ok || err != nil {
		t.Errorf("taken twice: %v, %v", ok, err)
	}
	if other, ok, _ := s.lock("b"); !ok {
		t.Error("another name is locked as well")
	} else {
		other()
	}
	unlock()
	if again, ok, _ := s.lock("a"); !ok {
		t.Error("not free again")
	} else {
		again()
	}
}

func TestStorage_GarbageIsKeptAside(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{})
	c := a.config()
	s := a.resolver(c, nil)
	garbage := filepath.Join(s.store.dir, certificateFiles, "garbage.test.json")
	writeFile(t, garbage, []byte(`{"names":["garbage.test"],"chain":"-----BEGIN`))
	again := a.resolver(c, nil)
	if _, err := os.Stat(garbage); err != nil {
		t.Errorf("New has changed the storage: %v", err)
	}
	again.want([]string{"garbage.test"})
	again.plan() // as the loop does
	if st := again.about("garbage.test"); !strings.Contains(st.Error, "makes no sense") {
		t.Errorf("status: %+v", st)
	}
	a.web.lead(again.Resolver)
	again.begin()
	again.awaitCertificate("garbage.test")
	if st := again.about("garbage.test"); st.Error != "" || !strings.Contains(again.log.String(), "garbage.test.bad") {
		t.Errorf("status: %+v", st)
	}
	bad := strings.TrimSuffix(garbage, ".json") + ".bad"
	if !bytes.Contains(readFile(t, bad), []byte("BEGIN")) {
		t.Error("what was in it is lost")
	}
}

func TestStorage_ThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{})
	c := a.config()
	s := a.resolver(c, nil)
	writeFile(t, s.store.dir, []byte("in the way")) // instead of the folder
	s.begin()
	s.want([]string{"ro.test"})
	s.await("the problem is shown", func() bool { return strings.Contains(s.about("ro.test").Error, "nothing is ordered") })
	if s.orders.Load() != 0 {
		t.Error("ordered what cannot be kept")
	}
}

func TestStorage_LostWhileOrdering(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{})
	s := a.run(a.config(), nil)
	held, free := make(chan struct{}, 100), make(chan struct{})
	a.web.hold(func(*http.Request) {
		held <- struct{}{}
		<-free
	})
	s.want([]string{"late.test"})
	<-held
	place := filepath.Join(s.store.dir, certificateFiles)
	if err := os.Rename(place, place+".away"); err != nil {
		t.Fatal(err)
	}
	writeFile(t, place, []byte("in the way"))
	close(free)
	cert := s.awaitCertificate("late.test")
	s.await("the problem is shown", func() bool { return strings.Contains(s.about("late.test").Error, "store the certificate") })
	if err := errors.Join(os.Remove(place), os.Rename(place+".away", place)); err != nil {
		t.Fatal(err)
	}
	s.await("it is stored after all", func() bool { return s.about("late.test").Error == "" })
	if again := a.resolver(&s.cfg, nil).Certificate("late.test"); again == nil || !again.Leaf.Equal(cert.Leaf) {
		t.Error("it is not in the storage")
	}
	if n := s.orders.Load(); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
}

func TestFileNames_AreSafe(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, names := range [][]string{
		{"a.test"},
		{"*.a.test"},
		{"_wildcard.a.test"},
		{"a.test", "b.test"},
		{"a.test", "c.test"},
		{"../../etc/passwd"},
		{".."},
		{""},
		{"a/b"},
		{"a\x00b"},
		{strings.Repeat("a", 300)},
		{strings.Repeat("a", 301)},
		{"A.test"},
		nil,
	} {
		file := fileOf(names)
		if other, ok := seen[file]; ok {
			t.Errorf("%q and %q share %s", names, other, file)
		}
		seen[file] = keyOf(names)
		if file == "" || len(file) > 150 || strings.HasPrefix(file, ".") || strings.ContainsAny(file, "/\\\x00*:") {
			t.Errorf("%q: the file %q is not safe", names, file)
		}
	}
	if got := fileOf([]string{"*.a.test"}); !strings.HasPrefix(got, "_wildcard.a.test") {
		t.Errorf("got %s", got)
	}
	if fileOf([]string{"a.test", "b.test"})[:7] != "a.test+" {
		t.Error("the main name cannot be seen")
	}
}

func FuzzRecord(f *testing.F) {
	chain, key := selfSigned(f, time.Now().Add(time.Hour), "fuzz.test")
	whole := record{Names: []string{"fuzz.test"}, Chain: string(chain), Key: string(key), RenewAt: time.Now(), FailedAt: []time.Time{time.Now()}}
	data, _ := whole.encode()
	f.Add(data)
	f.Add([]byte(`{"names":[""]}`))
	f.Add([]byte(`{"names":["a.test"],"error":"x","nextTry":"2030-01-01T00:00:00Z"}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		rec, cert, err := parseRecord(data)
		if err != nil {
			return
		}
		if cert != nil && cert.Leaf == nil {
			t.Fatal("a certificate without its leaf")
		}
		fileOf(rec.Names)
		again, err := rec.encode()
		if err != nil {
			return // times beyond the year 9999
		}
		if _, _, err := parseRecord(again); err != nil {
			t.Fatalf("what was written is not read: %v", err)
		}
	})
}

func FuzzTraefik(f *testing.F) {
	f.Add(traefikSample(f))
	f.Add([]byte(`{"le":null}`))
	f.Add([]byte(`{"le":{"Account":{"Registration":{"uri":"https://ca.test/1"},"PrivateKey":"AAAA"},"Certificates":[{"domain":{"main":""}}]}}`))
	f.Add([]byte(``))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parseTraefik(data, "le", "https://ca.test/dir")
		if err != nil || got == nil {
			return
		}
		for _, rec := range got.records {
			text, err := rec.encode()
			if err != nil {
				continue
			}
			if _, cert, err := parseRecord(text); err != nil || cert == nil {
				t.Fatalf("what was taken over is not read: %v", err)
			}
		}
	})
}

// traefikSample is an acme.json with an account and two certificates, one of them broken.
func traefikSample(t testing.TB) []byte {
	t.Helper()
	chain, key := selfSigned(t, time.Now().Add(80*24*time.Hour), "main.test", "san.test")
	signer := accountKey(t)
	data, err := json.Marshal(map[string]any{"le": map[string]any{
		"Account": map[string]any{
			"Email":        "a@b.test",
			"Registration": map[string]any{"body": map[string]string{"status": "valid"}, "uri": "https://ca.test/acct/1"},
			"PrivateKey":   signer, "KeyType": "4096",
		},
		"Certificates": []any{
			map[string]any{"domain": map[string]any{"main": "main.test", "sans": []string{"san.test"}}, "certificate": chain, "key": key, "Store": "default"},
			map[string]any{"domain": map[string]any{"main": "broken.test"}, "certificate": []byte("x"), "key": key, "Store": "default"},
		},
	}, "other": nil})
	if err != nil {
		t.Fatal(err)
	}
	return data
}
