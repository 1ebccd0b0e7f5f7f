package forwardauth

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"

	"fairway/internal/headername"
	"fairway/internal/record"
	"fairway/middlewares"
)

// refuse gives the client the answer of the authentication server.
func (h *handler) refuse(w http.ResponseWriter, r *http.Request, res *http.Response) {
	cause := fmt.Sprintf("forwardAuth: %s answered %d", h.shown, res.StatusCode)
	if res.StatusCode < 200 {
		middlewares.Refuse(w, r, http.StatusInternalServerError, cause)
		return
	}
	headername.RemoveHop(res.Header)
	if res.StatusCode == http.StatusUnauthorized && h.signin != "" {
		if cookies := res.Header["Set-Cookie"]; len(cookies) > 0 {
			w.Header()["Set-Cookie"] = cookies
		}
		w.Header().Set("Location", h.signin)
		middlewares.Refuse(w, r, http.StatusFound, cause)
		return
	}
	body := io.Reader(res.Body)
	if h.maxRefusal >= 0 {
		whole, err := io.ReadAll(io.LimitReader(res.Body, h.maxRefusal+1))
		if err != nil {
			middlewares.Refuse(w, r, http.StatusInternalServerError, cause+", and broke off: "+err.Error())
			return
		}
		if int64(len(whole)) > h.maxRefusal {
			middlewares.Refuse(w, r, http.StatusUnauthorized, cause+", with a body longer than maxResponseBodySize")
			return
		}
		body = bytes.NewReader(whole)
	}
	record.From(r.Context()).Fail(cause)
	h.copyHead(w.Header(), r, res)
	w.WriteHeader(res.StatusCode)
	if r.Method == http.MethodHead {
		return
	}
	if _, err := io.Copy(w, body); err != nil {
		panic(http.ErrAbortHandler) // the client must not take the part for the whole
	}
}

func (h *handler) copyHead(to http.Header, r *http.Request, res *http.Response) {
	maps.Copy(to, res.Header)
	if _, named := to["Content-Type"]; !named {
		to["Content-Type"] = nil
	}
	delete(to, "Content-Length")
	if res.ContentLength >= 0 && (res.ContentLength > 0 || r.Method != http.MethodHead) && bodyAllowed(res.StatusCode) {
		to["Content-Length"] = []string{strconv.FormatInt(res.ContentLength, 10)}
	}
	if at := res.Header.Get("Location"); at != "" && !h.preserveLocation {
		if u, err := url.Parse(at); err == nil {
			to["Location"] = []string{h.withoutUser().ResolveReference(u).String()}
		}
	}
}

// withoutUser is the address, to complete others by.
func (h *handler) withoutUser() *url.URL {
	u := *h.address
	u.User = nil
	return &u
}

// bodyAllowed tells whether a response of a status has a body (RFC 9110, section
// 6.4.1).
func bodyAllowed(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}
