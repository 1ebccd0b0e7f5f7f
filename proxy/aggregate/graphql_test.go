package aggregate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"fairway/internal/record"
)

const facadeText = `
graphql:
  any: true
  maxRequests: 20
  schema: |
    type Query { user(id: ID!): User, orders(first: Int = 2, state: State): [Order!]!, thing: Thing, broken: Int, spare: [Int], strict: Int! }
    type Mutation { add(order: OrderInput!): Order, other: Int }
    input OrderInput { sku: String!, count: Int = 1 }
    enum State { OPEN DONE }
    type User { id: ID!, name: String, address: Address, orders: [Order] }
    type Address { city: String }
    type Order { sku: ID, count: Int, state: State, product: Product }
    type Product { title: String!, price: Float }
    interface Thing { title: String }
    type Book implements Thing { title: String, pages: Int }
    type Cup implements Thing { title: String, product: Product }
  queries:
    page: 'query($id: ID!) { user(id: $id) { name } }'
parts:
  user: {service: users, path: '/users/{args.id}'}
  orders: {service: orders, path: /orders, query: {first: '{args.first}', state: '{args.state}'}}
  userOrders: {field: User.orders, service: orders, path: '/users/{parent.id}/orders'}
  product: {field: Order.product, service: products, path: '/products/{parent.sku}'}
  cup: {field: Cup.product, service: products, path: '/products/cup'}
  thing: {service: things}
  broken: {service: broken, required: false}
  spare: {service: broken, required: false, fallback: '[1]'}
  strict: {service: broken, required: false}
  add: {field: Mutation.add, service: adds, method: POST, path: /orders, body: '{n: .args.order.sku, c: .args.order.count}'}
  other: {field: Mutation.other, service: adds, method: POST, path: /other, pick: .n}
`

func shopOfFields(asked func(string)) services {
	note := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			asked(strings.TrimSpace(r.Method + " " + r.URL.RequestURI() + " " + string(body)))
			_, _ = io.WriteString(w, text)
		}
	}
	return services{
		"users":    note(`{"id": 7, "name": "Ann", "address": {"city": "Ulm"}, "secret": 1}`),
		"orders":   note(`[{"sku": "a", "count": 1, "state": "OPEN"}, {"sku": "b", "count": 5000000000, "state": "LOST"}, {"sku": "a", "count": 3}]`),
		"products": note(`{"title": "A cup", "price": 1.50}`),
		"things":   note(`{"__typename": "Cup", "title": "T"}`),
		"broken":   status(503, "down"),
		"adds":     note(`{"sku": "x", "n": 3}`),
	}
}

func post(h http.Handler, body string, header ...string) (*httptest.ResponseRecorder, *record.Record) {
	rec := &record.Record{}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
	return w, rec
}

func quoted(query string) string { return fmt.Sprintf(`{"query": %q}`, query) }

func TestGraphQL_Answers(t *testing.T) {
	for _, tt := range []struct{ name, body, want, asked string }{
		{"fields in their order", quoted(`{ user(id: 7) { name, id, n: name, address { city } __typename } }`), `{"data":{"user":{"name":"Ann","id":"7","n":"Ann","address":{"city":"Ulm"},"__typename":"User"}}}`, "GET /users/7"},
		{"by its name", `{"id": "page", "variables": {"id": "a/b"}}`, `{"data":{"user":{"name":"Ann"}}}`, "GET /users/a%2Fb"},
		{"variables, and one that stands for itself", `{"query": "query($s: State, $w: Boolean = false) { orders(first: 1, state: $s) { sku } user(id: 1) @include(if: $w) { id } }", "variables": {"s": "DONE"}}`, `{"data":{"orders":[{"sku":"a"},{"sku":"b"},{"sku":"a"}]}}`, "GET /orders?first=1&state=DONE"},
		{"what is below, once for each that is the same", quoted(`{ orders { sku product { title price } } }`), `{"data":{"orders":[{"sku":"a","product":{"title":"A cup","price":1.5}},{"sku":"b","product":{"title":"A cup","price":1.5}},{"sku":"a","product":{"title":"A cup","price":1.5}}]}}`, "GET /orders?first=2|GET /products/a|GET /products/b"},
		{"fragments", quoted(`{ user(id: 7) { ...f ... on User { address { city } } ...f } } fragment f on User { orders { ...o } } fragment o on Order { sku }`), `{"data":{"user":{"orders":[{"sku":"a"},{"sku":"b"},{"sku":"a"}],"address":{"city":"Ulm"}}}}`, "GET /users/7|GET /users/7/orders"},
		{"fields that are there twice", quoted(`{ user(id: 7) { address { city } address { town: city } } }`), `{"data":{"user":{"address":{"city":"Ulm","town":"Ulm"}}}}`, "GET /users/7"},
		{"an interface", quoted(`{ thing { title ... on Cup { product { title } } ... on Book { pages } } }`), `{"data":{"thing":{"title":"T","product":{"title":"A cup"}}}}`, "GET /|GET /products/cup"},
		{"what is not as the schema says", quoted(`{ orders { count } }`), `{"errors":[{"message":"what is there is no Int","path":["orders",1,"count"],"locations":[{"line":1,"column":12}]}],"data":{"orders":[{"count":1},{"count":null},{"count":3}]}}`, "GET /orders?first=2"},
		{"an unknown name of an enumeration", quoted(`{ orders { state } }`), `{"errors":[{"message":"what is there is no State","path":["orders",1,"state"],"locations":[{"line":1,"column":12}]}],"data":{"orders":[{"state":"OPEN"},{"state":null},{"state":null}]}}`, "GET /orders?first=2"},
		{"a part that fails", quoted(`{ broken spare user(id: 1) { id } }`), `{"errors":[{"message":"the part broken has failed: status","path":["broken"],"locations":[{"line":1,"column":3}],"extensions":{"cause":"status","part":"broken","status":503}}],"data":{"broken":null,"spare":[1],"user":{"id":"7"}},"extensions":{"partial":[PARTIAL]}}`, "GET /users/1"},
		{"a part that has to be there fails", quoted(`{ user(id: 1) { id } strict }`), `{"errors":[{"message":"the part strict has failed: status","path":["strict"],"locations":[{"line":1,"column":22}],"extensions":{"cause":"status","part":"strict","status":503}}],"data":null,"extensions":{"partial":[PARTIAL]}}`, "GET /users/1"},
		{"a change, in turn", quoted(`mutation { b: other add(order: {sku: "x"}) { sku } a: other }`), `{"data":{"b":3,"add":{"sku":"x"},"a":3}}`, `POST /other|POST /orders {"c":1,"n":"x"}|POST /other`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked := make(chan string, 100)
			s := mustBuild(t, facadeText, shopOfFields(func(what string) { asked <- what }))
			w, _ := post(s, tt.body)
			got := w.Body.String()
			if at := strings.Index(got, `"partial":[`); at >= 0 {
				if w.Header().Get(partialHeader) == "" || w.Header().Get("Cache-Control") != "no-store" {
					t.Errorf("the header does not tell: %v", w.Header())
				}
				got = got[:at] + `"partial":[PARTIAL]}}`
			}
			if got != tt.want || w.Code != 200 {
				t.Errorf("got  %d %s\nwant %s", w.Code, got, tt.want)
			}
			close(asked)
			var all []string
			for what := range asked {
				all = append(all, what)
			}
			if !strings.HasPrefix(tt.asked, "POST") {
				slices.Sort(all)
			}
			if got := strings.Join(all, "|"); got != tt.asked {
				t.Errorf("asked were %s", got)
			}
		})
	}
}

func TestGraphQL_WhatIsRefused(t *testing.T) {
	s := mustBuild(t, facadeText, shopOfFields(func(what string) { t.Errorf("asked was %s", what) }))
	for _, tt := range []struct{ body, want string }{
		{quoted(`{`), "Expected Name, found"},
		{quoted(`{ nobody }`), `Cannot query field \"nobody\" on type \"Query\"`},
		{quoted(`{ user { id } }`), `argument \"id\" of type \"ID!\" is required`},
		{quoted(`query($i: ID!) { user(id: $i) { id } }`), "must be defined"},
		{quoted(`{ __schema { types { name } } }`), "there is no introspection"},
		{quoted(`{ a: orders(first: 500) { product { title } } }`), "the query costs more than 5000"},
		{quoted(`{ user(id: 1) { orders { product { title } } ` + strings.Repeat("x: orders { sku } ", 1) + strings.Repeat("o: orders { product { title price } } ", 60) + `} }`), "costs more than"},
		{quoted("query a { broken } query b { broken }"), "operationName has to say which one"},
		{`{"query": "query a { broken } query b { broken }", "operationName": "c"}`, "no operation of this name"},
		{`{"id": "none"}`, "there is no query with this id"},
		{`{}`, "there is no query"},
		{`{"extensions": {"persistedQuery": {"sha256Hash": "00"}}}`, "PersistedQueryNotFound"},
		{quoted("{" + strings.Repeat(" broken", 5000) + "}"), "exceeded token limit"},
		{quoted(`subscription { broken }`), "subscription"},
	} {
		w, rec := post(s, tt.body, "Accept", "application/graphql-response+json")
		if w.Code != 400 || !strings.Contains(w.Body.String(), tt.want) || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/graphql-response+json") || rec.Cause == "" {
			t.Errorf("%.60s: got %d %s", tt.body, w.Code, w.Body)
		}
		if w, _ := post(s, tt.body); w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
			t.Errorf("%.60s: as JSON: got %d", tt.body, w.Code)
		}
	}
	for _, tt := range []struct {
		method, target, kind, body string
		want                       int
	}{
		{"POST", "/", "text/plain", quoted("{ broken }"), 415},
		{"POST", "/", "application/json", "{", 400},
		{"POST", "/", "application/json", strings.Repeat("[", 100), 400},
		{"PUT", "/", "application/json", "{}", 405},
		{"GET", "/?query=" + url.QueryEscape("mutation { other }"), "", "", 405},
		{"POST", "/", "application/json", `"` + strings.Repeat("x", 1<<20) + `"`, 413},
	} {
		r := httptest.NewRequest(tt.method, tt.target, strings.NewReader(tt.body))
		r.Header.Set("Content-Type", tt.kind)
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, r); w.Code != tt.want {
			t.Errorf("%s %s %.20s: got %d", tt.method, tt.kind, tt.body, w.Code)
		}
	}
}

// Without any, clients send what is known: by its name, its hash or its text.
func TestGraphQL_KnownQueriesOnly(t *testing.T) {
	const query = `query($id: ID!) { user(id: $id) { name } }`
	s := mustBuild(t, strings.Replace(facadeText, "any: true", "any: false", 1), shopOfFields(func(string) {}))
	sum := sha256.Sum256([]byte(query))
	vars := url.QueryEscape(`{"id": 1}`)
	for target, want := range map[string]bool{
		"/?id=page&variables=" + vars: true, "/?documentId=page&variables=" + vars: true, "/?query=" + url.QueryEscape(query) + "&variables=" + vars: true,
		"/?extensions=" + url.QueryEscape(`{"persistedQuery":{"version":1,"sha256Hash":"`+hex.EncodeToString(sum[:])+`"}}`) + "&variables=" + vars: true,
		"/?query=" + url.QueryEscape(`{ broken }`): false, "/?id=page": false, "/?id=page&variables=x": false,
	} {
		w, _ := get(s, target, nil)
		if got := w.Body.String() == `{"data":{"user":{"name":"Ann"}}}`; got != want {
			t.Errorf("%s: got %s", target, w.Body)
		}
	}
}

// A list may be longer than was thought: then nothing more is asked.
func TestGraphQL_BoundsRequests(t *testing.T) {
	items := strings.Repeat(`{"sku": "x"},`, 20)
	list := "[" + items + `{"sku": "y"}]`
	for _, tt := range []struct {
		name, orders, query, want string
	}{
		{"a list", list, `{ orders { product { title } } }`, "the list has 21 items, and 20 are the most for which something else is asked"},
		{"several of them", distinct(12), `{ orders { product { title } } b: orders(first: 1) { product { title } } user(id: 1) { orders { product { title } } } }`, "the query causes more than 20 requests"},
	} {
		all := shopOfFields(func(string) {})
		all["orders"] = func(w http.ResponseWriter, r *http.Request) {
			text := tt.orders
			if strings.Contains(r.URL.RequestURI(), "users") {
				text = strings.ReplaceAll(text, `"x-`, `"y-`)
			}
			_, _ = io.WriteString(w, text)
		}
		w, _ := post(mustBuild(t, facadeText, all), quoted(tt.query))
		if !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: got %s", tt.name, w.Body)
		}
	}
}

func distinct(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`{"sku": "x-%d"}`, i)
	}
	return "[" + strings.Join(all, ",") + "]"
}

// What is asked for once may be in the answer many times: that is bounded, too.
func TestGraphQL_BoundsTheAnswer(t *testing.T) {
	many := strings.Repeat(`{"sku": "x"},`, 5000)
	all := shopOfFields(func(string) {})
	all["orders"] = says("[" + many + `{"sku": "y"}]`)
	all["users"] = says(`{"name": "` + strings.Repeat("x", 1<<20) + `"}`)
	aliases := func(n int, field string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "a%d: %s ", i, field)
		}
		return b.String()
	}
	s := mustBuild(t, strings.Replace(facadeText, "maxRequests: 20", "maxRequests: 20\n  maxCost: 100000", 1), all)
	for name, tt := range map[string]struct{ body, want string }{
		"many times one text":  {quoted("{ user(id: 1) { " + aliases(100, "name") + "} }"), `{"errors":[{"message":"the answer is too long"}],"data":null}`},
		"many times one list":  {quoted("{ " + aliases(60, "orders(first: 1) { sku }") + "}"), `{"errors":[{"message":"the answer is too long"}],"data":null}`},
		"a length in variable": {`{"query": "query($n: Int) { orders(first: $n) { sku product { title } } }", "variables": {"n": 50000}}`, "the query costs more than 100000"},
	} {
		if w, rec := post(s, tt.body); !strings.Contains(w.Body.String(), tt.want) || rec.Cause == "" {
			t.Errorf("%s: got %.300s", name, w.Body)
		}
	}
}

func TestGraphQL_MistakesAreTold(t *testing.T) {
	const parts = "\nparts: {a: {service: users}}"
	const schema = "graphql: {any: true, schema: 'type Query { a(x: Int): Int }'"
	for text, want := range map[string]string{
		"graphql: {schema: 'type Query { a: Int }'}" + parts:                                         "graphql.queries: there are none",
		"graphql: {any: true}" + parts:                                                               "graphql.schema: one of schema and schemaFile",
		"graphql: {any: true, schema: 'type Query { a: Nothing }'}" + parts:                          "graphql.schema: line 1, column 17: Undefined type Nothing",
		"graphql: {any: true, schema: 'type Query { a: Int, b: Int }'}" + parts:                      "graphql.schema: no part answers Query.b",
		"graphql: {any: true, schema: 'type Query { b: Int }'}" + parts:                              `graphql.parts.a.field: "Query.a": there is no such field`,
		"graphql: {any: true, schema: 'type Query { a: Int } type Subscription { b: Int }'}" + parts: "graphql.schema: there are no subscriptions",
		schema + ", maxDepth: 0}" + parts:                                                            "graphql.maxDepth, maxCost",
		schema + ", queries: {q: '{ b }'}}" + parts:                                                  `graphql.queries.q: line 1, column 3: Cannot query field "b"`,
		schema + "}\nparts: {a: {service: users, path: '/{args.y}'}}":                                `graphql.parts.a.field: "Query.a": it has no argument "y"`,
		schema + "}\nparts: {a: {service: users, path: '/{parts.a}'}}":                               `parts.a.path: at offset 1: {parts.a}: there is no "parts"`,
		schema + "}\nparts: {a: {service: users}, b: {service: users, field: Query.a}}":              `graphql.parts.b.field: "Query.a": the part a answers it already`,
		schema + "}\nparts: {a: {service: users}, b: {service: users, field: Other.a}}":              `the schema has no type "Other"`,
		schema + "}\nresult: .\nparts: {a: {service: users}}":                                        "graphql.the answer has the shape of the query",
		schema + "}\nparts: {a: {service: users, target: b}}":                                        "each and target are for answers without graphql",
		"parts: {a: {service: users, path: '/{args.y}'}}":                                            `there is no "args"`,
		"parts: {a: {service: users, field: Query.a}}":                                               "parts.a.field: is for graphql",
	} {
		if _, err := build(t, text, shop); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func FuzzGraphQL(f *testing.F) {
	for _, seed := range []string{`{ user(id: 7) { name } }`, `{ orders { ...f } } fragment f on Order { sku product { title } }`, `mutation { add(order: {sku: "x"}) { sku } }`, `query($a: [Int!]! = [1]) { broken @skip(if: true) }`, `{ thing { ... on Book { pages } } }`, "\"\"\""} {
		f.Add(seed, `{"a": 1}`)
	}
	s := mustBuild(f, facadeText, shopOfFields(func(string) {}))
	f.Fuzz(func(t *testing.T, query, variables string) {
		if !json.Valid([]byte(variables)) {
			variables = "null"
		}
		text, _ := json.Marshal(query)
		w, _ := post(s, `{"query": `+string(text)+`, "variables": `+variables+`}`)
		if !json.Valid(w.Body.Bytes()) && w.Code == 200 {
			t.Errorf("%q: got %d %s", query, w.Code, w.Body)
		}
	})
}
