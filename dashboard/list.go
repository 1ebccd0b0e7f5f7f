package dashboard

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// item is one object of a list.
type item interface {
	name() string
	status() string
	provider() string
	typ() string
	text() string // what a search looks at, in lower case
	uses(service, middleware string) bool
	listens(entryPoint string) bool
	rate() float64
	option(name string) string // those of routers that lists are sorted by
	number(name string) int
}

const defaultPerPage = 100

// listOf makes the handler of a list: filtered, sorted, and paged.
func listOf(items func() []item) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		q := r.URL.Query()
		search, status := strings.ToLower(q.Get("search")), q.Get("status")
		kept := slices.DeleteFunc(items(), func(i item) bool {
			return search != "" && !strings.Contains(i.text(), search) ||
				status != "" && i.status() != status ||
				q.Get("provider") != "" && i.provider() != q.Get("provider") ||
				!i.listens(q.Get("entryPoint")) ||
				!i.uses(q.Get("serviceName"), q.Get("middlewareName"))
		})
		slices.SortFunc(kept, order(q.Get("sortBy"), q.Get("direction")))
		return page(kept, q.Get("page"), q.Get("per_page"), defaultPerPage)
	}
}

// order is how lists are sorted. What is not known is by name, as Traefik does it.
func order(by, direction string) func(a, b item) int {
	first := func(a, b item) int { return 0 }
	switch by {
	case "status":
		first = byText(item.status)
	case "provider":
		first = byText(item.provider)
	case "type":
		first = byText(item.typ)
	case "rule", "service", "entryPoints":
		first = byText(func(i item) string { return i.option(by) })
	case "priority", "servers":
		first = func(a, b item) int { return cmp.Compare(a.number(by), b.number(by)) }
	case "rate":
		if direction != "asc" { // the busiest first, and those that are alike by name
			return func(a, b item) int { return cmp.Or(cmp.Compare(b.rate(), a.rate()), cmp.Compare(a.name(), b.name())) }
		}
		first = func(a, b item) int { return cmp.Compare(a.rate(), b.rate()) }
	}
	return func(a, b item) int {
		c := cmp.Or(first(a, b), cmp.Compare(a.name(), b.name()))
		if direction == "desc" {
			return -c
		}
		return c
	}
}

func byText(key func(item) string) func(a, b item) int {
	return func(a, b item) int { return cmp.Compare(key(a), key(b)) }
}

// page cuts one page out of a list, of so many items if nobody says how many; the page after
// the last is the first.
func page[T any](items []T, number, size string, per int) (any, error) {
	n := 1
	var err error
	if number != "" {
		if n, err = strconv.Atoi(number); err != nil || n < 1 {
			return nil, badRequest("page " + strconv.Quote(number) + " is not a number from 1")
		}
	}
	if size != "" {
		if per, err = strconv.Atoi(size); err != nil || per < 1 {
			return nil, badRequest("per_page " + strconv.Quote(size) + " is not a number from 1")
		}
	}
	if n > 1 && (n-1) > (len(items)-1)/per {
		return nil, badRequest("page " + number + " is behind the last one")
	}
	from := min((n-1)*per, len(items))
	to := min(from+min(per, len(items)), len(items))
	p := paged{items: items[from:to], next: 1, total: len(items)}
	if to < len(items) {
		p.next = n + 1
	}
	return p, nil
}

// oneOf makes the handler of a single object.
func oneOf(items func() []item, kind string) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		name := r.PathValue("name")
		for _, i := range items() {
			if i.name() == name {
				return i, nil
			}
		}
		return nil, notFound(kind + " not found: " + name)
	}
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func itoa(n int) string { return strconv.Itoa(n) }
