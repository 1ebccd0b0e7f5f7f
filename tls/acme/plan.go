package acme

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"
)

// planned is what becomes of the list of Want.
type planned struct {
	names   []string
	by      []string
	refused string
}

// plan works out from what is wanted which certificates there have to be: names that no
// authority signs are set aside, each by itself; what the operator has a certificate for,
// and a single name that another wanted certificate is good for, is left out.
func (r *Resolver) plan() {
	r.mu.Lock()
	list := r.list
	dirty := r.dirty
	r.dirty = false
	r.mu.Unlock()
	if !dirty {
		return
	}
	plans := map[string]*planned{}
	for _, w := range list {
		good := r.sort(w, plans)
		if len(good) == 0 || r.env.Covered != nil && !slices.ContainsFunc(good, func(name string) bool { return !r.env.Covered(name) }) {
			continue
		}
		r.note(plans, good, w.By, "")
	}
	leaveOut(plans)

	r.mu.Lock()
	news := r.apply(plans)
	r.mu.Unlock()
	if news {
		r.changed()
	}
}

// sort returns the names that can be ordered, and notes the others as refused.
func (r *Resolver) sort(w Wanted, plans map[string]*planned) []string {
	var good []string
	for _, name := range w.Names {
		clean, err := normal(name)
		reason := ""
		if err != nil {
			reason = err.Error()
		} else {
			reason = r.cfg.refuse(clean)
		}
		switch {
		case reason != "":
			r.note(plans, []string{clean}, w.By, reason)
		case !slices.Contains(good, clean):
			good = append(good, clean)
		}
	}
	return good
}

func (r *Resolver) note(plans map[string]*planned, names []string, by, refused string) {
	key := keyOf(names)
	p := plans[key]
	if p == nil {
		p = &planned{names: names, refused: refused}
		plans[key] = p
	}
	if by != "" && !slices.Contains(p.by, by) {
		p.by = append(p.by, by)
		slices.Sort(p.by)
	}
}

// leaveOut takes away single names that another wanted certificate is good for.
func leaveOut(plans map[string]*planned) {
	by := map[string]*planned{} // wildcards, and names of certificates that have several
	for _, key := range slices.Sorted(maps.Keys(plans)) {
		p := plans[key]
		for _, name := range p.names {
			if p.refused == "" && (len(p.names) > 1 || strings.HasPrefix(name, "*.")) {
				by[name] = p
			}
		}
	}
	for key, p := range plans {
		if len(p.names) != 1 || p.refused != "" {
			continue
		}
		other := by[p.names[0]]
		if _, parent, _ := strings.Cut(p.names[0], "."); other == nil || other == p {
			other = by["*."+parent]
		}
		if other == nil || other == p {
			continue
		}
		other.by = append(other.by, p.by...)
		slices.Sort(other.by)
		other.by = slices.Compact(other.by)
		delete(plans, key)
	}
}

// apply makes the entries what is planned. It tells whether there is a new problem, or
// one less. r.mu is held.
func (r *Resolver) apply(plans map[string]*planned) (news bool) {
	for key, e := range r.entries {
		_, ok := plans[key]
		news = news || r.out != nil && e.wanted != ok // its Status has an error or not
		e.wanted, e.by = false, nil
		if !ok && e.refused != "" {
			e.refused, news = "", true
		}
	}
	for key, p := range plans {
		e := r.entries[key]
		if e == nil {
			e = &entry{key: key, names: p.names, file: fileOf(p.names)}
			r.entries[key] = e
			news = news || r.out != nil
		}
		e.wanted, e.by = true, p.by
		if e.refused != p.refused {
			e.refused, e.since, news = p.refused, time.Now(), true
			if p.refused != "" {
				r.log.Warnf("No certificate is ordered for %s (%s): %s", p.names[0], strings.Join(p.by, ", "), p.refused)
			}
		}
	}
	maps.DeleteFunc(r.entries, func(_ string, e *entry) bool {
		return !e.wanted && !e.active && !e.onDemand && e.cert == nil && len(e.rec.Names) == 0
	})
	return news
}

// read loads the file of a certificate. If there is none, all is zero.
func (r *Resolver) read(file string) (record, *tls.Certificate, error) {
	data, err := r.store.load(certificateFiles, file)
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, nil, nil
	}
	if err != nil {
		return record{}, nil, fmt.Errorf("read the certificate %s: %w", file, err)
	}
	rec, cert, err := parseRecord(data)
	if err != nil {
		return record{}, nil, fmt.Errorf("%w: %w", errGarbage, err)
	}
	rec.distrust(time.Now())
	return rec, cert, nil
}

var errGarbage = errors.New("the stored file makes no sense")

// save stores a record and returns the version that the file now has.
func (r *Resolver) save(file string, rec *record) (version, error) {
	data, err := rec.encode()
	if err == nil {
		err = r.store.store(certificateFiles, file, data)
	}
	if err != nil {
		return version{}, fmt.Errorf("store the certificate %s: %w", file, err)
	}
	return r.store.version(certificateFiles, file), nil
}

// look reads what has changed in the storage. Only if write is set it changes anything
// there: files that make no sense are renamed. It tells whether there was anything.
func (r *Resolver) look(write bool) (news bool) {
	files, err := r.store.list(certificateFiles)
	if err != nil {
		r.log.Warnf("The storage cannot be read, what is known of it stays: %v", err)
		return false
	}
	if files == nil {
		return false // there was never anything, or all of it has gone, which nobody meant
	}
	r.mu.Lock()
	known := map[string]version{}
	skip := map[string]bool{}
	for _, e := range r.entries {
		known[e.file], skip[e.file] = e.version, e.active || e.unsaved
	}
	r.mu.Unlock()
	for file, v := range files {
		if known[file] != v && !skip[file] {
			news = r.take(file, v, write) || news
		}
	}
	return r.lose(files) || news
}

// take reads one file that is new or has changed.
func (r *Resolver) take(file string, v version, write bool) (news bool) {
	rec, cert, err := r.read(file)
	if errors.Is(err, errGarbage) && write {
		bad, renamed := r.store.setAside(certificateFiles, file)
		if renamed == nil {
			err = fmt.Errorf("%w; it is kept as %s", err, bad)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		if news = r.unread[file] != err.Error(); news {
			r.log.Warnf("The certificate %s is not read: %v", file, err)
		}
		r.unread[file] = err.Error()
		for _, e := range r.entries {
			if e.file == file && e.cert != nil && errors.Is(err, errGarbage) {
				e.unsaved = true // what was in it is still known
			}
		}
		return news
	}
	delete(r.unread, file)
	if len(rec.Names) == 0 {
		return false // gone in between
	}
	key := keyOf(rec.Names)
	e := r.entries[key]
	switch {
	case e == nil:
		e = &entry{key: key, file: file, names: rec.Names}
		r.entries[key] = e
	case e.active || e.file != file && e.version != (version{}):
		return false // another file has the same names
	}
	e.file, e.rec, e.cert, e.version = file, rec, cert, v
	e.onDemand = rec.OnDemand
	if e.ariAt.IsZero() {
		e.ariAt = time.Now().Add(upTo(r.pace.window))
	}
	r.publish()
	return true
}

// lose forgets what another instance, or the operator, has removed.
func (r *Resolver) lose(files map[string]version) (news bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.entries {
		if _, ok := files[e.file]; ok || e.version == (version{}) || e.active || e.unsaved {
			continue
		}
		e.rec, e.cert, e.version, e.onDemand = record{}, nil, version{}, false
		news, r.dirty = true, true
		if !e.wanted {
			delete(r.entries, e.key)
		}
	}
	if news {
		r.publish()
	}
	return news
}

// saveAgain stores what could not be stored before.
func (r *Resolver) saveAgain() {
	r.mu.Lock()
	var late []*entry
	for _, e := range r.entries {
		if e.unsaved && !e.active {
			late = append(late, e)
		}
	}
	r.mu.Unlock()
	for _, e := range late {
		unlock, ok, err := r.store.lock(e.file)
		if err != nil || !ok {
			continue
		}
		r.mu.Lock()
		rec := e.rec
		r.mu.Unlock()
		if v, err := r.save(e.file, &rec); err == nil {
			r.mu.Lock()
			e.version, e.unsaved, e.trouble, e.retry = v, false, "", time.Time{}
			r.mu.Unlock()
			r.changed()
		}
		unlock()
	}
}

// correct writes down what distrust has made of records, so that the next start does not
// begin to wait anew.
func (r *Resolver) correct() {
	r.mu.Lock()
	var wrong []*entry
	for _, e := range r.entries {
		if e.rec.ahead && !e.active && !e.unsaved {
			wrong = append(wrong, e)
		}
	}
	r.mu.Unlock()
	for _, e := range wrong {
		unlock, ok, err := r.store.lock(e.file)
		if err != nil || !ok {
			continue
		}
		if rec, cert, err := r.read(e.file); err == nil && rec.ahead {
			if v, err := r.save(e.file, &rec); err == nil {
				rec.ahead = false
				r.adopt(e, rec, cert, v)
			}
		}
		unlock()
	}
}
