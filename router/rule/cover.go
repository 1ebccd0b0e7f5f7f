package rule

import (
	"slices"
	"strings"
)

// A cover says where in a table of hosts and paths a rule has to be filed. It
// may admit more requests than the rule matches, never fewer:
//
//	||           the alternatives of both sides
//	&&           each alternative of one side met with each of the other
//	! and others any host, any path
//
// Every path constraint is a point or a prefix and every host constraint a
// point or one level of names, so two of them always meet in one constraint
// or in none.

// HostKind says what Alternative.Host asks for.
type HostKind byte

// The constraints on the host.
const (
	AnyHost      HostKind = iota
	ExactHost             // Host is the host itself
	WildcardHost          // Host is what follows "*.": one label has to precede it
)

// PathKind says what Alternative.Path asks for.
type PathKind byte

// The constraints on the path.
const (
	AnyPath PathKind = iota
	ExactPath
	PrefixPath
)

// Alternative is one place where requests that match a rule are found.
type Alternative struct {
	Host     string
	HostKind HostKind
	Path     string
	PathKind PathKind
	// Sufficient means that the rule asks for nothing else here: it matches
	// every request this alternative admits.
	Sufficient bool
}

// maxAlternatives bounds the places one rule is filed under. It is far above
// what people write by hand and keeps a generated rule from filling the table.
const maxAlternatives = 256

// Alternatives returns a cover of the rule: each request the rule matches is
// admitted by at least one of them. A rule that can never match has none.
func (r *Rule) Alternatives() []Alternative { return cover(r.root) }

// Admits reports whether a request for this host and path satisfies the
// constraints.
func (a Alternative) Admits(host, path string) bool {
	return a.AdmitsHost(host) && a.AdmitsPath(path)
}

// AdmitsHost reports whether the host satisfies the constraint on it.
func (a Alternative) AdmitsHost(host string) bool {
	switch a.HostKind {
	case ExactHost:
		return host == a.Host
	case WildcardHost:
		dot := strings.IndexByte(host, '.')
		return dot > 0 && host[dot+1:] == a.Host
	}
	return true
}

// AdmitsPath reports whether the path satisfies the constraint on it.
func (a Alternative) AdmitsPath(path string) bool {
	switch a.PathKind {
	case ExactPath:
		return path == a.Path
	case PrefixPath:
		return strings.HasPrefix(path, a.Path)
	}
	return true
}

func cover(n node) []Alternative {
	switch n := n.(type) {
	case host:
		return []Alternative{{Host: string(n), HostKind: ExactHost, Sufficient: true}}
	case hostWildcard:
		return []Alternative{{Host: string(n[1:]), HostKind: WildcardHost, Sufficient: true}}
	case hostAny:
		return []Alternative{{Sufficient: true}}
	case path:
		return []Alternative{{Path: string(n), PathKind: ExactPath, Sufficient: true}}
	case pathPrefix:
		return []Alternative{{Path: string(n), PathKind: PrefixPath, Sufficient: true}}
	case pathRegexp:
		if n.prefix != "" {
			return []Alternative{{Path: n.prefix, PathKind: PrefixPath}}
		}
	case and:
		return coverAnd(n)
	case or:
		return coverOr(n)
	}
	return []Alternative{{}}
}

func coverOr(nodes []node) []Alternative {
	var all []Alternative
	for _, n := range nodes {
		all = append(all, cover(n)...)
		if len(all) > maxAlternatives {
			return []Alternative{{}}
		}
	}
	return distinct(all)
}

func coverAnd(nodes []node) []Alternative {
	all := []Alternative{{Sufficient: true}}
	for _, n := range nodes {
		next := cover(n)
		if len(all)*len(next) <= maxAlternatives {
			all = meetAll(all, next)
			continue
		}
		// Too many pairs. Each side alone still covers both; keep the one
		// that says more about the host.
		if unbound(next) < unbound(all) {
			all = next
		}
		for i := range all {
			all[i].Sufficient = false
		}
	}
	return distinct(all)
}

// unbound counts the alternatives that leave the host open.
func unbound(all []Alternative) int {
	n := 0
	for _, a := range all {
		if a.HostKind == AnyHost {
			n++
		}
	}
	return n
}

func meetAll(as, bs []Alternative) []Alternative {
	var all []Alternative
	for _, a := range as {
		for _, b := range bs {
			if m, ok := meet(a, b); ok {
				all = append(all, m)
			}
		}
	}
	return all
}

// meet returns the constraint that stands for both, if any request fits both.
func meet(a, b Alternative) (Alternative, bool) {
	m := Alternative{Sufficient: a.Sufficient && b.Sufficient}
	if a.HostKind == AnyHost || a.HostKind == WildcardHost && b.HostKind == ExactHost {
		m.Host, m.HostKind = b.Host, b.HostKind
	} else {
		m.Host, m.HostKind = a.Host, a.HostKind
	}
	if a.HostKind == b.HostKind && a.Host != b.Host ||
		m.HostKind == ExactHost && !(a.AdmitsHost(m.Host) && b.AdmitsHost(m.Host)) {
		return m, false
	}
	if b.PathKind == ExactPath || a.PathKind != ExactPath && len(b.Path) > len(a.Path) {
		m.Path, m.PathKind = b.Path, b.PathKind
	} else {
		m.Path, m.PathKind = a.Path, a.PathKind
	}
	return m, a.AdmitsPath(m.Path) && b.AdmitsPath(m.Path)
}

// distinct drops repeats.
func distinct(all []Alternative) []Alternative {
	var kept []Alternative
	for _, a := range all {
		if !slices.Contains(kept, a) {
			kept = append(kept, a)
		}
	}
	return kept
}
