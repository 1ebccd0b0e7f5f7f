package dynamic

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"fairway/tls/certs"
)

// TLS is how clients are answered by TLS: with which certificates, and in which way.
type TLS struct {
	// Certificates are those of the operator. The one is used that has the name that the
	// client asks for.
	Certificates []*certs.Certificate `json:"certificates,omitempty" label:"-"`
	// Options say how TLS is spoken with hosts, by name. Routers name them; those called
	// "default" are for all that name none.
	Options map[string]*certs.Options `json:"options,omitempty" label:"-"`
	// Stores have default certificates, by name. There is one store: "default".
	Stores map[string]*certs.Store `json:"stores,omitempty"`
}

// DefaultTLS is the name of the options and of the store that count where no other is
// named. It belongs to no provider.
const DefaultTLS = "default"

// Empty tells whether nothing is said of TLS.
func (t *TLS) Empty() bool {
	return t == nil || len(t.Certificates)+len(t.Options)+len(t.Stores) == 0
}

// qualified has the options under their qualified names.
func (t *TLS) qualified(provider string) *TLS {
	if t.Empty() {
		return nil
	}
	out := &TLS{Certificates: t.Certificates, Options: make(map[string]*certs.Options, len(t.Options)), Stores: t.Stores}
	for name, o := range t.Options {
		if name != DefaultTLS {
			name = own(name, provider)
		}
		out.Options[name] = o
	}
	return out
}

// mergeTLS puts what several providers say together. Of what there can be only one, the
// first provider's stays.
func mergeTLS(all map[string]*Configuration) (*TLS, []Problem) {
	out := &TLS{Options: map[string]*certs.Options{}, Stores: map[string]*certs.Store{}}
	var problems []Problem
	owner := map[string]string{}
	once := func(kind, name, provider string) bool {
		if first, taken := owner[kind+name]; taken {
			problems = append(problems, Problem{
				Severity: Warning, Provider: provider, Kind: kind, Name: name,
				Reason: fmt.Sprintf("is not used: the provider %s has one of the same name", first),
			})
			return false
		}
		owner[kind+name] = provider
		return true
	}
	for _, provider := range operatorsFirst(all) {
		t := all[provider].TLS
		if t.Empty() {
			continue
		}
		out.Certificates = append(out.Certificates, t.Certificates...)
		for _, name := range slices.Sorted(maps.Keys(t.Options)) {
			if once(KindTLSOptions, name, provider) {
				out.Options[name] = t.Options[name]
			}
		}
		for _, name := range slices.Sorted(maps.Keys(t.Stores)) {
			if once(KindTLSStore, name, provider) {
				out.Stores[name] = t.Stores[name]
			}
		}
	}
	if out.Empty() {
		return nil, problems
	}
	return out, problems
}

func sameTLS(a, b *TLS) bool {
	return a == b || a.Empty() && b.Empty() || !a.Empty() && !b.Empty() && reflect.DeepEqual(a, b)
}

// operatorsFirst are the providers in the order of their names, files in front: what the
// operator has written does not give way to what labels say.
func operatorsFirst(all map[string]*Configuration) []string {
	names := slices.Sorted(maps.Keys(all))
	if at := slices.Index(names, "file"); at > 0 {
		names = slices.Insert(slices.Delete(names, at, at+1), 0, "file")
	}
	return names
}
