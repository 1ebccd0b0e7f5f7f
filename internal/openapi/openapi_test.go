package openapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fairway/internal/schema"
)

func shop(t testing.TB) *Document {
	t.Helper()
	text, err := os.ReadFile("testdata/shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d, err := Read(text, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func lines(found []schema.Violation) string {
	var all []string
	for _, v := range found {
		all = append(all, v.String())
	}
	return strings.Join(all, "|")
}

func TestFind_TakesTheConcretePathFirst(t *testing.T) {
	d := shop(t)
	for _, tt := range []struct{ method, path, want string }{
		{"GET", "/v1/shop/items", "listItems"},
		{"HEAD", "/v1/shop/items", "listItems"},
		{"POST", "/v1/shop/items", "addItem"},
		{"DELETE", "/v1/shop/items", "may be GET POST"},
		{"GET", "/v1/shop/items/7", "getItem"},
		{"GET", "/v1/shop/items/%6Dine", "mine"},
		{"GET", "/v1/shop/items/", ""},
		{"GET", "/v1/shop/items/7/", ""},
		{"GET", "/v1/shop/items/mine/parts/1,2.json", "parts"},
		{"GET", "/v1/shop/items/7/parts/1", ""},
		{"GET", "/v1/shop/rest/a/b/c", "rest"},
		{"GET", "/v1/shop/rest/", ""},
		{"GET", "/v1/shop/rest/me", "me"},
		{"GET", "/items", ""},
		{"GET", "/v1/shopitems", ""},
		{"GET", "/", ""},
	} {
		m, methods := d.Find(httptest.NewRequest(tt.method, tt.path, nil))
		got := ""
		if m != nil {
			got = m.Name
		} else if len(methods) > 0 {
			got = "may be " + strings.Join(methods, " ")
		}
		if got != tt.want {
			t.Errorf("%s %s: got %q, want %q", tt.method, tt.path, got, tt.want)
		}
	}
}

func TestParameters_AreWhatTheirTextsStandFor(t *testing.T) {
	d := shop(t)
	for _, tt := range []struct{ path, header, want string }{
		{"/items", "", ""},
		{"/items?limit=1&other=x", "", ""},
		{"/items?limit=100", "", "query limit: is not as exclusiveMaximum says"},
		{"/items?limit=x", "", "query limit: got string, want integer"},
		{"/items?limit=1&limit=2", "", "query limit: is given more than once"},
		{"/items?limit=99999999999", "", "query limit: is not as format says"},
		{"/items?tag=a&tag=b", "", ""},
		{"/items?tag=a&tag=c", "", "query tag/1: is not as enum says"},
		{"/items?ids=1,2,3", "", ""},
		{"/items?ids=1,b", "", "query ids/1: got string, want integer"},
		{"/items?words=a%7Cb", "", ""},
		{"/items?words=a|b|c", "", "query words: maxItems: got 3, want 2"},
		{"/items?filter[min]=1.5&filter[on]=true", "", ""},
		{"/items?filter%5Bmin%5D=a&filter[more]=1", "", "query filter: additional properties 'more' not allowed|query filter/min: got string, want number"},
		{"/items?from=1&size=x", "", "query page/size: got string, want integer"},
		{"/items?q=%7B%22a%22:1%7D", "", ""},
		{"/items?q=%7B%7D", "", "query q: missing property 'a'"},
		{"/items", "X-Tenant: a", "header X-Tenant: got string, want integer"},
		{"/items", "X-Tenant: 7", ""},
		{"/items", "Cookie: sid=ab", "cookie sid: minLength: got 2, want 3"},
		{"/items/a", "", "path id: got string, want integer"},
		{"/items/a%2Fbc/parts/1,2.json", "", "path id: maxLength: got 4, want 3"},
		{"/items/a/parts/1.json", "", "path range: minItems: got 1, want 2"},
		{"/items/a/parts/1%2C2.json", "", "path range/0: got string, want integer|path range: minItems: got 1, want 2"},
		{"/files/;name=1;name=2", "", ""},
		{"/files/;name=1;name=b", "", "path name/1: got string, want integer"},
		{"/labels/.a,1", "", ""},
		{"/labels/.a,x", "", "path name/a: got string, want integer"},
		{"/labels/.b,1", "", "path name: missing property 'a'"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/v1/shop"+tt.path, nil)
		if name, value, is := strings.Cut(tt.header, ": "); is {
			r.Header.Set(name, value)
		}
		m, _ := d.Find(r)
		if m == nil {
			t.Errorf("%s: there is no operation", tt.path)
			continue
		}
		got := map[string]bool{}
		for _, v := range m.Parameters(r) {
			got[v.String()] = true
		}
		want := map[string]bool{}
		if tt.want != "" {
			for one := range strings.SplitSeq(tt.want, "|") {
				want[one] = true
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.path, diff)
		}
	}
}

func TestBodies_AreOfTheirSchemas(t *testing.T) {
	d := shop(t)
	for _, tt := range []struct{ path, kind, body, want string }{
		{"/items", "application/json", `{"name": "a", "secret": "s"}`, ""},
		{"/items", "application/json", `{"id": 7, "name": "a"}`, "missing property 'secret'"},
		{"/items", "application/json", `{"name": "a", "secret": "s", "note": null, "size": null}`, ""},
		{"/items", "application/json", `{"name": null, "secret": "s"}`, "/name: got null, want string"},
		{"/items", "application/json", `{"name": "a", "secret": "s", "price": 0}`, "/price: is not as exclusiveMinimum says"},
		{"/items", "application/json", `{"name": "a", "secret": "s", "parent": {"name": "b", "secret": "s"}}`, ""},
		{"/orders", "application/x-www-form-urlencoded", "sku=a+b&count=2&tags=1&tags=2", ""},
		{"/orders", "application/x-www-form-urlencoded", "sku=a&count=x", "/count: got string, want integer"},
		{"/orders", "application/x-www-form-urlencoded", "sku=a", "missing property 'count'"},
		{"/orders", "application/json", "{}", "no such type"},
		{"/orders", "text/plain; charset=utf-8", "a", "not looked at"},
	} {
		m, _ := d.Find(httptest.NewRequest(http.MethodPost, "/v1/shop"+tt.path, nil))
		media := m.Body().Of(tt.kind)
		got := ""
		switch {
		case media == nil:
			got = "no such type"
		case !media.Looks(tt.kind):
			got = "not looked at"
		default:
			got = lines(media.Check(tt.kind, []byte(tt.body)))
		}
		if got != tt.want {
			t.Errorf("%s %s: got %q, want %q", tt.path, tt.body, got, tt.want)
		}
	}
}

func TestResponses_AreFoundByStatusClassAndDefault(t *testing.T) {
	d := shop(t)
	m, _ := d.Find(httptest.NewRequest(http.MethodGet, "/v1/shop/items", nil))
	ok := m.Response(200)
	if ok == nil || m.Response(404) == nil || m.Response(201) != nil || m.Response(500) != nil {
		t.Error("the responses are others")
	}
	if got := lines(ok.Headers(http.Header{})); got != "header X-Total: is required" {
		t.Errorf("got %q", got)
	}
	if got := lines(ok.Headers(http.Header{"X-Total": {"7"}})); got != "" {
		t.Errorf("got %q", got)
	}
	media := ok.Of("application/json")
	if got := lines(media.Check("application/json", []byte(`[{"id": 1, "name": "a"}]`))); got != "" {
		t.Errorf("what is writeOnly is asked for: %q", got)
	}
	if got := lines(media.Check("application/json", []byte(`[{"name": "a"}]`))); got != "/0: missing property 'id'" {
		t.Errorf("got %q", got)
	}
	made, _ := d.Find(httptest.NewRequest(http.MethodPost, "/v1/shop/items", nil))
	if made.Response(500) == nil {
		t.Error("default is not taken")
	}
}

func TestRead_SchemasOf31AreThoseOf2020(t *testing.T) {
	d, err := Read([]byte(`{"openapi": "3.1.0", "jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base", "paths": {"/a": {"post": {"requestBody": {"content": {"application/json": {"schema": {
		"type": ["object", "null"], "properties": {"n": {"type": "number", "exclusiveMinimum": 0}, "t": {"prefixItems": [{"type": "string"}], "items": false}, "r": {"$ref": "#/components/schemas/S", "maxLength": 2}}
	}}}}, "responses": {}}}}, "components": {"schemas": {"S": {"$schema": "https://spec.openapis.org/oas/3.1/dialect/base", "type": "string"}}}}`), Options{BasePath: "/x/"})
	if err != nil {
		t.Fatal(err)
	}
	m, _ := d.Find(httptest.NewRequest(http.MethodPost, "/x/a", nil))
	for body, want := range map[string]string{
		`null`: "", `{"n": 0}`: "/n: is not as exclusiveMinimum says", `{"t": ["a", 1]}`: "/t/1: nothing is allowed here", `{"r": "abc"}`: "/r: maxLength: got 3, want 2",
	} {
		if got := lines(m.Body().Of("application/json").Check("application/json", []byte(body))); got != want {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
}

func TestRead_TellsThePlaceOfAMistake(t *testing.T) {
	const head = "openapi: 3.0.0\npaths:\n  /a:\n    get:\n"
	for text, want := range map[string]string{
		"":               "the document is no object",
		"[]":             "the document is no object",
		"a: [":           "it is neither JSON nor YAML: line 1",
		"swagger: '2.0'": "/swagger: this is a document of OpenAPI 2",
		"openapi: 4.0.0": `/openapi: "4.0.0" is none of the versions`,
		"openapi: 3.1.0\njsonSchemaDialect: http://a/b":                                 "/jsonSchemaDialect: ",
		"openapi: 3.0.0\npaths: {a: {}}":                                                "/paths/a: it does not begin with a slash",
		"openapi: 3.0.0\npaths: {'/{a}': {}, '/{b}': {}}":                               "/paths/~1{b}: another path is the same but for its names",
		"openapi: 3.0.0\npaths: {'/{a}/{a}': {}}":                                       `/paths/~1{a}~1{a}: the name "a" is empty, or there twice`,
		head + "      parameters: [{name: a}]":                                          "/paths/~1a/get/parameters/0: a parameter needs a name",
		head + "      parameters: [{name: a, in: query, style: simple}]":                `/paths/~1a/get/parameters/0/style: "simple"`,
		head + "      parameters: [{$ref: '#/components/parameters/x'}]":                `/paths/~1a/get/parameters/0/$ref: "#/components/parameters/x" leads nowhere`,
		head + "      parameters: [{$ref: 'other.yaml#/x'}]":                            "is not in the document itself",
		head + "      parameters: [{$ref: '#/paths/~1a/get/parameters/0'}]":             "it refers to itself",
		head + "      parameters: [{name: a, in: query, schema: {type: x}}]":            "/paths/~1a/get/parameters/0/schema: ",
		head + "      parameters: [{name: a, in: query, schema: {pattern: '('}}]":       "/paths/~1a/get/parameters/0/schema: ",
		head + "      responses: {200: {content: {x: {}}}}":                             "/paths/~1a/get/responses/200/content/x: it is no media type",
		head + "      responses: {200: {content: {a/b: {schema: {$ref: 'http://a'}}}}}": "can be referred to",
		"openapi: 3.0.0\npaths: {'/{a+}/b': {}}":                                        "/paths/~1{a+}~1b: what has a + is the last segment",
		"openapi: 3.0.0\nservers: [{url: 'http://[a'}]":                                 "/servers/0/url: ",
	} {
		if _, err := Read([]byte(text), Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func TestRead_BoundsWhatAliasesStandFor(t *testing.T) {
	text := "openapi: 3.0.0\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 9; i++ {
		text += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	if _, err := Read([]byte(text), Options{}); err == nil {
		t.Error("a document of thousands of millions of values is read")
	}
}

// hundred is a document with a hundred operations, half of them with names in their paths.
func hundred() string {
	var b strings.Builder
	b.WriteString("openapi: 3.1.0\npaths:\n")
	for i := range 25 {
		fmt.Fprintf(&b, `  /r%[1]d:
    get: {operationId: list%[1]d, parameters: [{name: n, in: query, schema: {type: integer}}], responses: {'200': {content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/R%[1]d'}}}}}}}
    post: {operationId: add%[1]d, requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/R%[1]d'}}}}, responses: {'201': {description: made}}}
  /r%[1]d/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
    get: {operationId: one%[1]d, responses: {'200': {content: {application/json: {schema: {$ref: '#/components/schemas/R%[1]d'}}}}}}
    delete: {operationId: drop%[1]d, responses: {'204': {description: gone}}}
`, i)
	}
	b.WriteString("components:\n  schemas:\n")
	for i := range 25 {
		fmt.Fprintf(&b, "    R%[1]d: {type: object, required: [f%[1]d], properties: {f%[1]d: {type: integer}, next: {$ref: '#/components/schemas/R%[2]d'}}}\n", i, (i+1)%25)
	}
	return b.String()
}

func TestRead_AHundredOperations(t *testing.T) {
	d, err := Read([]byte(hundred()), Options{})
	if err != nil || d.Operations() != 100 {
		t.Fatalf("got %v, %v", d, err)
	}
	for i := range 25 {
		for method, kinds := range map[string][2]string{"GET": {"list", "one"}, "POST": {"add", ""}, "DELETE": {"", "drop"}} {
			for at, path := range []string{fmt.Sprintf("/r%d", i), fmt.Sprintf("/r%d/7", i)} {
				m, _ := d.Find(httptest.NewRequest(method, path, nil))
				if kinds[at] == "" {
					if m != nil {
						t.Errorf("%s %s: got %s", method, path, m.Name)
					}
					continue
				}
				if want := fmt.Sprintf("%s%d", kinds[at], i); m == nil || m.Name != want {
					t.Errorf("%s %s: got %v, want %s", method, path, m, want)
				}
			}
		}
		m, _ := d.Find(httptest.NewRequest(http.MethodPost, fmt.Sprintf("/r%d", i), nil))
		body := fmt.Sprintf(`{"f%d": 1, "next": {"f%d": "x"}}`, i, (i+1)%25)
		if got, want := lines(m.Body().Of("application/json").Check("application/json", []byte(body))), fmt.Sprintf("/next/f%d: got string, want integer", (i+1)%25); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	text, err := os.ReadFile("testdata/shop.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text), "/v1/shop/items?limit=1&filter[a]=2", "{}")
	f.Add(`{"openapi": "3.1.0", "paths": {"/{a}-{b}": {"get": {}}}}`, "/1-2", "")
	f.Add(`{"openapi": "3.0.0", "paths": {"/a": {"get": {"responses": {"200": {"content": {"application/json": {"schema": {"$id": "x", "$ref": "#"}}}}}}}}}`, "/a", "1")
	f.Fuzz(func(t *testing.T, text, target, body string) {
		d, err := Read([]byte(text), Options{})
		if err != nil {
			return
		}
		r, err := http.NewRequest(http.MethodGet, "http://a"+target, nil)
		if err != nil {
			return
		}
		for _, r.Method = range []string{"GET", "POST"} {
			m, _ := d.Find(r)
			if m == nil {
				continue
			}
			m.Parameters(r)
			if b := m.Body(); b != nil {
				for _, kind := range []string{"application/json", formType} {
					if media := b.Of(kind); media.Looks(kind) {
						media.Check(kind, []byte(body))
					}
				}
			}
			if a := m.Response(200); a != nil {
				a.Headers(http.Header{"X-Total": {target}})
			}
		}
	})
}

func BenchmarkFind(b *testing.B) {
	d, err := Read([]byte(hundred()), Options{})
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/r17/7", nil)
	for b.Loop() {
		if m, _ := d.Find(r); m == nil {
			b.Fatal("not found")
		}
	}
}
