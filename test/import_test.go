//go:build e2e

package test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// echoed is what a service behind an imported gateway was asked.
type echoed struct {
	By, Method, Target, Host, Body string
	Header                         http.Header
}

// echo is a service that answers with what it was asked.
func echo(t *testing.T, name string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Powered-By", "echo")
		_ = json.NewEncoder(w).Encode(echoed{name, r.Method, r.RequestURI, r.Host, string(body), r.Header})
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// caller asks a gateway.
type caller struct {
	t  *testing.T
	at string
}

// ask sends a request, as "METHOD host/path", with headers and a body, and wants a status.
func (v caller) ask(what string, status int, body string, header ...string) (*http.Response, echoed) {
	v.t.Helper()
	method, target, _ := strings.Cut(what, " ")
	host, path, _ := strings.Cut(target, "/")
	r, err := http.NewRequestWithContext(v.t.Context(), method, "http://"+v.at+"/"+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Host = host
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	res, err := fresh.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		v.t.Errorf("%s %v: got %d %s, %v, want %d", what, header, res.StatusCode, text, err, status)
	}
	var e echoed
	_ = json.Unmarshal(text, &e)
	if e.By == "" {
		e.Body = string(text)
	}
	return res, e
}

// TestImport_OfKong imports a file of Kong's, and sends what its users send: the answers are those that Kong gives.
func TestImport_OfKong(t *testing.T) {
	text, err := os.ReadFile("testdata/kong/kong.yml")
	if err != nil {
		t.Fatal(err)
	}
	server, other := echo(t, "server"), echo(t, "other")
	from := writeFile(t, "kong.yml", strings.NewReplacer("SERVER", server, "OTHER", other).Replace(string(text)))
	to := filepath.Join(t.TempDir(), "imported.yml")
	code, report := fairwayCommand(t, "import", "kong", "-o", to, from)
	if code != 1 || !strings.Contains(report, "lost     services[signed].plugins[hmac-auth]: ") || strings.Count(report, "lost ") != 2 {
		t.Fatalf("got %d: %s", code, report)
	}
	if code, out := fairwayCommand(t, "check", to); code != 0 {
		t.Fatalf("%s", out)
	}
	f := startFairway(t, "--providers.file.filename="+to)
	f.await("the routes", func() bool { return f.get("shop.example", "/catalogue").status == http.StatusOK })
	v := caller{t, f.address("web")}
	t.Run("routes", func(t *testing.T) { kongRoutes(caller{t, v.at}, server) })
	t.Run("authentication", func(t *testing.T) { kongAuthentication(caller{t, v.at}) })
	t.Run("plugins", func(t *testing.T) { kongPlugins(caller{t, v.at}) })
}

func kongRoutes(v caller, server string) {
	for what, target := range map[string]string{
		"GET shop.example/catalogue":              "/api",
		"GET shop.example/catalogue/7?a=b":        "/api/7?a=b",
		"GET de.shop.example/catalogue/":          "/api/",
		"GET shop.example/v2/catalogue/7/reviews": "/api/reviews",
		"GET shop.example/catalogue/items/7":      "/api/items/7", // three kinds of conditions win over two and a longer path
		"POST shop.example/catalogue/items":       "/api/catalogue/items",
		"GET shop.example/catalogue/7%2F8":        "/api/7%2F8",
	} {
		_, e := v.ask(what, 200, "")
		if e.Target != target || e.Host != server {
			v.t.Errorf("%s: the service is asked for %s at %s", what, e.Target, e.Host)
		}
	}
	_, e := v.ask("GET shop.example/catalogue/7", 200, "", "X-Beta: yes")
	if e.Target != "/api/catalogue/7" {
		v.t.Errorf("more conditions do not win: %s", e.Target)
	}
	v.ask("POST shop.example/catalogue", 404, "")
	v.ask("GET other.example/catalogue", 404, "")
	v.ask("GET shop.example/nowhere", 404, "")
	res, _ := v.ask("GET a.example/secure/x", 301, "")
	if res.Header.Get("Location") != "https://a.example/secure/x" {
		v.t.Errorf("got %v", res.Header)
	}
	v.ask("GET a.example/upgrade", 426, "")
}

func kongAuthentication(v caller) {
	const ann, eve = "apikey: key-of-ann-which-is-long", "apikey: key-of-eve-which-is-long"
	v.ask("GET a.example/orders/1", 401, "")
	v.ask("GET a.example/orders/1", 401, "", "apikey: made-up")
	v.ask("GET a.example/orders/1", 403, "", eve)
	_, e := v.ask("GET a.example/orders/1", 200, "", ann, "X-Consumer-Username: root")
	if e.Target != "/orders/1" || e.Host != "a.example" || e.Header.Get("X-Consumer-Username") != "ann" || e.Header.Get("X-Consumer-Custom-Id") != "c-1" || e.Header.Get("X-Consumer-Groups") != "customers" || e.Header.Get("Apikey") != "" {
		v.t.Errorf("got %+v", e)
	}
	basic := func(name, password string) string {
		r := &http.Request{Header: http.Header{}}
		r.SetBasicAuth(name, password)
		return "Authorization: " + r.Header.Get("Authorization")
	}
	v.ask("GET a.example/orders/admin", 401, "")
	v.ask("GET a.example/orders/admin", 401, "", ann)
	v.ask("GET a.example/orders/admin", 401, "", basic("bob", "wrong"))
	v.ask("GET a.example/orders/admin", 403, "", basic("carl", "secret-of-carl"))
	_, e = v.ask("GET a.example/orders/admin/x", 200, "", basic("bob", "secret-of-bob"))
	if e.Target != "/x" || e.Header.Get("Authorization") != "" || e.Header.Get("X-Consumer-Username") != "bob" {
		v.t.Errorf("got %+v", e)
	}
	token := func(app, secret string, expires time.Duration) string {
		text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"iss": app, "exp": time.Now().Add(expires).Unix()}).SignedString([]byte(secret))
		if err != nil {
			v.t.Fatal(err)
		}
		return text
	}
	const cid, dan = "a-secret-of-more-than-32-bytes-for-cid", "a-secret-of-more-than-32-bytes-for-dan"
	v.ask("GET a.example/tokens", 401, "")
	v.ask("GET a.example/tokens", 401, "", "Authorization: Bearer "+token("cid-app", dan, time.Hour))
	v.ask("GET a.example/tokens", 401, "", "Authorization: Bearer "+token("cid-app", cid, -time.Hour))
	if _, e = v.ask("GET a.example/tokens", 200, "", "Authorization: Bearer "+token("cid-app", cid, time.Hour)); e.Header.Get("X-Consumer-Username") != "cid" {
		v.t.Errorf("got %+v", e)
	}
	if _, e = v.ask("GET a.example/tokens?jwt="+token("dan-app", dan, time.Hour), 200, ""); e.Header.Get("X-Consumer-Username") != "dan" {
		v.t.Errorf("got %+v", e)
	}
	v.ask("GET a.example/signed", 403, "")
	v.ask("GET a.example/far", 403, "")
}

func kongPlugins(v caller) {
	const ann = "apikey: key-of-ann-which-is-long"
	res, e := v.ask("POST a.example/orders?q=shoes", 200, `{"n": 1}`, ann, "X-Debug: 1", "Content-Type: application/json")
	var body map[string]any
	_ = json.Unmarshal([]byte(e.Body), &body)
	if e.Header.Get("X-Debug") != "" || e.Header.Get("X-From") != "gateway" || e.Target != "/orders?query=shoes" || body["via"] != "gateway" {
		v.t.Errorf("the request is not changed: %+v", e)
	}
	if res.Header.Get("X-Powered-By") != "" || res.Header.Get("X-Shop") != "yes" || res.Header.Get("X-Request-Id") == "" || res.Header.Get("X-Request-Id") != e.Header.Get("X-Request-Id") {
		v.t.Errorf("the response is not changed: %v", res.Header)
	}
	v.ask("POST a.example/orders", 413, `{"n": "`+strings.Repeat("x", 2000)+`"}`, ann, "Content-Type: application/json")
	kongLimits(v)
	res, _ = v.ask("OPTIONS shop.example/catalogue", 200, "", "Origin: https://red.team.example", "Access-Control-Request-Method: GET")
	if res.Header.Get("Access-Control-Allow-Origin") != "https://red.team.example" || res.Header.Get("Access-Control-Max-Age") != "60" {
		v.t.Errorf("preflight: got %v", res.Header)
	}
	res, _ = v.ask("GET shop.example/catalogue", 200, "", "Origin: https://evil.example")
	if res.Header.Get("Access-Control-Allow-Origin") != "" {
		v.t.Errorf("another origin: got %v", res.Header)
	}
	if _, e = v.ask("GET a.example/maintenance", 503, ""); e.Body != `{"message":"back soon"}` {
		v.t.Errorf("got %+v", e)
	}
	res, _ = v.ask("GET a.example/moved/a?b=c", 301, "")
	if res.Header.Get("Location") != "https://new.example/moved/a?b=c" {
		v.t.Errorf("got %v", res.Header)
	}
}

// kongLimits asks until ann has had her five requests in a minute, some of them before.
func kongLimits(v caller) {
	by, refused := map[string]bool{}, 0
	for range 6 {
		r, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, "http://"+v.at+"/orders", nil)
		if err != nil {
			v.t.Fatal(err)
		}
		r.Header.Set("apikey", "key-of-ann-which-is-long")
		res, err := fresh.Do(r)
		if err != nil {
			v.t.Fatal(err)
		}
		var e echoed
		_ = json.NewDecoder(res.Body).Decode(&e)
		_ = res.Body.Close()
		switch res.StatusCode {
		case http.StatusOK:
			by[e.By] = true
		case http.StatusTooManyRequests:
			refused++
		default:
			v.t.Errorf("got %d", res.StatusCode)
		}
	}
	if refused == 0 || len(by) != 2 {
		v.t.Errorf("%d requests are refused, the others are answered by %v", refused, by)
	}
	const fred = "apikey: key-of-fred-which-is-long" // has a limit of his own
	v.ask("GET a.example/orders", http.StatusOK, "", fred)
	v.ask("GET a.example/orders", http.StatusOK, "", fred)
	v.ask("GET a.example/orders", http.StatusTooManyRequests, "", fred)
}

// TestImport_OfAmazonAPIGateway imports a document with extensions of Amazon API Gateway.
func TestImport_OfAmazonAPIGateway(t *testing.T) {
	server := echo(t, "server")
	from := writeFile(t, "pets.yaml", strings.ReplaceAll(`openapi: 3.0.1
info: {title: Pets}
servers: [{url: 'https://abc.execute-api.eu-central-1.amazonaws.com/prod'}]
x-amazon-apigateway-request-validators: {all: {validateRequestBody: true, validateRequestParameters: true}}
x-amazon-apigateway-request-validator: all
x-amazon-apigateway-cors: {allowOrigins: ['https://app.example'], allowMethods: [GET], allowHeaders: [x-api-key]}
paths:
  /pets:
    get:
      parameters: [{name: limit, in: query, schema: {type: integer}}]
      responses: {'200': {description: pets}}
      x-amazon-apigateway-integration: {type: http_proxy, httpMethod: GET, uri: 'http://SERVER/v2/animals', requestParameters: {integration.request.header.X-Org: method.request.header.X-Tenant}}
    post:
      security: [{key: []}]
      responses: {'200': {description: made}}
      x-amazon-apigateway-integration: {type: http_proxy, httpMethod: PUT, uri: 'http://SERVER/v2/animals'}
  /pets/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
    get:
      responses: {'200': {description: a pet}}
      x-amazon-apigateway-integration: {type: http_proxy, httpMethod: GET, uri: 'http://SERVER/v2/animals/{animal}/card', requestParameters: {integration.request.path.animal: method.request.path.id}}
  /pets/mine: {get: {responses: {}, x-amazon-apigateway-integration: {type: mock, requestTemplates: {application/json: '{"statusCode": 203}'}, responses: {default: {statusCode: '200'}, '203': {statusCode: '203', responseTemplates: {application/json: '{"mine": []}'}}}}}}
  /files/{proxy+}:
    x-amazon-apigateway-any-method: {responses: {}, x-amazon-apigateway-integration: {type: http_proxy, httpMethod: ANY, uri: 'http://SERVER/store/{proxy}'}}
  /closed: {get: {responses: {}, x-amazon-apigateway-auth: {type: AWS_IAM}, x-amazon-apigateway-integration: {type: http_proxy, httpMethod: GET, uri: 'http://SERVER/'}}}
components: {securitySchemes: {key: {type: apiKey, in: header, name: x-api-key}}}
`, "SERVER", server))
	to := filepath.Join(t.TempDir(), "imported.yml")
	if code, report := fairwayCommand(t, "import", "openapi", "-host", "pets.test", "-o", to, from); code != 1 || strings.Count(report, "lost ") != 1 || !strings.Contains(report, "AWS_IAM") {
		t.Fatalf("got %d: %s", code, report)
	}
	f := startFairway(t, "--providers.file.filename="+to)
	f.await("the routes", func() bool { return f.get("pets.test", "/prod/pets").status == http.StatusOK })
	v := caller{t, f.address("web")}
	for what, want := range map[string]string{
		"GET pets.test/prod/pets?limit=1":  "GET /v2/animals?limit=1",
		"GET pets.test/prod/pets/7":        "GET /v2/animals/7/card",
		"PUT pets.test/prod/files/a/b%20c": "PUT /store/a/b%20c",
	} {
		_, e := v.ask(what, http.StatusOK, "", "X-Tenant: acme")
		if got := e.Method + " " + e.Target; got != want || e.Host != server || strings.Contains(what, "limit") && e.Header.Get("X-Org") != "acme" {
			t.Errorf("%s: the service got %s %v", what, got, e)
		}
	}
	if _, e := v.ask("GET pets.test/prod/pets/mine", http.StatusNonAuthoritativeInfo, ""); e.Body != `{"mine": []}` {
		t.Errorf("got %+v", e)
	}
	v.ask("GET pets.test/prod/pets?limit=x", http.StatusBadRequest, "")
	v.ask("GET pets.test/prod/pets/x", http.StatusBadRequest, "")
	v.ask("POST pets.test/prod/pets", http.StatusUnauthorized, "")
	v.ask("GET pets.test/prod/closed", http.StatusForbidden, "")
	v.ask("DELETE pets.test/prod/pets", http.StatusNotFound, "")
	res, _ := v.ask("OPTIONS pets.test/prod/pets", http.StatusOK, "", "Origin: https://app.example", "Access-Control-Request-Method: GET")
	if res.Header.Get("Access-Control-Allow-Origin") != "https://app.example" {
		t.Errorf("got %v", res.Header)
	}
}
