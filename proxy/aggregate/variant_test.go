package aggregate

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"fairway/internal/identity"
	"fairway/internal/record"
)

const page = `
path: /{client}/page/{id}
variantBy: ['{path.client}', '{header.X-Client}', '{claims.app}', '{client}']
variants:
  mobile: {parts: [orders], values: {pageSize: 5}, fields: [orders.items.sku, orders.total]}
  partner: {result: '{total: .parts.orders.total, as: .variant.name, size: .variant.pageSize}'}
  small: {fields: [user.name]}
fields: {allow: [user.name, user.address, orders]}
parts:
  user: {service: users}
  orders: {service: orders, query: {limit: '{variant.pageSize|20}', of: '{parts.user.name}'}}
  stars: {service: stars, required: false}
`

// asked notes which services are asked, and how.
func asked(all services) (noting services, took func() []string) {
	var mu sync.Mutex
	var list []string
	noting = services{}
	for name, h := range all {
		noting[name] = func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			list = append(list, strings.TrimSuffix(name+"?"+r.URL.RawQuery, "?"))
			mu.Unlock()
			h(w, r)
		}
	}
	return noting, func() []string {
		mu.Lock()
		defer mu.Unlock()
		out := list
		list = nil
		slices.Sort(out)
		return out
	}
}

func TestVariants(t *testing.T) {
	all, took := asked(services{"users": shop["users"], "orders": shop["orders"], "stars": says("[5]")})
	s := mustBuild(t, page, all)
	for _, tt := range []struct {
		name, target string
		change       func(*http.Request)
		want, asked  string
	}{
		{"of none", "/web/page/7", nil, `{user: {name: Ann, address: {city: Ulm}}, orders: {items: [{sku: a, n: 1}, {sku: b, n: 2}, {sku: a, n: 3}], total: 1.5}}`, "orders?limit=20&of=Ann users"},
		{"by path", "/mobile/page/7", nil, `{orders: {items: [{sku: a}, {sku: b}, {sku: a}], total: 1.5}}`, "orders?limit=5&of=Ann users"},
		{"by header", "/web/page/7", func(r *http.Request) { r.Header.Set("X-Client", "small") }, `{user: {name: Ann}}`, "users"},
		{"by claim", "/web/page/7", func(r *http.Request) {
			record.From(r.Context()).Identity = &identity.Identity{Claims: map[string]any{"app": "small"}}
		}, `{user: {name: Ann}}`, "users"},
		{"by class", "/web/page/7", func(r *http.Request) { r.Header.Set("User-Agent", "Mozilla/5.0 (Android 15; Mobile; rv:140.0)") }, `{orders: {items: [{sku: a}, {sku: b}, {sku: a}], total: 1.5}}`, "orders?limit=5&of=Ann users"},
		{"with a result", "/partner/page/7", nil, `{}`, "orders?limit=20&of=Ann stars users"},
		{"fields", "/web/page/7?fields=user.address.city", nil, `{user: {address: {city: Ulm}}}`, "users"},
		{"fields of a variant", "/mobile/page/7?fields=orders.total", nil, `{orders: {total: 1.5}}`, "orders?limit=5&of=Ann users"},
		{"fields allowed in part", "/web/page/7?fields=user,orders.total", nil, `{user: {name: Ann, address: {city: Ulm}}, orders: {total: 1.5}}`, "orders?limit=20&of=Ann users"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, rec := get(s, tt.target, tt.change)
			if w.Code != 200 || strings.Join(w.Header()["Vary"], ", ") != "X-Client, Authorization, Cookie, User-Agent, Sec-Ch-Ua-Mobile" {
				t.Fatalf("got %d %s, %v, %s", w.Code, w.Body, w.Header(), rec.Cause)
			}
			same(t, w.Body.String(), tt.want)
			if got := strings.Join(took(), " "); got != tt.asked {
				t.Errorf("asked were %s", got)
			}
		})
	}
}

func TestFields_ThatDoNotExist(t *testing.T) {
	all, took := asked(services{"users": shop["users"], "orders": shop["orders"], "stars": says("[5]")})
	s := mustBuild(t, page, all)
	for target, want := range map[string]string{
		"/web/page/7?fields=user.nmae":   `fields: there is no field \"user.nmae\"; did you mean \"name\"?`,
		"/web/page/7?fields=stars":       `fields: there is no field \"stars\"`,
		"/web/page/7?fields=a..b":        "a name is empty",
		"/mobile/page/7?fields=user":     `there is no field \"user\"`,
		"/web/page/7?fields=user.id&x=1": `there is no field \"user.id\"`,
	} {
		if w, _ := get(s, target, nil); w.Code != 400 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: got %d %s", target, w.Code, w.Body)
		}
		if got := took(); len(got) > 0 {
			t.Errorf("%s: asked were %s", target, got)
		}
	}
}

// What has failed is told, whatever was asked for.
func TestFields_PartialIsAlwaysTold(t *testing.T) {
	s := mustBuild(t, "parts: {a: {service: broken, required: false}, b: {service: users}}\nfields: {default: [a, b.name]}", shop)
	w, _ := get(s, "/", nil)
	if !strings.Contains(w.Body.String(), `"partial":[{"part":"a"`) || !strings.Contains(w.Body.String(), `"b":{"name":"Ann"}`) {
		t.Errorf("got %s", w.Body)
	}
	if w, _ = get(s, "/?fields=b.name", nil); strings.Contains(w.Body.String(), "partial") {
		t.Errorf("the part was not wanted: got %s", w.Body)
	}
}

func TestVariants_OfListsAndStreams(t *testing.T) {
	for _, more := range []string{"merge: array", "stream: ndjson"} {
		all, took := asked(shop)
		s := mustBuild(t, more+"\nvariantBy: ['{query.v}']\nvariants: {one: {parts: [b]}}\nparts: {a: {service: text, as: text}, b: {service: text, as: text, query: {x: '{parts.a}'}}, c: {service: users}}", all)
		w, _ := get(s, "/?v=one", nil)
		want := `["just text"]` + "\n"
		if more != "merge: array" {
			want = `{"part":"b","value":"just text"}` + "\n" + `{"end":true,"complete":true}` + "\n"
		}
		if got := w.Body.String(); got != want || strings.Join(took(), " ") != "text text?x=just+text" {
			t.Errorf("%s: got %s", more, got)
		}
	}
}

func TestVariants_MistakesAreTold(t *testing.T) {
	const rest = "\nparts: {a: {service: users}, b: {service: users}}"
	for text, want := range map[string]string{
		"variantBy: ['{header.X}']":                                                   "variants, variantBy: only one of them is given",
		"variants: {m: {}}":                                                           "variants, variantBy: only one of them is given",
		"variantBy: ['{headers.X}']\nvariants: {m: {}}":                               `variantBy: at offset 0: {headers.X}: there is no "headers"`,
		"variantBy: ['{client}']\nvariants: {m: {parts: [aa]}}":                       `variants.m.parts: there is no part "aa"; did you mean "a"?`,
		"variantBy: ['{client}']\nvariants: {m: {result: '.parts.c'}}":                `variants.m.result: there is no part "c"`,
		"variantBy: ['{client}']\nvariants: {m: {parts: [a], result: '.parts.b'}}":    `variants.m.result: there is no part "b"`,
		"variantBy: ['{client}']\nvariants: {m: {result: '{'}}":                       "variants.m.result: ",
		"variantBy: ['{client}']\nvariants: {m: {fields: ['a..b']}}":                  "variants.m.fields: ",
		"variantBy: ['{client}']\nvariants: {m: {fields: [b]}}\nfields: {allow: [a]}": `variants.m.fields: there is no field "b"`,
		"variantBy: ['{client}']\nvariants: {m: {fields: [b]}}\nstream: sse":          "variants.m.fields: an answer that is sent as it comes has all of them",
		"variantBy: ['{client}']\nvariants: {m: {result: '.'}}\nstream: sse":          "variants.m.result: an answer that is sent as it comes has none",
		"fields: {parameter: f}\nstream: sse":                                         "fields: an answer that is sent as it comes has all of them",
		"fields: {allow: [a], default: [b]}":                                          `fields.default: there is no field "b"`,
		"fields: {allow: ['.']}":                                                      "fields.allow: ",
		"fields: {parameter: ''}":                                                     "fields.parameter: has no name",
		"variantBy: ['{client}']\nvariants: {m: {parts: [a]}}\nresult: .parts.b":      `variants.m.result: there is no part "b"`,
	} {
		if _, err := build(t, text+rest, shop); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// Of items that fail the one is told that was first, not those that were given up for it, wherever they stand.
func TestEach_TellsWhatFailedAndNotWhatWasGivenUp(t *testing.T) {
	s := mustBuild(t, `parts: {a: {service: items, query: {q: '{item}'}, each: {of: '["slow", "bad"]'}}}`, services{"items": func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "q=slow" {
			hangs(w, r)
			return
		}
		w.WriteHeader(http.StatusNotFound)
	}})
	if w, rec := get(s, "/", nil); w.Code != 404 {
		t.Errorf("got %d, %s", w.Code, rec.Cause)
	}
}

// A cache between must not give the page of one client to another, whatever it thinks of pages without a word.
func TestAggregate_WhoMayKeepTheAnswer(t *testing.T) {
	with := func(value string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", value)
			_, _ = w.Write([]byte("1"))
		}
	}
	for _, tt := range []struct {
		name, parts string
		change      func(*http.Request)
		want        string
	}{
		{"nobody is known", "{a: {service: open}}", nil, ""},
		{"a token", "{a: {service: open}}", func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, "private"},
		{"a cookie", "{a: {service: open}}", func(r *http.Request) { r.Header.Set("Cookie", "a=b") }, "private"},
		{"somebody", "{a: {service: open}}", func(r *http.Request) { record.From(r.Context()).Identity = &identity.Identity{} }, "private"},
		{"a private part", "{a: {service: open}, b: {service: mine}}", nil, "private"},
		{"a part that is not kept", "{a: {service: none}, b: {service: mine}}", nil, "no-store"},
	} {
		s := mustBuild(t, "parts: "+tt.parts, services{"open": with("max-age=60"), "mine": with("max-age=60, Private"), "none": with("no-store")})
		if w, _ := get(s, "/", tt.change); w.Header().Get("Cache-Control") != tt.want {
			t.Errorf("%s: got %v", tt.name, w.Header())
		}
	}
}
