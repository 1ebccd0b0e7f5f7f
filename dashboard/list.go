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
		return page(kept, q.Get("page"), q.Get("per_page"))
	}
}

func order(by, direction string) func(a, b item) int {
	key := item.name
	if by == "rate" {
		return func(a, b item) int {
			c := cmp.Compare(b.rate(), a.rate())
			if direction == "asc" {
				c = -c
			}
			return cmp.Or(c, cmp.Compare(a.name(), b.name()))
		}
	}
	switch by {
	case "status":
		key = item.status
	case "provider":
		key = item.provider
	case "type":
		key = item.typ
	}
	return func(a, b item) int {
		c := cmp.Or(cmp.Compare(key(a), key(b)), cmp.Compare(a.name(), b.name()))
		if direction == "desc" {
			return -c
		}
		return c
	}
}

// page cuts one page out of a list; the page after the last is the first.
func page(items []item, number, size string) (any, error) {
	n, per := 1, defaultPerPage
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
	p := paged{items: items[from:to], next: 1}
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
