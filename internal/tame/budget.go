package tame

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"text/template"

	"fairway/internal/texts"
)

const (
	mostTurns = 1_000_000 // of ranges, all together
	mostMade  = 16 * Most // of texts that functions make, all together
)

// budget is what one execution may take.
type budget struct {
	ctx   context.Context //nolint:containedctx // that of the request, for one execution
	turns int
	made  int
}

// turn counts one of a range. It is false, so that nothing comes of it.
func (b *budget) turn() (bool, error) {
	if b.turns++; b.turns > mostTurns {
		return false, errors.New("it goes round too often")
	}
	return false, b.alive()
}

func (b *budget) alive() error {
	if b.ctx == nil {
		return nil
	}
	return b.ctx.Err()
}

// text makes one, if it cannot be longer than estimated and that is not too long.
func (b *budget) text(estimated int, made func() string) (string, error) {
	if err := b.alive(); err != nil {
		return "", err
	}
	if estimated > 4*Most || estimated < 0 {
		return "", ErrTooLong
	}
	text := made()
	if b.made += len(text) + 16; len(text) > Most || b.made > mostMade {
		return "", ErrTooLong
	}
	return text, nil
}

// functions are those of text/template that make texts, and more. None reaches anything but its arguments.
func (b *budget) functions() template.FuncMap {
	return template.FuncMap{
		"turn": b.turn,
		"print": func(args ...any) (string, error) {
			return b.text(size(args), func() string { return fmt.Sprint(args...) })
		},
		"println": func(args ...any) (string, error) {
			return b.text(size(args), func() string { return fmt.Sprintln(args...) })
		},
		"printf": func(format string, args ...any) (string, error) {
			if wide.MatchString(format) {
				return "", errors.New("printf: a width is longer than two digits")
			}
			return b.text(len(format)*50+(len(format)/2)*size(args), func() string { return fmt.Sprintf(format, args...) })
		},
		"html": func(args ...any) (string, error) {
			return b.text(size(args)*6, func() string { return template.HTMLEscaper(args...) })
		},
		"js": func(args ...any) (string, error) {
			return b.text(size(args)*6, func() string { return template.JSEscaper(args...) })
		},
		"urlquery": func(args ...any) (string, error) {
			return b.text(size(args)*3, func() string { return template.URLQueryEscaper(args...) })
		},
		"json": b.json,
		"xml":  b.xml,
		"default": func(otherwise, v any) any {
			if truth, _ := template.IsTrue(v); truth {
				return v
			}
			return otherwise
		},
		"join": b.join,
		"lower": func(text string) (string, error) {
			return b.text(len(text), func() string { return strings.ToLower(text) })
		},
		"upper": func(text string) (string, error) {
			return b.text(len(text), func() string { return strings.ToUpper(text) })
		},
		"trim":    strings.TrimSpace,
		"replace": b.replace,
	}
}

// wide finds widths that make long texts of short ones, and those that come from arguments.
var wide = regexp.MustCompile(`%[^a-zA-Z%]*(\d{3}|\*)`)

// size is how long arguments are as texts, about.
func size(args []any) (n int) {
	for _, a := range args {
		switch a := a.(type) {
		case string:
			n += len(a)
		case bool, int, int64, float64:
			n += 32
		default:
			n += len(fmt.Sprint(a))
		}
	}
	return n
}

func (b *budget) json(v any) (string, error) {
	if err := b.alive(); err != nil {
		return "", err
	}
	out := &Writer{Most: Most + 1} // a new line more
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return b.text(out.Len(), func() string { return strings.TrimSuffix(out.String(), "\n") })
}

func (b *budget) xml(v any) (string, error) {
	text, ok := texts.Of(v)
	if v != nil && !ok {
		return "", errors.New("xml: a list or an object is no text")
	}
	return b.text(len(text)+4*strings.Count(text, "&"), func() string { return template.HTMLEscapeString(text) })
}

func (b *budget) join(separator string, list []any) (string, error) {
	all, long := make([]string, len(list)), 0
	for i, v := range list {
		var ok bool
		if all[i], ok = texts.Of(v); !ok {
			return "", fmt.Errorf("join: item %d is no text", i)
		}
		long += len(all[i]) + len(separator)
	}
	return b.text(long, func() string { return strings.Join(all, separator) })
}

func (b *budget) replace(old, with, text string) (string, error) {
	return b.text(len(text)+(strings.Count(text, old)+1)*(len(with)+1), func() string { return strings.ReplaceAll(text, old, with) })
}
