package mirroring

import "net/http"

// nobody takes the answers of mirrors.
type nobody struct{ header http.Header }

// Header implements http.ResponseWriter.
func (n *nobody) Header() http.Header { return n.header }

// WriteHeader implements http.ResponseWriter.
func (n *nobody) WriteHeader(int) {}

func (n *nobody) Write(p []byte) (int, error) { return len(p), nil }
