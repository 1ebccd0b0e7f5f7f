package dashboard

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"fairway/config"
	"fairway/config/dynamic"
	"fairway/internal/secret"
)

const canary = "canary-7f3a"

// fill puts something into every option: the canary into secrets, and a URL that has it into
// those texts that are chosen by their names.
func fill(v reflect.Value, name string, chosen func(name string) bool, depth int) {
	if depth > 12 {
		return
	}
	switch {
	case v.Type() == reflect.TypeFor[secret.String]():
		v.SetString(canary)
		return
	case v.Kind() == reflect.String && chosen(name):
		v.SetString("https://u:" + canary + "@h/?q=" + canary)
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), name, chosen, depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), v.Type().Field(i).Name, chosen, depth+1)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), name, chosen, depth+1)
	case reflect.Map:
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value, name, chosen, depth+1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("name").Convert(v.Type().Key()), value)
	}
}

func TestInstall_ShowsNoSecretOfAnyOption(t *testing.T) {
	var c config.Configuration
	fill(reflect.ValueOf(&c).Elem(), "", func(string) bool { return true }, 0)
	if raw, err := json.Marshal(c); err != nil || !strings.Contains(string(raw), canary) {
		t.Fatalf("nothing was put in: %v", err)
	}
	text, err := marshalled(c)
	if err != nil || strings.Contains(string(text), canary) || !json.Valid(text) {
		t.Errorf("got %s, %v", text, err)
	}
	if !strings.Contains(string(text), `"endpoint":["https://u:xxxxx@h/?q=*****"]`) {
		t.Errorf("addresses are not readable: %s", text)
	}
}

// TestObjects_ShowNoSecretOfAnyOption fills every kind of middleware and service.
func TestObjects_ShowNoSecretOfAnyOption(t *testing.T) {
	for _, of := range []reflect.Type{reflect.TypeFor[dynamic.Middleware](), reflect.TypeFor[dynamic.Service](), reflect.TypeFor[dynamic.HTTP](), reflect.TypeFor[dynamic.TLS]()} {
		for i := range of.NumField() {
			object := reflect.New(of)
			fill(object.Elem().Field(i), "", func(name string) bool { // the others are shown by the kinds of objects in them
				single := of == reflect.TypeFor[dynamic.Middleware]() || of == reflect.TypeFor[dynamic.Service]()
				return single && (strings.HasSuffix(name, "URL") || name == "Address" || name == "Endpoint" || name == "Replacement")
			}, 0)
			for name, value := range flat(object.Interface()) {
				if strings.Contains(value, canary) {
					t.Errorf("%s.%s: %s is shown", of.Name(), of.Field(i).Name, name)
				}
			}
		}
	}
}

func TestMiddlewares_HideWhatMayBeASecret(t *testing.T) {
	h := newAPI(t, strings.ReplaceAll(`
http:
  routers: {a: {rule: "Path('/')", service: s}}
  services: {s: {loadBalancer: {servers: [{url: "http://u:CANARY@10.0.0.1"}], healthCheck: {path: "/health?key=CANARY", headers: {X-Auth: CANARY}}}}}
  middlewares:
    a: {forwardAuth: {address: "http://u:CANARY@auth/check?token=CANARY", authSigninURL: "https://u:CANARY@auth/?t=CANARY"}}
    b: {redirectRegex: {regex: "^http://(.*)", replacement: "https://u:CANARY@h/${1}?to=${1}&key=CANARY"}}
    c: {headers: {customRequestHeaders: {X-Auth: CANARY, X-Access-Key: CANARY, CF-Access-Client-Id: CANARY, CF-Access-Client-Secret: CANARY, Referer: "http://u:CANARY@h"}}}
    d: {errors: {status: ["500"], service: s, query: "/{status}.html?of={status}&key=CANARY"}}
`, "CANARY", canary))
	for _, path := range []string{"/api/http/middlewares", "/api/http/services", "/api/rawdata", "/api/http/middlewares/a@file", "/api/http/services/s@file"} {
		if text := ask(t, h, "GET", path).Body.String(); strings.Contains(text, canary) {
			t.Errorf("%s: got %s", path, text)
		}
	}
	for path, want := range map[string]string{"/api/http/middlewares/b@file": "to=${1}", "/api/http/middlewares/d@file": "of={status}", "/api/http/middlewares/a@file": "auth/check?token="} {
		if text := ask(t, h, "GET", path).Body.String(); !strings.Contains(text, want) && !strings.Contains(text, strings.ReplaceAll(want, "&", `\u0026`)) {
			t.Errorf("%s: %s is hidden too: %s", path, want, text)
		}
	}
}
