// Package function is the service that has requests answered by functions: those of AWS Lambda, and those
// that run in a container with the same interface. They are called as an API Gateway calls them, so that a
// function that was written for one needs no change.
//
// config.go is what the operator writes, serve.go the way of a request. The contract itself (events,
// invocations, answers) is internal/lambda.
package function

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/lambda"
	"fairway/internal/pathpattern"
	"fairway/proxy"
)

// Config of a function service. By labels a function can only be one behind an endpoint that wants no
// credentials: who may set labels of a container must not call what the gateway's credentials are good for.
type Config struct {
	// Name of the function: its name, ARN or partial ARN. Required with aws. Default: function, as
	// the local emulator calls every one.
	Name string `json:"name,omitempty"`
	// Qualifier is a version or an alias of it. Default: none, which is its newest version.
	Qualifier string `json:"qualifier,omitempty"`
	// Endpoint is the URL of what has the Invoke interface, as http://orders:8080. Required without
	// aws. Default with aws: that of AWS Lambda in the region.
	Endpoint string `json:"endpoint,omitempty"`
	// AWS has invocations signed with credentials of AWS; aws: true takes them from where the SDK of
	// AWS looks for them. Labels cannot say it.
	AWS *lambda.AWS `json:"aws,omitempty" label:"-" file:"allowEmpty"`
	// Mode is buffered, stream or event. buffered waits for the whole answer of the function. stream
	// sends it as it comes. event only hands the request over: the answer is 202, and what becomes of it
	// nobody hears. Default: buffered.
	Mode string `json:"mode,omitempty"`
	// PayloadVersion is the version of events and answers: 2.0, as an HTTP API and function URLs have it,
	// or 1.0, as a REST API has it. Default: 2.0.
	PayloadVersion string `json:"payloadVersion,omitempty"`
	// Path is the pattern of the request's path, whose names in braces are the pathParameters of the
	// event, as in /pets/{id} or /files/{path+}. A request with another path is answered 404. Default:
	// every path.
	Path string `json:"path,omitempty"`
	// Stage is the name of the stage in events. Default: $default.
	Stage string `json:"stage,omitempty"`
	// StageVariables are in events as they are here.
	StageVariables map[string]string `json:"stageVariables,omitempty"`
	// APIID is the identifier of the API in events. Default: the name of the service.
	APIID string `json:"apiID,omitempty"`
	// AccountID is the number of the account in events. Default: that in the ARN of the function, or
	// 000000000000.
	AccountID string `json:"accountID,omitempty"`
	// BinaryMediaTypes are types of bodies that the function gets by base64 though they are text, as
	// text/csv or */*. Default: none. What is no text by its type, or not in UTF-8, is encoded in any
	// case.
	BinaryMediaTypes []string `json:"binaryMediaTypes,omitempty"`
	// Timeout is how long the function may take, else the answer is 504. With stream it is the longest
	// time without a bit of the answer. Default: 30s.
	Timeout types.Duration `json:"timeout,omitempty"`
	// MaxPayloadBytes is how long an event may be, with the body of the request in it. A request that
	// makes a longer one is answered 413. Default: 6291456, as much as AWS Lambda takes.
	MaxPayloadBytes int64 `json:"maxPayloadBytes,omitempty"`
	// MaxResponseBytes is how long the answer of the function may be, else it is 502. It does not
	// count for stream. Default: 6291456.
	MaxResponseBytes int64 `json:"maxResponseBytes,omitempty"`
	// Concurrency is how many invocations may be under way; further requests wait for their turn within
	// timeout, and are then answered 503. The local emulator can do 1. Default: 0, no limit.
	Concurrency int `json:"concurrency,omitempty"`
}

const (
	wholeTimeout = 30 * time.Second
	mostBytes    = 6 << 20
)

// SetDefaults implements the defaults documented at the fields.
func (c *Config) SetDefaults() {
	c.Mode, c.PayloadVersion, c.Stage, c.Timeout = "buffered", "2.0", "$default", types.Duration(wholeTimeout)
	c.MaxPayloadBytes, c.MaxResponseBytes = mostBytes, mostBytes
}

// New implements proxy.Config.
func (c *Config) New(ctx context.Context, env proxy.Env) (proxy.Service, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	pattern, err := pathpattern.New(c.Path)
	if err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	caller, err := (&lambda.Function{Name: c.Name, Qualifier: c.Qualifier, Endpoint: c.Endpoint, AWS: c.AWS, Concurrency: c.Concurrency}).New(ctx)
	if err != nil {
		return nil, err
	}
	if before, ok := env.Previous.(*service); ok {
		caller.Follow(before.caller)
	}
	_, account := lambda.ARN(c.Name)
	plain, _, _ := strings.Cut(env.Name, "@")
	s := &service{
		name: env.Name, caller: caller, mode: c.Mode, old: c.PayloadVersion == "1.0", pattern: pattern, binary: c.BinaryMediaTypes,
		timeout: time.Duration(c.Timeout), mostPayload: c.MaxPayloadBytes, mostResponse: c.MaxResponseBytes,
		api: lambda.API{AccountID: cmp.Or(c.AccountID, account, "000000000000"), ID: cmp.Or(c.APIID, plain), Stage: c.Stage, Variables: c.StageVariables},
	}
	return s, nil
}

func (c *Config) check() error {
	switch c.Mode {
	case "buffered", "stream", "event":
	default:
		return fmt.Errorf("mode: %q is none of buffered, stream and event", c.Mode)
	}
	switch {
	case c.PayloadVersion != "1.0" && c.PayloadVersion != "2.0":
		return fmt.Errorf("payloadVersion: %q is neither 1.0 nor 2.0", c.PayloadVersion)
	case c.Timeout <= 0:
		return errors.New("timeout: is not above 0")
	case c.MaxPayloadBytes <= 0:
		return errors.New("maxPayloadBytes: is not above 0")
	case c.MaxResponseBytes <= 0:
		return errors.New("maxResponseBytes: is not above 0")
	}
	for _, pattern := range c.BinaryMediaTypes {
		if _, err := path.Match(pattern, ""); err != nil {
			return fmt.Errorf("binaryMediaTypes: %q: %w", pattern, err)
		}
	}
	return nil
}
