package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// The page is plain files: modules that browsers load as they are. lib has the libraries
// that it is made with (see lib/README.md), schema.json is written by internal/docgen.
//
//go:embed ui
var ui embed.FS

// policy keeps whatever a label may smuggle in from being more than text, and the page from
// asking anybody else for anything (Content Security Policy Level 3).
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// asset is a file of the page.
type asset struct {
	kind          string
	tag           string
	plain, zipped []byte
}

// assets are the files of the page, by path.
type assets map[string]*asset

var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml", ".json": "application/json",
}

// newAssets compresses the files once. It fails only if they are not there.
func newAssets() assets {
	all := assets{}
	err := fs.WalkDir(ui, "ui", func(name string, entry fs.DirEntry, err error) error {
		kind := kinds[path.Ext(name)]
		if err != nil || entry.IsDir() || kind == "" {
			return err
		}
		text, err := ui.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(text)
		all[strings.TrimPrefix(name, "ui/")] = &asset{kind: kind, tag: `"` + hex.EncodeToString(sum[:12]) + `"`, plain: text, zipped: zipped(text)}
		return nil
	})
	if err != nil {
		panic("read the files of the dashboard, which are part of the program: " + err.Error())
	}
	return all
}

func zipped(text []byte) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil
	}
	if _, err := w.Write(text); err != nil || w.Close() != nil {
		return nil
	}
	return b.Bytes()
}

// ServeHTTP answers with the file that the path names, below the page's own path.
func (a assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	if name == "" {
		name = "index.html"
	}
	file := a[name]
	if file == nil {
		send(w, http.StatusNotFound, message("the page has no file of this name"))
		return
	}
	h := w.Header()
	h.Set("Content-Type", file.kind)
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache") // asked for anew each time, by ETag
	h.Set("Vary", "Accept-Encoding")
	body, tag := file.plain, file.tag
	if file.zipped != nil && acceptsGzip(r.Header.Get("Accept-Encoding")) {
		body, tag = file.zipped, strings.TrimSuffix(file.tag, `"`)+`-gzip"`
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", tag)
	if strings.Contains(r.Header.Get("If-None-Match"), tag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// acceptsGzip tells whether gzip is among the codings, and not refused by a weight of 0 (RFC
// 9110, section 12.5.3).
func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, weight, _ := strings.Cut(part, ";")
		if strings.TrimSpace(name) == "gzip" {
			return !strings.HasPrefix(strings.ReplaceAll(weight, " ", ""), "q=0") || strings.Trim(strings.ReplaceAll(weight, " ", ""), "q=0.") != ""
		}
	}
	return false
}
