package dashboard

import (
	"net/http"
	"time"
)

// Change is one configuration that came into force, beside the one before.
type Change struct {
	ID        uint64         `json:"id"` // counts up
	Time      time.Time      `json:"time"`
	Took      string         `json:"took"`
	Providers []string       `json:"providers"` // whose objects are others
	Objects   []ObjectChange `json:"objects"`
	More      int            `json:"more,omitempty"` // objects that are left out
}

// ObjectChange is an object that is new, gone, or another.
type ObjectChange struct {
	Kind    string         `json:"kind"`
	Name    string         `json:"name"`
	What    string         `json:"what"`             // added, removed or changed
	Source  string         `json:"source,omitempty"` // a container, or a file and a line
	Options []OptionChange `json:"options,omitempty"`
}

// OptionChange is an option that has another value; secrets are stars.
type OptionChange struct {
	Name   string `json:"name"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// changes answers /api/changes: the last ones, the newest first.
func (a *api) changes(*http.Request) (any, error) {
	list := []Change{}
	if a.Changes != nil {
		list = append(list, a.Changes()...)
	}
	return list, nil
}

// install answers /api/install: the install configuration, secrets as stars.
func (a *api) install(*http.Request) (any, error) {
	return marshalled(a.Install)
}
