package transform

import (
	"net/url"
	"slices"

	"fairway/internal/responsehead"
	"fairway/internal/texts"
)

// fields are changes of headers, or of a query.
type fields struct {
	remove   []string
	rename   [][2]string
	set, add []field
}

// field is a named text.
type field struct {
	name string
	texts.Template
}

// value is the text of a field; empty as well if something in it is not known.
func (f field) value(v *values) string {
	text, _ := f.Render(v.Text, texts.OneLine, false)
	return text
}

// change changes a header map, or a query, in its place.
func (f *fields) change(all url.Values, v *values) {
	for _, name := range f.remove {
		delete(all, name)
	}
	for _, names := range f.rename {
		if old, has := all[names[0]]; has {
			delete(all, names[0])
			all[names[1]] = old
		}
	}
	for _, one := range f.set {
		if text := one.value(v); text != "" {
			all[one.name] = []string{text}
		} else {
			delete(all, one.name)
		}
	}
	for _, one := range f.add {
		if text := one.value(v); text != "" {
			all[one.name] = append(slices.Clip(all[one.name]), text)
		}
	}
}

// edit changes the head of a response. f may be nil.
func (f *fields) edit(head responsehead.Head, v *values) {
	if f == nil {
		return
	}
	for _, name := range f.remove {
		head.Del(name)
	}
	for _, names := range f.rename {
		if old := head.Values(names[0]); len(old) > 0 {
			head.Put(names[1], append([]string(nil), old...))
			head.Del(names[0])
		}
	}
	for _, one := range f.set {
		if text := one.value(v); text != "" {
			head.Set(one.name, text)
		} else {
			head.Del(one.name)
		}
	}
	for _, one := range f.add {
		if text := one.value(v); text != "" {
			head.Add(one.name, text)
		}
	}
}
