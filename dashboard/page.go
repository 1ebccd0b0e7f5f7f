package dashboard

import "net/http"

// showPage answers with the dashboard's start page: what there is to ask.
func showPage(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	_, _ = w.Write([]byte(startPage))
}

// The links are relative: the page works below any base path.
const startPage = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>fairway</title>
<style>body{font:1rem/1.6 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}</style>
<h1>fairway</h1>
<ul>
<li><a href="../api/problems">Problems</a>: what is wrong, where, and what was probably meant
<li><a href="../api/overview">Overview</a>
<li><a href="../api/http/routers">Routers</a>, <a href="../api/http/services">services</a>, <a href="../api/http/middlewares">middlewares</a>
<li><a href="../api/entrypoints">Entry points</a>
<li><a href="../api/rawdata">Everything at once</a>
</ul>
</html>
`
