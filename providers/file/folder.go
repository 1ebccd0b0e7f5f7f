package file

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/sirupsen/logrus"

	"fairway/config/dynamic"
	"fairway/internal/decode"
	"fairway/tls/certs"
)

// folder is the files that are read, each with its last good content.
type folder struct {
	config *Config
	log    logrus.FieldLogger
	files  map[string]*document
	broken error // why the files themselves cannot be listed

	patient   bool // changes are looked at twice, see settled
	unsettled bool // the last scan left a file for later
	looks     map[string]look
}

// document is one file.
type document struct {
	text       []byte
	unreadable string        // why it cannot be read
	http       *dynamic.HTTP // last good content
	tcp        *dynamic.TCP
	udp        *dynamic.UDP
	tls        *dynamic.TLS      // with http
	problems   []dynamic.Problem // of http
	lines      dynamic.Lines     // where the objects are written
	broken     *dynamic.Problem  // why the present text is not in force
}

func newFolder(c *Config, log logrus.FieldLogger) *folder {
	return &folder{config: c, log: log, files: map[string]*document{}, looks: map[string]look{}}
}

// Load reads a file, or the files of a directory, once.
func Load(path string) (*dynamic.Configuration, error) {
	c := &Config{Filename: path}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		c = &Config{Directory: path}
	}
	quiet := logrus.New()
	quiet.SetLevel(logrus.PanicLevel)
	f := newFolder(c, quiet)
	f.scan()
	return f.configuration(), nil
}

// scan reads what has changed.
func (f *folder) scan() {
	f.unsettled = false
	paths, err := f.paths()
	if f.broken = err; err != nil {
		return // what was read before stays
	}
	for path := range f.files {
		if !slices.Contains(paths, path) {
			delete(f.files, path)
		}
	}
	for _, path := range paths {
		f.read(path)
	}
}

func (f *folder) paths() ([]string, error) {
	if f.config.Filename != "" {
		if _, err := os.Stat(f.config.Filename); err != nil {
			return nil, err
		}
		return []string{f.config.Filename}, nil
	}
	var paths []string
	// Directories mounted by Kubernetes and the like are links: resolve the root.
	root, err := filepath.EvalSymlinks(f.config.Directory)
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && path == root:
			return err
		case err != nil:
			return nil // unreadable, or gone meanwhile
		case path != root && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return filepath.SkipDir
			}
		case (d.Type().IsRegular() || d.Type() == fs.ModeSymlink) && isConfiguration(path):
			paths = append(paths, path)
		}
		return nil
	})
	return paths, err
}

func isConfiguration(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yml", ".yaml", ".toml", ".json":
		return true
	}
	return false
}

// read brings one file up to date.
func (f *folder) read(path string) {
	text, err := os.ReadFile(path)
	d := f.files[path]
	switch {
	case d == nil:
		d = &document{}
	case err == nil && d.text != nil && bytes.Equal(text, d.text):
		return
	case err != nil && d.unreadable == err.Error():
		return // has been said
	}
	if err == nil && f.patient && !f.settled(path, text, d) {
		f.unsettled = true
		return
	}
	f.files[path] = d
	d.unreadable = ""
	if err != nil {
		d.unreadable = err.Error()
	}
	d.text = text
	if err == nil {
		err = d.decode(path, text, f)
	}
	if err == nil {
		d.broken = nil
		return
	}
	d.broken = &dynamic.Problem{Severity: dynamic.Error, Provider: "file", Source: path, Reason: err.Error()}
	if syntax, ok := errors.AsType[*decode.SyntaxError](err); ok {
		d.broken.Line, d.broken.Reason = syntax.Line, syntax.Msg
	}
	if d.http != nil {
		d.broken.Reason += "; the last good content of the file stays in force"
	}
	f.log.WithField("file", path).WithError(err).Error("file cannot be read")
}

func (d *document) decode(path string, text []byte, f *folder) error {
	text, warnings, err := execute(path, text)
	if err != nil {
		return err
	}
	if f.config.DebugLogGeneratedTemplate {
		f.log.WithField("file", path).Debugf("after its template:\n%s", text)
	}
	cfg, lines, err := dynamic.ReadDocument(text, filepath.Ext(path), path)
	if err != nil {
		return err
	}
	if d.http == nil || !reflect.DeepEqual(d.http, cfg.HTTP) {
		d.http = cfg.HTTP
	}
	if !reflect.DeepEqual(d.tls, cfg.TLS) {
		d.tls = cfg.TLS
	}
	if !reflect.DeepEqual(d.tcp, cfg.TCP) {
		d.tcp = cfg.TCP
	}
	if !reflect.DeepEqual(d.udp, cfg.UDP) {
		d.udp = cfg.UDP
	}
	d.problems, d.lines = append(cfg.Problems, warnings...), lines
	return nil
}

// configuration puts the files together, in the order of their names. Of two
// objects of one name the first stays.
func (f *folder) configuration() *dynamic.Configuration {
	streams, datagrams := dynamic.NewTCP(), dynamic.NewUDP()
	out, secure := dynamic.NewHTTP(0), &dynamic.TLS{Options: map[string]*certs.Options{}, Stores: map[string]*certs.Store{}}
	var problems []dynamic.Problem
	if f.broken != nil {
		problems = append(problems, dynamic.Problem{Severity: dynamic.Error, Source: cmp.Or(f.config.Filename, f.config.Directory), Reason: "cannot be read: " + f.broken.Error(), Blind: true})
	}
	owner := map[string]string{}
	for _, path := range slices.Sorted(maps.Keys(f.files)) {
		d := f.files[path]
		if d.http != nil {
			problems = append(problems, add(out.Routers, d.http.Routers, dynamic.KindRouter, path, owner)...)
			problems = append(problems, add(out.Services, d.http.Services, dynamic.KindService, path, owner)...)
			problems = append(problems, add(out.Middlewares, d.http.Middlewares, dynamic.KindMiddleware, path, owner)...)
			problems = append(problems, add(out.ServersTransports, d.http.ServersTransports, dynamic.KindTransport, path, owner)...)
			problems = append(problems, add(out.Consumers, d.http.Consumers, dynamic.KindConsumer, path, owner)...)
			problems = append(problems, add(out.Plans, d.http.Plans, dynamic.KindPlan, path, owner)...)
		}
		if d.tcp != nil {
			problems = append(problems, add(streams.Routers, d.tcp.Routers, dynamic.KindTCPRouter, path, owner)...)
			problems = append(problems, add(streams.Services, d.tcp.Services, dynamic.KindTCPService, path, owner)...)
			problems = append(problems, add(streams.Middlewares, d.tcp.Middlewares, dynamic.KindTCPMiddleware, path, owner)...)
			problems = append(problems, add(streams.ServersTransports, d.tcp.ServersTransports, dynamic.KindTCPTransport, path, owner)...)
		}
		if d.udp != nil {
			problems = append(problems, add(datagrams.Routers, d.udp.Routers, dynamic.KindUDPRouter, path, owner)...)
			problems = append(problems, add(datagrams.Services, d.udp.Services, dynamic.KindUDPService, path, owner)...)
		}
		if d.tls != nil {
			secure.Certificates = append(secure.Certificates, d.tls.Certificates...)
			problems = append(problems, add(secure.Options, d.tls.Options, dynamic.KindTLSOptions, path, owner)...)
			problems = append(problems, add(secure.Stores, d.tls.Stores, dynamic.KindTLSStore, path, owner)...)
		}
		for _, p := range d.problems {
			// A mistake in an object that is not used costs no other file's.
			p.Disables = p.Disables && owner[p.Kind+p.Name] == path
			problems = append(problems, p)
		}
		if d.broken != nil {
			problems = append(problems, *d.broken)
		}
	}
	lines := make(map[string]dynamic.Lines, len(f.files))
	for path, d := range f.files {
		lines[path] = d.lines
	}
	origin := func(kind, name string) (string, int) {
		path := owner[kind+name]
		return path, lines[path].Of(kind, name)
	}
	return &dynamic.Configuration{HTTP: out, TCP: streams, UDP: datagrams, TLS: secure, Problems: problems, Origin: origin}
}

func add[T any](out, in map[string]*T, kind, path string, owner map[string]string) (problems []dynamic.Problem) {
	for _, name := range slices.Sorted(maps.Keys(in)) {
		if first, taken := owner[kind+name]; taken {
			problems = append(problems, dynamic.Problem{
				Severity: dynamic.Warning, Kind: kind, Name: name, Source: path,
				Reason: fmt.Sprintf("the %s %q is not used: %s has one of the same name", kind, name, first),
			})
			continue
		}
		owner[kind+name] = path
		out[name] = in[name]
	}
	return problems
}
