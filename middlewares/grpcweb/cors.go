package grpcweb

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"fairway/internal/headername"
)

const anyOrigin = "*"

// isPreflight tells whether a browser asks if a script may make a call (Fetch,
// section "CORS-preflight request").
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" &&
		r.Header.Get("Access-Control-Request-Method") == http.MethodPost &&
		slices.Contains(requestedHeaders(r.Header), "x-grpc-web")
}

func requestedHeaders(h http.Header) []string {
	var names []string
	for _, list := range h["Access-Control-Request-Headers"] {
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.ToLower(strings.TrimSpace(name)); headername.Valid(name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func (h *handler) preflight(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	if h.allowOrigin(head, r) {
		head.Set("Access-Control-Allow-Methods", http.MethodPost)
		head.Set("Access-Control-Allow-Headers", strings.Join(requestedHeaders(r.Header), ", "))
		head.Set("Access-Control-Max-Age", "600")
	}
	w.WriteHeader(http.StatusNoContent)
}

// allowOrigin lets a script of the request's origin read the response, if it may.
// Credentials go with origins that are listed only: by "*" any page that a user
// visits could act in the user's name.
func (h *handler) allowOrigin(head http.Header, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || len(h.origins) == 0 {
		return false
	}
	head.Add("Vary", "Origin")
	switch {
	case h.origins[strings.ToLower(origin)]:
		head.Set("Access-Control-Allow-Origin", origin)
		head.Set("Access-Control-Allow-Credentials", "true")
	case h.origins[anyOrigin]:
		head.Set("Access-Control-Allow-Origin", anyOrigin)
	default:
		return false
	}
	return true
}

// allow does so for the answer to a call, with all of its headers: metadata of gRPC
// are headers.
func (h *handler) allow(head http.Header, r *http.Request) {
	names := slices.Sorted(maps.Keys(head))
	if !h.allowOrigin(head, r) {
		return
	}
	exposed := []string{"Grpc-Status", "Grpc-Message"}
	for _, name := range names {
		if !slices.Contains(exposed, name) && !strings.HasPrefix(name, "Access-Control-") && !strings.HasPrefix(name, http.TrailerPrefix) {
			exposed = append(exposed, name)
		}
	}
	head.Set("Access-Control-Expose-Headers", strings.Join(exposed, ", "))
}
