// Command backend is the service behind the gateway in the end-to-end tests: it
// tells what it received, and falls ill, waits and stops as it is told.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/websocket"
)

func main() {
	ports := strings.Split(env("PORTS", "80"), ",")
	if len(os.Args) > 1 && os.Args[1] == "health" {
		os.Exit(health(ports[0]))
	}
	var ill atomic.Bool
	ill.Store(os.Getenv("ILL") != "")
	mux := http.NewServeMux()
	mux.HandleFunc("/", echo)
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		if ill.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/ill", func(http.ResponseWriter, *http.Request) { ill.Store(true) })
	mux.HandleFunc("/well", func(http.ResponseWriter, *http.Request) { ill.Store(false) })
	var slowed sync.Map
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		d, _ := time.ParseDuration(r.URL.Query().Get("d"))
		if once := r.URL.Query().Get("once"); once != "" { // only the first one of that name
			_, again := slowed.LoadOrStore(once, true)
			w.Header().Set("X-Try", map[bool]string{false: "1", true: "2"}[again])
			if again {
				d = 0
			}
		}
		select {
		case <-time.After(d):
			echo(w, r)
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/events", events)
	kinds(mux)
	mux.Handle("/ws", websocket.Handler(func(c *websocket.Conn) { _, _ = io.Copy(c, c) }))
	streams()
	for _, port := range ports {
		go func() {
			s := &http.Server{Addr: ":" + port, Handler: withPort(port, mux), ReadHeaderTimeout: 10 * time.Second}
			log.Fatal(s.ListenAndServe())
		}()
	}
	told := make(chan os.Signal, 4)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGHUP)
	for s := range told {
		if s == syscall.SIGTERM {
			linger, _ := time.ParseDuration(os.Getenv("LINGER"))
			time.Sleep(linger) // requests under way end meanwhile
			return
		}
	}
}

func env(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

func health(port string) int {
	res, err := http.Get("http://127.0.0.1:" + port + "/health")
	if err != nil || res.StatusCode != http.StatusOK {
		return 1
	}
	return 0
}

func withPort(port string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Backend-Port", port)
		next.ServeHTTP(w, r)
	})
}

// echo tells what arrived, and who answers.
func echo(w http.ResponseWriter, r *http.Request) {
	host, _ := os.Hostname()
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"name": os.Getenv("NAME"), "hostname": host, "method": r.Method, "host": r.Host,
		"path": r.URL.RequestURI(), "headers": r.Header, "body": string(body),
	})
}

// events sends two events and waits between them for the client to hang up.
func events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, "data: first\n\n")
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}
