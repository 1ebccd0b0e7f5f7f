// Package files is the service that answers with files of a folder: a front end beside its API, a
// status page, downloads.
//
// What is outside of the folder cannot be reached, by no path and by no symbolic link (os.Root). Files
// whose names begin with a dot are not shown. Validators, ranges and conditions are those of the
// standard library (RFC 9110, sections 8.8, 13 and 14); the ETag is of size and time. Beside app.js may
// be app.js.br, app.js.zst and app.js.gz, which go to clients that take them.
package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"

	"fairway/internal/answer"
	"fairway/internal/encodings"
	"fairway/internal/record"
	"fairway/proxy"
)

// Config of a files service. It is written in files, and not in labels: who may set labels of a
// container must not read the gateway's files.
type Config struct {
	// Root is the folder. Required.
	Root string `json:"root,omitempty"`
	// Index is the name of the file for a path that is a folder. Default: index.html.
	Index string `json:"index,omitempty"`
	// Fallback is the path of the file for paths without one, as /index.html for a front end that
	// has routes of its own. Default: none, 404.
	Fallback string `json:"fallback,omitempty"`
	// CacheControl is the Cache-Control of files that are found; those of fallback and index get
	// no-cache. Default: none.
	CacheControl string `json:"cacheControl,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (c *Config) SetDefaults() { c.Index = "index.html" }

// New implements proxy.Config.
func (c *Config) New(_ context.Context, env proxy.Env) (proxy.Service, error) {
	switch {
	case c.Root == "":
		return nil, errors.New("root: is required")
	case c.Index != "" && strings.ContainsAny(c.Index, "/\\"):
		return nil, fmt.Errorf("index: %q is no name of a file", c.Index)
	case strings.ContainsAny(c.CacheControl, "\r\n"):
		return nil, errors.New("cacheControl: has more than one line")
	}
	root, err := os.OpenRoot(c.Root)
	if err != nil {
		return nil, fmt.Errorf("root: %w", err)
	}
	// It is closed when nobody has it any more: requests may be under way when the instance is retired.
	return &service{name: env.Name, root: root, index: c.Index, fallback: strings.Trim(path.Clean("/"+c.Fallback), "/"), cacheControl: c.CacheControl}, nil
}

// service is a files service at work.
type service struct {
	name         string
	root         *os.Root
	index        string
	fallback     string // relative to root; empty: none
	cacheControl string
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rec := record.From(r.Context()); rec != nil {
		rec.Leaf = s.name
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		answer.Refuse(w, r, http.StatusMethodNotAllowed, "files: only GET and HEAD")
		return
	}
	name, ok := nameOf(r.URL.Path)
	if ok && s.send(w, r, name) {
		return
	}
	if s.fallback == "" || !s.sendFile(w, r, s.fallback, "no-cache") {
		answer.Refuse(w, r, http.StatusNotFound, "files: there is no such file")
	}
}

// nameOf is the file that a path names, relative to the root; false: it names none that is shown.
func nameOf(urlPath string) (string, bool) {
	if strings.ContainsAny(urlPath, "\\\x00") {
		return "", false
	}
	clean := path.Clean("/" + urlPath)
	if strings.Contains(clean, "/.") {
		return "", false
	}
	name := strings.TrimPrefix(clean, "/")
	if name == "" {
		return ".", true
	}
	return name, true
}

// send sends a file, or the index of a folder; false: there is none.
func (s *service) send(w http.ResponseWriter, r *http.Request, name string) bool {
	info, err := s.root.Stat(name)
	switch {
	case err != nil:
		return false
	case !info.IsDir():
		return !strings.HasSuffix(r.URL.Path, "/") && s.sendFile(w, r, name, s.cacheControl)
	case s.index == "":
		return false
	}
	if _, err := s.root.Stat(path.Join(name, s.index)); err != nil {
		return false
	}
	if !strings.HasSuffix(r.URL.Path, "/") { // relative links in the index would lead elsewhere
		to := path.Base(name) + "/"
		if r.URL.RawQuery != "" {
			to += "?" + r.URL.RawQuery
		}
		w.Header().Set("Location", "./"+to)
		w.WriteHeader(http.StatusMovedPermanently)
		return true
	}
	return s.sendFile(w, r, path.Join(name, s.index), "no-cache")
}

// packed are the endings of files that are packed already, by encoding, the best first.
var packed = []struct{ encoding, ending string }{{"br", ".br"}, {"zstd", ".zst"}, {"gzip", ".gz"}}

func (s *service) sendFile(w http.ResponseWriter, r *http.Request, name, cacheControl string) bool {
	h := w.Header()
	actual, encoding, varies := s.best(r, name)
	f, err := s.root.Open(actual)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	kind := mime.TypeByExtension(path.Ext(name))
	if kind == "" && encoding != "" {
		kind = "application/octet-stream" // or the standard library would look into what is packed
	}
	if kind != "" {
		h.Set("Content-Type", kind)
	}
	if varies {
		h.Add("Vary", "Accept-Encoding")
	}
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	if cacheControl != "" {
		h.Set("Cache-Control", cacheControl)
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Etag", tagOf(info, encoding))
	http.ServeContent(w, r, "", info.ModTime(), f)
	return true
}

// best is the form of a file that a client likes best; varies tells whether there is more than one.
func (s *service) best(r *http.Request, name string) (actual, encoding string, varies bool) {
	var there []string
	endings := map[string]string{}
	for _, p := range packed {
		if info, err := s.root.Stat(name + p.ending); err == nil && info.Mode().IsRegular() {
			there = append(there, p.encoding)
			endings[p.encoding] = p.ending
		}
	}
	if len(there) == 0 {
		return name, "", false
	}
	encoding = encodings.Choose(r.Header["Accept-Encoding"], there, "")
	return name + endings[encoding], encoding, true
}

// tagOf is a strong validator: a file that is written anew has another time, or another size.
func tagOf(info fs.FileInfo, encoding string) string {
	tag := strconv.FormatInt(info.ModTime().UnixNano(), 36) + "-" + strconv.FormatInt(info.Size(), 36)
	if encoding != "" {
		tag += "-" + encoding
	}
	return `"` + tag + `"`
}

// Servers implements proxy.Service: there are none.
func (s *service) Servers() []proxy.ServerStatus { return nil }

// Up implements proxy.Child.
func (s *service) Up() bool { return true }
