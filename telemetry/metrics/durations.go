package metrics

import (
	"math"
	"sync/atomic"
	"time"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Native histograms have buckets that grow by 2^(1/8) = 1.09 (schema 3 of the data model of
// Prometheus), so that eight of them make an octave: a doubling. Octave e has the durations
// above 2^(e-1) up to 2^e seconds; shorter ones than the first has count as zero.
const (
	schema       = 3
	perOctave    = 1 << schema
	firstOctave  = -19 // from a microsecond
	lastOctave   = 24  // to half a year
	zeroDuration = 1.0 / (1 << (1 - firstOctave))
)

// bounds are those of the buckets of the octave of 1.
var bounds = func() (all [perOctave]float64) {
	for i := range all {
		all[i] = math.Exp2(float64(i+1-perOctave) / perOctave)
	}
	return all
}()

type octave [perOctave]atomic.Uint64

// durations is a histogram, classic and native, that requests add to without a lock. What a
// request changes stands side by side: it costs as much as the lines of memory it is in.
type durations struct {
	classic []atomic.Uint64
	octaves []atomic.Pointer[octave] // nil: only classic
	sum     atomic.Int64             // microseconds: nanoseconds of many slow requests would run over
	zero    atomic.Uint64
	few     [6]atomic.Uint64 // the classic ones, if they are not more

	buckets   []float64                                      // upper bounds of the classic ones, without the infinite
	exemplars atomic.Pointer[[]atomic.Pointer[dto.Exemplar]] // by classic bucket; nil: none yet
}

// init begins with nothing counted.
func (d *durations) init(buckets []float64, native bool) {
	d.buckets = buckets
	if n := len(buckets) + 1; n <= len(d.few) {
		d.classic = d.few[:n]
	} else {
		d.classic = make([]atomic.Uint64, n)
	}
	if native {
		d.octaves = make([]atomic.Pointer[octave], lastOctave-firstOctave+1)
	}
}

// place is where a duration counts, in all histograms with the same buckets.
type place struct {
	bucket int // classic
	micros int64
	octave int // native, from firstOctave; below 0: it counts as zero
	part   int // of the octave
}

// placeOf finds the place of a duration.
func placeOf(took time.Duration, buckets []float64, native bool) (p place) {
	seconds := took.Seconds()
	for p.bucket < len(buckets) && seconds > buckets[p.bucket] {
		p.bucket++
	}
	p.micros = took.Round(time.Microsecond).Microseconds()
	if !native || seconds <= zeroDuration {
		p.octave = -1
		return p
	}
	half, e := math.Frexp(seconds) // in [0.5, 1)
	for half > bounds[p.part] {
		p.part++
	}
	if half == 0.5 { // the upper bound of the octave below
		e, p.part = e-1, perOctave-1
	}
	p.octave = min(e, lastOctave) - firstOctave
	return p
}

// add counts a duration.
func (d *durations) add(p place) {
	d.classic[p.bucket].Add(1)
	d.sum.Add(p.micros)
	switch {
	case d.octaves == nil:
	case p.octave < 0:
		d.zero.Add(1)
	default:
		at := &d.octaves[p.octave]
		o := at.Load()
		if o == nil {
			at.CompareAndSwap(nil, &octave{})
			o = at.Load()
		}
		o[p.part].Add(1)
	}
}

// write gives what was counted. Requests go on to count meanwhile: the number of all is
// that of the native buckets, so that these fit it, and no classic one is above it.
func (d *durations) write(to *dto.Histogram) {
	to.SampleSum = new(float64(d.sum.Load()) / 1e6)
	var count uint64
	if d.octaves != nil {
		count = d.writeNative(to)
	} else {
		for i := range d.classic {
			count += d.classic[i].Load()
		}
	}
	to.SampleCount = new(count)
	to.Bucket = make([]*dto.Bucket, 0, len(d.buckets)+1)
	var below uint64
	for i, bound := range d.buckets {
		below += d.classic[i].Load()
		to.Bucket = append(to.Bucket, &dto.Bucket{CumulativeCount: new(min(below, count)), UpperBound: new(bound), Exemplar: d.exemplar(i)})
	}
	if e := d.exemplar(len(d.buckets)); e != nil {
		to.Bucket = append(to.Bucket, &dto.Bucket{CumulativeCount: new(count), UpperBound: new(math.Inf(1)), Exemplar: e})
	}
}

// writeNative writes the buckets that have something.
func (d *durations) writeNative(to *dto.Histogram) (count uint64) {
	count = d.zero.Load()
	to.Schema, to.ZeroThreshold, to.ZeroCount = proto.Int32(schema), new(zeroDuration), new(count)
	w := spanWriter{to: to}
	for e := range d.octaves {
		o := d.octaves[e].Load()
		if o == nil {
			continue
		}
		for i := range o {
			if n := o[i].Load(); n > 0 {
				w.bucket((e+firstOctave-1)*perOctave+i+1, int64(n))
				count += n
			}
		}
	}
	return count
}

// spanWriter writes native buckets in their order, as spans of them and the differences of
// their counts.
type spanWriter struct {
	to   *dto.Histogram
	next int   // index of the bucket behind the last one
	last int64 // what that has counted
}

// smallestGap is how many empty buckets are worth a span of their own, as in Prometheus'
// library. Fewer are written as buckets.
const smallestGap = 3

func (w *spanWriter) bucket(index int, n int64) {
	gap := index - w.next
	if spans := w.to.PositiveSpan; len(spans) == 0 || gap >= smallestGap {
		w.to.PositiveSpan = append(spans, &dto.BucketSpan{Offset: new(int32(gap)), Length: proto.Uint32(0)})
		gap = 0
	}
	for range gap {
		w.append(0)
	}
	w.append(n)
	w.next = index + 1
}

func (w *spanWriter) append(n int64) {
	*w.to.PositiveSpan[len(w.to.PositiveSpan)-1].Length++
	w.to.PositiveDelta = append(w.to.PositiveDelta, n-w.last)
	w.last = n
}

// point keeps a request that is followed as an example of a bucket.
func (d *durations) point(bucket int, took time.Duration, trace string) {
	all := d.exemplars.Load()
	if all == nil {
		fresh := make([]atomic.Pointer[dto.Exemplar], len(d.classic))
		d.exemplars.CompareAndSwap(nil, &fresh)
		all = d.exemplars.Load()
	}
	(*all)[bucket].Store(&dto.Exemplar{
		Label: []*dto.LabelPair{{Name: new("trace_id"), Value: new(trace)}},
		Value: new(took.Seconds()), Timestamp: timestamppb.Now(),
	})
}

func (d *durations) exemplar(bucket int) *dto.Exemplar {
	if all := d.exemplars.Load(); all != nil {
		return (*all)[bucket].Load()
	}
	return nil
}
