package index

import (
	"slices"

	"fairway/router/rule"
)

// With returns an index without the entries of the removed names and with the
// added ones. To replace an entry, name it in removed and add it. Names that
// are not in the index are passed over.
func (ix *Index[T]) With(removed []string, added []Entry[T]) *Index[T] {
	next := *ix
	leaving := ix.named(removed)
	coming := make([]*ranked[T], 0, len(added))
	for _, e := range added {
		if e.Rule == nil {
			continue
		}
		next.serial++
		coming = append(coming, &ranked[T]{Entry: e, serial: next.serial})
	}
	slices.SortFunc(leaving, compare)
	slices.SortFunc(coming, compare)
	next.ordered = splice(ix.ordered, leaving, coming, compare)
	next.names = rename(ix.names, removed, coming)

	changes := newChanges(leaving, coming)
	next.hosts = refile(ix.hosts, changes.hosts)
	next.wildcards = refile(ix.wildcards, changes.wildcards)
	if !changes.common.empty() {
		next.common, _ = ix.common.with(&changes.common)
	}
	return &next
}

// named collects the entries of the names, each once.
func (ix *Index[T]) named(names []string) []*ranked[T] {
	var all []*ranked[T]
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if !seen[name] {
			seen[name] = true
			all = append(all, ix.names.get(name)...)
		}
	}
	return all
}

// rename brings the table of names up to date.
func rename[T any](names table[[]*ranked[T]], removed []string, coming []*ranked[T]) table[[]*ranked[T]] {
	byName := make(map[string][]*ranked[T], len(removed)+len(coming))
	gone := make(map[string]bool, len(removed))
	keys := make([]string, 0, len(removed)+len(coming))
	for _, name := range removed {
		if !gone[name] {
			gone[name], byName[name] = true, nil
			keys = append(keys, name)
		}
	}
	for _, r := range coming {
		if _, ok := byName[r.Name]; !ok {
			keys = append(keys, r.Name)
		}
		byName[r.Name] = append(byName[r.Name], r)
	}
	return names.with(keys, func(name string, old []*ranked[T]) ([]*ranked[T], bool) {
		if gone[name] {
			old = nil
		}
		entries := slices.Concat(old, byName[name])
		return entries, len(entries) > 0
	})
}

// changes sorts what comes and goes by the place it is filed in.
type changes[T any] struct {
	hosts     map[string]*change[T]
	wildcards map[string]*change[T]
	common    change[T]
}

// change is what comes to and leaves one place, each in order.
type change[T any] struct {
	leaving, coming []filed[T]
}

func (c *change[T]) empty() bool { return len(c.leaving)+len(c.coming) == 0 }

func newChanges[T any](leaving, coming []*ranked[T]) *changes[T] {
	c := &changes[T]{hosts: map[string]*change[T]{}, wildcards: map[string]*change[T]{}}
	for _, r := range leaving {
		for _, a := range r.Rule.Alternatives() {
			at := c.at(a)
			at.leaving = append(at.leaving, newFiled(r, a))
		}
	}
	for _, r := range coming {
		for _, a := range r.Rule.Alternatives() {
			at := c.at(a)
			at.coming = append(at.coming, newFiled(r, a))
		}
	}
	return c
}

func (c *changes[T]) at(a rule.Alternative) *change[T] {
	places := c.hosts
	switch a.HostKind {
	case rule.AnyHost:
		return &c.common
	case rule.WildcardHost:
		places = c.wildcards
	}
	at := places[a.Host]
	if at == nil {
		at = new(change[T])
		places[a.Host] = at
	}
	return at
}

func refile[T any](t table[*place[T]], changes map[string]*change[T]) table[*place[T]] {
	keys := make([]string, 0, len(changes))
	for key := range changes {
		keys = append(keys, key)
	}
	return t.with(keys, func(key string, old *place[T]) (*place[T], bool) {
		return old.with(changes[key])
	})
}
