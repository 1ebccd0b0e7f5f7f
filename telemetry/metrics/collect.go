package metrics

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// Gather implements prometheus.Gatherer. What requests have counted may be a hundred thousand
// series: it does not take the way through the registry, which compares each with all
// others to find mistakes that there cannot be.
func (m *Metrics) Gather() ([]*dto.MetricFamily, error) {
	m.forget()
	all, err := m.registry.Gather()
	for _, f := range m.families() {
		all = append(all, f.gather()...)
	}
	slices.SortFunc(all, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	return all, err
}

func (m *Metrics) families() []*family {
	return slices.DeleteFunc([]*family{m.entryPoints, m.routers, m.services}, func(f *family) bool { return f == nil })
}

// describe tells of what gather returns, in its order.
func (f *family) describe() []Metric {
	all := []Metric{f.durations, f.received, f.sent, f.tls}
	if f.byHeaders == nil {
		all = append(all, f.requests)
	}
	return all
}

// gather returns the metrics that have series.
func (f *family) gather() []*dto.MetricFamily {
	objects := f.sorted()
	all := make([]*dto.MetricFamily, 0, 5)
	for i, metric := range f.describe() {
		kind := dto.MetricType_COUNTER
		if i == 0 {
			kind = dto.MetricType_HISTOGRAM
		}
		all = append(all, &dto.MetricFamily{Name: new(metric.Name), Help: new(metric.Help), Type: kind.Enum()})
	}
	for _, o := range objects {
		for _, c := range o.sortedCells() {
			durations := &dto.Histogram{}
			c.write(durations)
			all[0].Metric = append(all[0].Metric, &dto.Metric{Label: c.labels, Histogram: durations})
			all[1].Metric = append(all[1].Metric, counter(c.labels, c.received.Load()))
			all[2].Metric = append(all[2].Metric, counter(c.labels, c.sent.Load()))
			if f.byHeaders == nil {
				all[4].Metric = append(all[4].Metric, counter(c.labels, durations.GetSampleCount()))
			}
		}
		for _, s := range *o.tls.Load() {
			all[3].Metric = append(all[3].Metric, counter(s.labels, s.requests.Load()))
		}
	}
	return slices.DeleteFunc(all, func(m *dto.MetricFamily) bool { return len(m.Metric) == 0 })
}

// sorted are the objects by their names.
func (f *family) sorted() (all []*object) {
	f.objects.Range(func(_, value any) bool {
		all = append(all, value.(*object))
		return true
	})
	slices.SortFunc(all, func(a, b *object) int {
		return cmp.Or(strings.Compare(a.key.name, b.key.name), strings.Compare(a.key.service, b.key.service))
	})
	return all
}

func (o *object) sortedCells() []*cell {
	cells := *o.cells.Load()
	all := make([]*cell, 0, len(cells))
	for _, key := range slices.Sorted(maps.Keys(cells)) {
		all = append(all, cells[key])
	}
	return all
}

func counter(labels []*dto.LabelPair, n uint64) *dto.Metric {
	return &dto.Metric{Label: labels, Counter: &dto.Counter{Value: new(float64(n))}}
}

// kept tells what there is, of routers and of services.
type kept struct {
	router  func(name, service string) bool
	service func(name string) bool
}

// Keep forgets the series of routers and services that are not there any more.
func (m *Metrics) Keep(router func(name, service string) bool, service func(name string) bool) {
	m.kept.Store(&kept{router, service})
	m.forget()
}

// forget is also called before somebody takes the metrics: a long request may have ended
// since, and have brought back what was gone.
func (m *Metrics) forget() {
	k := m.kept.Load()
	if k == nil {
		return
	}
	m.routers.keep(func(key objectKey) bool { return k.router(key.name, key.service) })
	m.services.keep(func(key objectKey) bool { return k.service(key.name) })
	for _, name := range m.retried.gone(k.service) {
		m.retries.DeleteLabelValues(name)
	}
}

func (f *family) keep(has func(objectKey) bool) {
	if f == nil {
		return
	}
	f.objects.Range(func(key, value any) bool {
		if name := key.(objectKey); !has(name) {
			f.objects.Delete(name)
			value.(*object).gone.Store(true)
			if f.byHeaders != nil {
				f.byHeaders.forget(name)
			}
		}
		return true
	})
}

// names are those that something has been counted for.
type names struct{ seen sync.Map }

func (n *names) note(name string) {
	if _, known := n.seen.Load(name); !known {
		n.seen.Store(name, true)
	}
}

// gone forgets and returns those that are not there any more.
func (n *names) gone(has func(name string) bool) (list []string) {
	n.seen.Range(func(key, _ any) bool {
		if name := key.(string); !has(name) {
			n.seen.Delete(name)
			list = append(list, name)
		}
		return true
	})
	return list
}

// Reloaded counts a configuration that has come into force.
func (m *Metrics) Reloaded(at time.Time, took time.Duration) {
	m.reloads.Inc()
	m.reloaded.Set(float64(at.Unix()))
	m.reloadTook.Set(took.Seconds())
}
