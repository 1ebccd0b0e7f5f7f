package wasm

import (
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/traefik/paerser/types"
)

// Config is the wasm middleware.
type Config struct {
	// Module is the plugin: WebAssembly in base64. One of module and file is required.
	Module string `json:"module,omitempty"`
	// File is the path of a file with the plugin, in place of module. It is read again when it has changed; a
	// plugin that cannot be used leaves the one before in force. Labels cannot say it: who may set labels of a
	// container must not read the gateway's files.
	File string `json:"file,omitempty" label:"-"`
	// Config is what the plugin gets as its configuration, a text. Default: none.
	Config string `json:"config,omitempty"`
	// MaxMemoryBytes is how much memory an instance of the plugin may take. At most 268435456 (256 MiB).
	// Default: 33554432 (32 MiB).
	MaxMemoryBytes int64 `json:"maxMemoryBytes,omitempty"`
	// MaxInstances is how many instances there may be, and so how many requests are served at the same time.
	// Further ones get 503. At most 1024, and together they may take at most 4294967296 bytes (4 GiB): maxInstances
	// times maxMemoryBytes. 0: as many as that has room for, at most 256. Default: 0.
	MaxInstances int `json:"maxInstances,omitempty"`
	// Timeout is how long each call of the plugin may take. At most 10s. Default: 1s.
	Timeout types.Duration `json:"timeout,omitempty"`
	// MaxBodyBytes is how long a body may be that the plugin reads or writes. A longer request gets 413, in the
	// place of a longer response the client gets 502. Default: 1048576 (1 MiB).
	MaxBodyBytes int64 `json:"maxBodyBytes,omitempty"`
}

// What nobody can go beyond: plugins come with labels, too, and the gateway is there for others as well.
const (
	mostMemory    = 256 << 20
	mostTogether  = 4 << 30 // of memory, by all instances
	mostInstances = 1024
	mostTime      = 10 * time.Second
	page          = 64 << 10 // that memory of WebAssembly is made of
)

const (
	usualInstances = 256
	// mostIdle is how many instances wait for a request, and mostIdleMemory what they may take meanwhile; one waits
	// in any case.
	mostIdle       = 32
	mostIdleMemory = 256 << 20
)

// SetDefaults implements the defaults documented at the fields.
func (c *Config) SetDefaults() {
	c.MaxMemoryBytes, c.Timeout, c.MaxBodyBytes = 32<<20, types.Duration(time.Second), 1<<20
}

func (c *Config) check() error {
	switch {
	case c.Module == "" && c.File == "":
		return errors.New("one of module and file is required")
	case c.Module != "" && c.File != "":
		return errors.New("only one of module and file can be given")
	case c.MaxMemoryBytes < page || c.MaxMemoryBytes > mostMemory:
		return fmt.Errorf("maxMemoryBytes: %d is not from %d to %d", c.MaxMemoryBytes, page, mostMemory)
	case c.MaxInstances < 0 || c.MaxInstances > mostInstances:
		return fmt.Errorf("maxInstances: %d is not from 0 to %d", c.MaxInstances, mostInstances)
	case int64(c.MaxInstances)*c.MaxMemoryBytes > mostTogether:
		return fmt.Errorf("maxInstances: %d with maxMemoryBytes of %d may take more than %d bytes together", c.MaxInstances, c.MaxMemoryBytes, int64(mostTogether))
	case c.Timeout <= 0 || time.Duration(c.Timeout) > mostTime:
		return fmt.Errorf("timeout: %s is not above 0 and up to %s", time.Duration(c.Timeout), mostTime)
	case c.MaxBodyBytes < 1:
		return errors.New("maxBodyBytes has to be above 0")
	}
	return nil
}

// instances is how many there may be.
func (c *Config) instances() int {
	if c.MaxInstances > 0 {
		return c.MaxInstances
	}
	return int(min(usualInstances, mostTogether/c.MaxMemoryBytes))
}

// inline is the plugin of module.
func (c *Config) inline() ([]byte, error) {
	code, err := base64.StdEncoding.DecodeString(c.Module)
	if err != nil {
		return nil, errors.New("it is not in base64")
	}
	return code, nil
}
