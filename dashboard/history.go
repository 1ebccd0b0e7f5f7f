package dashboard

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"fairway/config/dynamic"
)

const (
	mostChanges = 50 // that are kept
	mostObjects = 50 // of one change
	mostOptions = 20 // of one object
)

// History has the last configurations that came into force, each beside the one before.
// Its zero value is empty.
type History struct {
	mu   sync.Mutex
	list []Change // the newest first
	last uint64
}

// All returns the changes, the newest first.
func (c *History) All() []Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.list)
}

// Note keeps what is different between two configurations.
func (c *History) Note(before, after *dynamic.Configuration, at time.Time, took time.Duration) {
	change := Change{Time: at, Took: took.Round(time.Microsecond).String(), Objects: []ObjectChange{}}
	was, is := httpOf(before), httpOf(after)
	d := &difference{before: before, after: after, change: &change}
	compare(d, dynamic.KindRouter, was.Routers, is.Routers)
	compare(d, dynamic.KindService, was.Services, is.Services)
	compare(d, dynamic.KindMiddleware, was.Middlewares, is.Middlewares)
	compare(d, dynamic.KindTransport, was.ServersTransports, is.ServersTransports)
	compare(d, dynamic.KindConsumer, was.Consumers, is.Consumers)
	compare(d, dynamic.KindPlan, was.Plans, is.Plans)
	if len(change.Objects) == 0 {
		return
	}
	change.Providers = slices.Sorted(maps.Keys(d.providers))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	change.ID = c.last
	c.list = slices.Insert(c.list, 0, change)
	c.list = c.list[:min(len(c.list), mostChanges)]
}

func httpOf(c *dynamic.Configuration) *dynamic.HTTP {
	if c == nil || c.HTTP == nil {
		return &dynamic.HTTP{}
	}
	return c.HTTP
}

type difference struct {
	before, after *dynamic.Configuration
	change        *Change
	providers     map[string]bool
}

// compare adds what is different about the objects of a kind.
func compare[T any](d *difference, kind string, before, after map[string]*T) {
	names := map[string]bool{}
	for name := range before {
		names[name] = true
	}
	for name := range after {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		was, is := before[name], after[name]
		if dynamic.Same(was, is) {
			continue
		}
		d.add(kind, name, was != nil, is != nil, func() []OptionChange { return options(was, is) })
	}
}

func (d *difference) add(kind, name string, was, is bool, options func() []OptionChange) {
	if d.providers == nil {
		d.providers = map[string]bool{}
	}
	d.providers[dynamic.ProviderOf(name)] = true
	if len(d.change.Objects) == mostObjects {
		d.change.More++
		return
	}
	o := ObjectChange{Kind: kind, Name: name, What: "changed"}
	from := d.after
	switch {
	case !was:
		o.What = "added"
	case !is:
		o.What, from = "removed", d.before
	}
	if from != nil && from.Origin != nil {
		var line int
		if o.Source, line = from.Origin(kind, name); o.Source != "" && line > 0 {
			o.Source = fmt.Sprintf("%s:%d", o.Source, line)
		}
	}
	o.Options = options()
	d.change.Objects = append(d.change.Objects, o)
}

// flat is what an object says, as texts by the names of options.
func flat(object any) map[string]string {
	switch o := object.(type) {
	case *dynamic.Service:
		object = withoutPasswords(o)
	case *dynamic.Middleware:
		object = withoutCredentials(o)
	}
	text, err := json.Marshal(object)
	if err != nil {
		return nil
	}
	var tree any
	if json.Unmarshal(text, &tree) != nil {
		return nil
	}
	all := map[string]string{}
	flatten(all, "", tree)
	return all
}

func flatten(into map[string]string, name string, v any) {
	switch v := v.(type) {
	case nil:
	case map[string]any:
		for key, value := range v {
			flatten(into, strings.TrimPrefix(name+"."+key, "."), value)
		}
	case []any:
		for i, value := range v {
			flatten(into, fmt.Sprintf("%s[%d]", name, i), value)
		}
	default:
		into[name] = fmt.Sprint(v)
	}
}

// options are those that two objects have different values for. Secrets are stars.
func options(was, is any) (all []OptionChange) {
	before, after := flat(was), flat(is)
	names := map[string]bool{}
	for name := range before {
		names[name] = true
	}
	for name := range after {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if before[name] == after[name] {
			continue
		}
		all = append(all, OptionChange{Name: name, Before: before[name], After: after[name]})
		if len(all) == mostOptions {
			break
		}
	}
	return all
}
