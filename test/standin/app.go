package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/net/websocket"
)

// film is what is downloaded: large, and different at every place.
var film = bytes.Repeat([]byte("0123456789abcdef"), 1<<18)

// app is an application that does what the request looks like, at any path:
// websockets are echoed, event streams begin and go on until the client leaves, a
// path that ends in Download is a film with ranges, and all else is told back.
func app(port string) http.Handler {
	socket := websocket.Server{Handler: echo}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
			socket.ServeHTTP(w, r)
		case r.Header.Get("Accept") == "text/event-stream":
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "data: first\n\n")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		case path.Base(r.URL.Path) == "Download":
			w.Header().Set("Content-Type", "video/x-matroska")
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(film))
		default:
			tell(w, r, port)
		}
	})
}

// echo sends each message back, until the client leaves.
func echo(c *websocket.Conn) {
	var said string
	for websocket.Message.Receive(c, &said) == nil && websocket.Message.Send(c, said) == nil {
	}
}

// tell answers with what arrived, and who answers.
func tell(w http.ResponseWriter, r *http.Request, port string) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	host, _ := os.Hostname()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Powered-By", "standin")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"name": os.Getenv("STANDIN"), "port": port, "hostname": host, "method": r.Method, "host": r.Host,
		"path": r.URL.RequestURI(), "headers": r.Header, "length": n,
		"padding": strings.Repeat("worth compressing ", 100),
	})
}
