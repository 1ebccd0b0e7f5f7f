package answer

import (
	"encoding/json"
	"html"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// format is the form of an answer: what the client asks for by Accept (RFC 9110,
// section 12.5.1), of those that the gateway can give.
type format int

const (
	asText format = iota // for whoever does not care
	asHTML
	asProblem // application/problem+json (RFC 9457)
)

// formatFor finds the form for a request. Of two that the client likes equally, the one
// that it names first counts; a form that is only covered by a wildcard is text.
func formatFor(accept []string) format {
	best, liking := asText, 0.0
	for _, list := range accept {
		for part := range strings.SplitSeq(list, ",") {
			kind, q := mediaRange(part)
			f, known := forms[kind]
			if known && q > liking {
				best, liking = f, q
			}
		}
	}
	return best
}

var forms = map[string]format{
	"text/html": asHTML, "application/xhtml+xml": asHTML,
	"application/problem+json": asProblem, "application/json": asProblem,
	"text/plain": asText, "text/*": asText, "*/*": asText,
}

// mediaRange reads one element of Accept: what is asked for, and how much it is liked,
// from 0 to 1.
func mediaRange(part string) (kind string, q float64) {
	kind, parameters, _ := strings.Cut(part, ";")
	q = 1
	for p := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(name, "q") {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil || n < 0 || n > 1 || math.IsNaN(n) {
				return "", 0
			}
			q = n
		}
	}
	return strings.ToLower(strings.TrimSpace(kind)), q
}

// page is the answer for people in front of a browser: no script, nothing from
// elsewhere, light and dark.
const page = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<title>TITLE</title></head>
<body style="font:1.1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:20vh auto;padding:0 1rem"><h1 style="font-size:1.4rem">TITLE</h1>TEXT</body></html>
`

// body makes the body of an answer, and its content type.
func (f format) body(status int, text string, p *Problem) (contentType, body string) {
	title := strconv.Itoa(status) + " " + StatusText(status)
	text = strings.TrimSpace(text)
	says := text != "" && text != StatusText(status)
	switch f {
	case asHTML:
		paragraph := ""
		if says {
			paragraph = "<p>" + html.EscapeString(text) + "</p>"
		}
		return "text/html; charset=utf-8", strings.NewReplacer("TITLE", html.EscapeString(title), "TEXT", paragraph).Replace(page)
	case asProblem:
		if p == nil {
			p = &Problem{Type: "about:blank", Title: StatusText(status)}
		}
		problem := struct {
			Type     string   `json:"type"`
			Title    string   `json:"title"`
			Status   int      `json:"status"`
			Detail   string   `json:"detail,omitempty"`
			Violated []string `json:"violated-policies,omitempty"`
		}{Type: p.Type, Title: p.Title, Status: status, Violated: p.Violated}
		if says {
			problem.Detail = text
		}
		encoded, err := json.Marshal(problem)
		if err == nil {
			return "application/problem+json", string(encoded) + "\n"
		}
	}
	return "text/plain; charset=utf-8", ""
}

// byAccept is the Vary of most answers, which nobody changes.
var byAccept = []string{"Accept"}

// vary says that an answer depends on what the client asks for, whatever it got: a cache
// must not give the text of one client to the browser of another (RFC 9110, section
// 12.5.5).
func vary(h http.Header) {
	lines := h["Vary"]
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); name == "*" || strings.EqualFold(name, "Accept") {
				return
			}
		}
	}
	if len(lines) == 0 {
		h["Vary"] = byAccept
		return
	}
	h["Vary"] = append(slices.Clip(lines), "Accept")
}

// write sends an answer in the form that the client asks for. Plain text goes out as it
// is.
func write(w http.ResponseWriter, r *http.Request, status int, text string, p *Problem) {
	h := w.Header()
	contentType := "text/plain; charset=utf-8"
	if f := formatFor(r.Header["Accept"]); f != asText {
		contentType, text = f.body(status, text, p)
	}
	vary(h)
	h.Set("Content-Type", contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	if strings.HasPrefix(contentType, "text/html") {
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(text))
	}
}
