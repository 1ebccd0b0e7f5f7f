package statsd

import (
	"math"
	"slices"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// lines makes lines of metrics. It knows what was counted the last time.
type lines struct {
	prefix string
	last   map[string]float64 // by series
	next   map[string]float64
	sums   map[string]float64 // what was counted since, by name
	levels map[string]float64 // how things are, by name
}

// of returns the lines, in order.
func (l *lines) of(families []*dto.MetricFamily) []string {
	l.next, l.sums, l.levels = map[string]float64{}, map[string]float64{}, map[string]float64{}
	for _, family := range families {
		if name, ours := own(family.GetName()); ours {
			l.add(name, family)
		}
	}
	l.last = l.next
	var all []string
	for name, n := range l.sums {
		if n > 0 {
			all = append(all, l.prefix+name+":"+number(n)+"|c")
		}
	}
	for name, n := range l.levels {
		all = append(all, l.prefix+name+":"+number(n)+"|g")
	}
	slices.Sort(all)
	return all
}

// own takes the prefix off the metrics of fairway itself. Those of Go and of the process
// are not sent.
func own(family string) (name string, ours bool) {
	for _, prefix := range []string{"fairway_", "traefik_"} {
		if name, ours = strings.CutPrefix(family, prefix); ours {
			return name, true
		}
	}
	return "", false
}

func (l *lines) add(name string, family *dto.MetricFamily) {
	short := rename(name)
	for _, m := range family.GetMetric() {
		switch {
		case m.Counter != nil:
			l.count(short.of(m), key(name, m), m.GetCounter().GetValue())
		case m.Histogram != nil:
			h := m.GetHistogram()
			l.count(short.of(m)+".count", key(name+"#", m), float64(h.GetSampleCount()))
			l.count(short.of(m)+".sum", key(name, m), h.GetSampleSum()*1000)
		case m.Gauge != nil:
			l.level(short, m)
		}
	}
}

// count adds what is new about a series. One that has less than before was made anew: its
// service went and came back.
func (l *lines) count(name, series string, value float64) {
	was := l.last[series]
	if was > value {
		was = 0
	}
	l.next[series] = value
	l.sums[name] += value - was
}

func (l *lines) level(short names, m *dto.Metric) {
	name, value := short.of(m), m.GetGauge().GetValue()
	was, known := l.levels[name]
	switch {
	case !known:
		l.levels[name] = value
	case short.least:
		l.levels[name] = min(was, value)
	default:
		l.levels[name] = was + value
	}
}

// key tells the series of a metric apart.
func key(name string, m *dto.Metric) string {
	var b strings.Builder
	b.WriteString(name)
	for _, label := range m.GetLabel() {
		b.WriteByte(0)
		b.WriteString(label.GetValue())
	}
	return b.String()
}

// number has three digits behind the point at most: durations to the microsecond.
func number(n float64) string { return strconv.FormatFloat(math.Round(n*1000)/1000, 'f', -1, 64) }
