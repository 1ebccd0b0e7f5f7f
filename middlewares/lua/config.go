package lua

import (
	"errors"
	"fmt"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/sandbox"
)

// Config is the lua middleware. Its script has functions with these names, all of which may be left
// out: on_request(request), on_response(request, response), on_body(request, response) and
// on_log(request, response).
type Config struct {
	// Script is the text of the script. One of script and file is required.
	Script string `json:"script,omitempty"`
	// File is the path of a file with the script, in place of script. It is read again when it has changed; a
	// script that cannot be used leaves the one before in force. Labels cannot say it: who may set labels of a
	// container must not read the gateway's files.
	File string `json:"file,omitempty" label:"-"`
	// Services are the names of the services that the script may call. Default: none.
	Services []string `json:"services,omitempty"`
	// MaxInstructions is how many instructions of the interpreter the script may take for one request; a
	// function of the library counts by what it does. At most 10000000. Default: 100000.
	MaxInstructions int `json:"maxInstructions,omitempty"`
	// MaxMemoryBytes is how much memory the script may take for one request, what it no longer needs
	// included. At most 268435456 (256 MiB). Default: 8388608 (8 MiB).
	MaxMemoryBytes int64 `json:"maxMemoryBytes,omitempty"`
	// Timeout is how long the script may compute for one request. Waiting for services and bodies does not
	// count. At most 10s. Default: 1s.
	Timeout types.Duration `json:"timeout,omitempty"`
	// MaxBodyBytes is how long a body may be that the script reads, or a service that it calls answers with.
	// A longer request gets 413, in the place of a longer response the client gets 502. Default: 1048576 (1 MiB).
	MaxBodyBytes int64 `json:"maxBodyBytes,omitempty"`
}

// What nobody can go beyond: scripts come with labels, too, and the gateway is there for others as well.
const (
	mostInstructions = 10_000_000
	mostMemory       = 256 << 20
	mostTime         = 10 * time.Second
)

// SetDefaults implements the defaults documented at the fields.
func (c *Config) SetDefaults() {
	c.MaxInstructions, c.MaxMemoryBytes, c.Timeout, c.MaxBodyBytes = 100_000, 8<<20, types.Duration(time.Second), 1<<20
}

func (c *Config) limits() (sandbox.Limits, error) {
	switch {
	case c.Script == "" && c.File == "":
		return sandbox.Limits{}, errors.New("one of script and file is required")
	case c.Script != "" && c.File != "":
		return sandbox.Limits{}, errors.New("only one of script and file can be given")
	case c.MaxInstructions < 1 || c.MaxInstructions > mostInstructions:
		return sandbox.Limits{}, fmt.Errorf("maxInstructions: %d is not from 1 to %d", c.MaxInstructions, mostInstructions)
	case c.MaxMemoryBytes < 1 || c.MaxMemoryBytes > mostMemory:
		return sandbox.Limits{}, fmt.Errorf("maxMemoryBytes: %d is not from 1 to %d", c.MaxMemoryBytes, mostMemory)
	case c.Timeout <= 0 || time.Duration(c.Timeout) > mostTime:
		return sandbox.Limits{}, fmt.Errorf("timeout: %s is not above 0 and up to %s", time.Duration(c.Timeout), mostTime)
	case c.MaxBodyBytes < 1:
		return sandbox.Limits{}, errors.New("maxBodyBytes has to be above 0")
	}
	return sandbox.Limits{Instructions: c.MaxInstructions, Memory: c.MaxMemoryBytes, Time: time.Duration(c.Timeout)}, nil
}
