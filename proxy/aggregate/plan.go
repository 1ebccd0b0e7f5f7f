package aggregate

import (
	"fmt"
	"slices"
	"strings"

	"fairway/internal/jq"
	"fairway/internal/nearest"
)

// plan finds out which parts each one needs, and that none needs itself.
func (s *service) plan() error {
	names := make([]string, len(s.parts))
	for i, p := range s.parts {
		names[i] = p.name
	}
	for _, p := range s.parts {
		for _, need := range p.named() {
			at := slices.Index(names, need)
			switch {
			case at < 0 && nearest.Name(need, names) != "":
				return fmt.Errorf("parts.%s: there is no part %q; did you mean %q?", p.name, need, nearest.Name(need, names))
			case at < 0:
				return fmt.Errorf("parts.%s: there is no part %q", p.name, need)
			case !slices.Contains(p.needs, at):
				p.needs = append(p.needs, at)
			}
		}
	}
	if s.result != nil {
		of, _ := s.result.Parts()
		for _, need := range of {
			if !slices.Contains(names, need) {
				return fmt.Errorf("result: there is no part %q", need)
			}
		}
	}
	return s.acyclic()
}

// named are the parts that the texts and expressions of a part have something of.
func (p *part) named() (all []string) {
	note := func(name string) { all = append(all, name) }
	p.path.Needs(note)
	for _, f := range slices.Concat(p.query, p.headers) {
		f.Needs(note)
	}
	for _, e := range []*jq.Expression{p.body, p.each.list()} {
		if e != nil {
			names, _ := e.Parts()
			all = append(all, names...)
		}
	}
	return all
}

// acyclic puts the parts into an order, as far as that goes.
func (s *service) acyclic() error {
	done := make([]int, len(s.parts)) // 0: not seen, 1: on the way, 2: done
	var way []string
	var visit func(i int) error
	visit = func(i int) error {
		p := s.parts[i]
		switch done[i] {
		case 2:
			return nil
		case 1:
			return fmt.Errorf("parts: they need each other: %s", strings.Join(append(way[slices.Index(way, p.name):], p.name), " > "))
		}
		done[i] = 1
		way = append(way, p.name)
		for _, need := range p.needs {
			if err := visit(need); err != nil {
				return err
			}
		}
		way = way[:len(way)-1]
		done[i] = 2
		return nil
	}
	for i := range s.parts {
		if err := visit(i); err != nil {
			return err
		}
	}
	for i, p := range s.parts {
		for _, e := range []*jq.Expression{p.body, p.each.list()} {
			if e == nil {
				continue
			}
			if _, all := e.Parts(); all {
				return fmt.Errorf("parts.%s: an expression names .parts as a whole: it has to say which one, as .parts.NAME", s.parts[i].name)
			}
		}
	}
	return nil
}

// collide tells of two parts that would always be at the same place.
func (s *service) collide() error {
	for i, a := range s.parts {
		for _, b := range s.parts[:i] {
			if a.target == nil || b.target == nil {
				continue // it depends on what they answer
			}
			n := min(len(a.target), len(b.target))
			if slices.Equal(a.target[:n], b.target[:n]) {
				return fmt.Errorf("parts.%s and parts.%s: both are at %q of the answer: give one of them another target, or say which counts with collision",
					b.name, a.name, strings.Join(a.target[:n], "."))
			}
		}
	}
	return nil
}
