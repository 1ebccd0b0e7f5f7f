package http1

import (
	"net/http"
	"sync"
	"testing"
)

// A handler may ask the same server twice at the same time for one client, as the middleware hedge
// does, also where connections are for that client only.
func TestUpstream_ConnectionsOfAClientAreTakenAtTheSameTime(t *testing.T) {
	server := serveFunc(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	u := &Upstream{Address: server}
	defer u.Close()
	front := dial(t, serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 20 {
					x, err := u.Do(w, r, &Outgoing{URI: "/", Host: "a"})
					if err != nil {
						t.Error(err)
						return
					}
					if err := x.End(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
	}))
	front.send("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: NTLM secret\r\n\r\n")
	if a := front.mustReceive("GET"); a.status != http.StatusOK {
		t.Errorf("got %d", a.status)
	}
}
