// Package file reads the configuration of routes from a YAML, TOML or JSON file,
// or from all such files below a directory, and follows their changes.
//
// Each file stands for itself: one that cannot be read keeps its last good
// content in force and stops no other.
package file

import (
	"context"
	"errors"

	"github.com/sirupsen/logrus"

	"fairway/providers"
)

// Config of the file provider.
type Config struct {
	// Filename is the one file to read.
	Filename string `json:"filename,omitempty"`
	// Directory is the directory to read all .yml, .yaml, .toml and .json files
	// from, also in directories below it. Files whose names begin with a dot are
	// left out.
	Directory string `json:"directory,omitempty"`
	// Watch follows the changes of the files. Default: true.
	Watch bool `json:"watch"`
	// DebugLogGeneratedTemplate prints each file to the log at level debug, after
	// its template has been carried out. Default: false.
	DebugLogGeneratedTemplate bool `json:"debugLogGeneratedTemplate,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (c *Config) SetDefaults() { c.Watch = true }

// New implements providers.Config.
func (c *Config) New(log logrus.FieldLogger) (providers.Provider, error) {
	switch {
	case c.Filename != "" && c.Directory != "":
		return nil, errors.New("filename and directory are both given: use one of them")
	case c.Filename == "" && c.Directory == "":
		return nil, errors.New("neither filename nor directory is given")
	}
	return &provider{config: c, log: log, folder: newFolder(c, log)}, nil
}

type provider struct {
	config *Config
	log    logrus.FieldLogger
	folder *folder
}

// Run implements providers.Provider.
func (p *provider) Run(ctx context.Context, publish providers.Publish) error {
	if !p.config.Watch {
		p.folder.scan()
		publish(p.folder.configuration())
		<-ctx.Done()
		return ctx.Err()
	}
	return p.watch(ctx, publish)
}
