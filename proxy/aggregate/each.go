package aggregate

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"fairway/internal/jq"
	"fairway/internal/texts"
)

// each is a part that is asked for every item of a list.
type each struct {
	of       *jq.Expression
	parallel int
	most     int
	batch    int
	by       string
}

func (e *each) list() *jq.Expression {
	if e == nil {
		return nil
	}
	return e.of
}

// ask is one request for some of the items, which may be for the same ones at several places.
type ask struct {
	*outgoing
	places []int // of the items in the list
	value  any
	failed *failure
}

// all asks for every item. Items whose requests are the same are asked for once; answers stand in
// the order of the list.
func (p *part) all(ctx context.Context, f *run) outcome {
	items, failed := p.items(ctx, f)
	if failed != nil {
		return outcome{failed: failed}
	}
	out := make([]any, len(items))
	asks, failed := p.asks(ctx, f, items)
	if failed != nil {
		return outcome{failed: failed}
	}
	p.askAll(ctx, f, asks)
	missing := 0
	var first *failure
	for _, a := range asks {
		if a.failed == nil {
			a.failed = p.spread(a, items, out)
		}
		if a.failed == nil {
			continue
		}
		if first == nil || first.Cause == givenUp { // that is for another one that failed
			first = a.failed
		}
		missing += len(a.places)
		for _, at := range a.places {
			out[at] = p.instead()
		}
	}
	if first == nil {
		return outcome{value: out, has: true}
	}
	whole := *first
	whole.Items = missing
	return outcome{value: out, has: !p.required, failed: &whole}
}

// items is the list.
func (p *part) items(ctx context.Context, f *run) ([]any, *failure) {
	v, err := f.value(ctx, p.each.of, nil)
	if err != nil {
		return nil, &failure{Cause: "each.of does not fit", detail: "each.of: " + err.Error()}
	}
	items, ok := v.([]any)
	switch {
	case v == nil:
		return nil, nil
	case !ok:
		return nil, &failure{Cause: "each.of is no list"}
	case len(items) > p.each.most:
		return nil, &failure{Cause: fmt.Sprintf("each.of has %d items, and %d are the most", len(items), p.each.most)}
	}
	return items, nil
}

// asks makes the requests.
func (p *part) asks(ctx context.Context, f *run, items []any) (all []*ask, failed *failure) {
	known := map[string]*ask{}
	for from := 0; from < len(items); from += p.each.batch {
		to := min(from+p.each.batch, len(items))
		v := &values{facts: f.facts, item: items[from]}
		places := make([]int, 0, to-from)
		var words []string
		for i := from; i < to; i++ {
			places = append(places, i)
			if text, ok := texts.Of(items[i]); ok {
				words = append(words, text)
			}
		}
		if v.items = strings.Join(words, ","); p.each.batch > 1 {
			v.item = any(items[from:to])
		}
		o, failed := p.prepare(ctx, f, v)
		if failed != nil {
			return nil, failed
		}
		key := o.key()
		if a := known[key]; a != nil && p.each.batch == 1 {
			a.places = append(a.places, places...)
			continue
		}
		a := &ask{outgoing: o, places: places}
		known[key] = a
		all = append(all, a)
	}
	return all, nil
}

// askAll makes some requests at a time, and no more when one has failed without which there is
// nothing.
func (p *part) askAll(ctx context.Context, f *run, asks []*ask) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var working sync.WaitGroup
	next := make(chan *ask)
	for range min(p.each.parallel, len(asks)) {
		working.Go(func() {
			for a := range next {
				if a.value, a.failed = p.ask(ctx, f, a.outgoing); a.failed != nil && p.required {
					cancel()
				}
			}
		})
	}
	for i, a := range asks {
		select {
		case next <- a:
			continue
		case <-ctx.Done():
		}
		for _, left := range asks[i:] {
			left.failed = &failure{Cause: givenUp}
		}
		break
	}
	close(next)
	working.Wait()
}

// spread puts an answer to its places.
func (p *part) spread(a *ask, items, out []any) *failure {
	if p.each.batch == 1 {
		for _, at := range a.places {
			out[at] = a.value
		}
		return nil
	}
	list, ok := a.value.([]any)
	switch {
	case !ok:
		return &failure{Cause: "the answer to a batch is no list"}
	case p.each.by == "" && len(list) != len(a.places):
		return &failure{Cause: fmt.Sprintf("the answer to a batch of %d has %d items", len(a.places), len(list))}
	case p.each.by == "":
		for i, at := range a.places {
			out[at] = list[i]
		}
		return nil
	}
	byText := make(map[string]any, len(list))
	for _, v := range list {
		if text, ok := texts.Of(texts.Lookup(v, strings.Split(p.each.by, "."))); ok {
			byText[text] = v
		}
	}
	for _, at := range a.places {
		if text, ok := texts.Of(items[at]); ok {
			out[at] = byText[text]
		}
	}
	return nil
}
