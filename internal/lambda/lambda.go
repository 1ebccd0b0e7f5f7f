// Package lambda speaks the contract of AWS Lambda: the events that an API Gateway makes of requests,
// what functions answer, and the Invoke interface by which they are called. Everything that has that
// interface will do, in the cloud or in a container (the runtime interface emulator is one).
//
// A request becomes an event (event.go, eventv1.go, eventv2.go), the event goes to a function
// (invoke.go, signed by aws.go; stream.go), and what it returns becomes a response (response.go).
package lambda

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"fairway/internal/secret"
)

// Function names a function, and tells where it is invoked.
type Function struct {
	// Name of the function: its name, ARN or partial ARN. Required with aws. Default: function, as
	// the local emulator calls every one.
	Name string `json:"name,omitempty"`
	// Qualifier is a version or an alias of it. Default: none, which is its newest version.
	Qualifier string `json:"qualifier,omitempty"`
	// Endpoint is the URL of what has the Invoke interface, as http://orders:8080. Required without
	// aws. Default with aws: that of AWS Lambda in the region.
	Endpoint string `json:"endpoint,omitempty"`
	// AWS has invocations signed with credentials of AWS; aws: true takes them from where the SDK of
	// AWS looks for them. Labels cannot say it: who may set labels of a container must not use the
	// gateway's credentials, with which any function could be called that they are good for.
	AWS *AWS `json:"aws,omitempty" label:"-" file:"allowEmpty"`
	// Concurrency is how many invocations may be under way; others wait for their turn within timeout.
	// The local emulator can do 1. Default: 0, no limit.
	Concurrency int `json:"concurrency,omitempty"`
}

// AWS are credentials, and the region.
type AWS struct {
	// Region of the function. Default: that in its ARN, else that of the SDK (AWS_REGION, or the
	// profile).
	Region string `json:"region,omitempty"`
	// AccessKeyID names a key. Default: what the SDK finds, at the first invocation: the environment,
	// the shared files, a web identity, the role of the container or of the machine.
	AccessKeyID string `json:"accessKeyID,omitempty"`
	// SecretAccessKey is that key. Required with accessKeyID.
	SecretAccessKey secret.String `json:"secretAccessKey,omitempty"`
	// SessionToken belongs to keys that are temporary.
	SessionToken secret.String `json:"sessionToken,omitempty"`
	// CredentialsFile is the path of a file with credentials, in the form of ~/.aws/credentials.
	// Default: that of the SDK.
	CredentialsFile string `json:"credentialsFile,omitempty"`
	// Profile is the name of a section of it. Default: that of the SDK (AWS_PROFILE), or default.
	Profile string `json:"profile,omitempty"`
}

var (
	validName      = regexp.MustCompile(`^[A-Za-z0-9_:$-]{1,256}$`)
	validQualifier = regexp.MustCompile(`^[A-Za-z0-9_$-]{0,128}$`)
	validRegion    = regexp.MustCompile(`^[a-z0-9-]{0,32}$`)
)

// mostAtOnce is how large concurrency can be.
const mostAtOnce = 100_000

// Caller invokes a function. It is safe for concurrent use.
type Caller struct {
	name, qualifier string
	endpoint        *url.URL // nil: that of AWS
	signer          *signer  // nil: nothing is signed
	transport       *http.Transport
	turns           chan struct{}   // has room for what may be under way; nil: there is no limit
	retired         context.Context //nolint:containedctx // ends with the instance
}

// New makes what invokes the function. It neither dials nor looks for credentials. ctx ends when the
// instance is retired.
func (f *Function) New(ctx context.Context) (*Caller, error) {
	c := &Caller{name: f.Name, qualifier: f.Qualifier, retired: ctx}
	switch {
	case f.Endpoint == "" && f.AWS == nil:
		return nil, errors.New("endpoint: is required without aws")
	case f.Name == "" && f.AWS != nil:
		return nil, errors.New("name: is required with aws")
	case f.Name == "":
		c.name = "function"
	case !validName.MatchString(f.Name):
		return nil, fmt.Errorf("name: %q is neither the name nor the ARN of a function", f.Name)
	}
	if f.Concurrency < 0 || f.Concurrency > mostAtOnce {
		return nil, fmt.Errorf("concurrency: %d is not from 0 to %d", f.Concurrency, mostAtOnce)
	}
	if f.Concurrency > 0 {
		c.turns = make(chan struct{}, f.Concurrency)
	}
	if !validQualifier.MatchString(f.Qualifier) {
		return nil, fmt.Errorf("qualifier: %q is neither a version nor an alias", f.Qualifier)
	}
	if f.Endpoint != "" {
		u, err := ServerURL(f.Endpoint)
		if err != nil {
			return nil, fmt.Errorf("endpoint: %w", err)
		}
		c.endpoint = u
	}
	var err error
	if f.AWS != nil {
		if c.signer, err = f.AWS.signer(f.Name); err != nil {
			return nil, fmt.Errorf("aws.%w", err)
		}
	}
	c.transport = NewTransport(ctx)
	return c, nil
}

// Follow has invocations that the caller before has under way count here, if as many may be.
func (c *Caller) Follow(before *Caller) {
	if before != nil && c.turns != nil && cap(before.turns) == cap(c.turns) {
		c.turns = before.turns
	}
}

// ServerURL reads the URL of a server. Its query and its user are none of its.
func ServerURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q is no URL that begins with http:// or https://, without user and query", secret.URL(text))
	}
	return u, nil
}

// NewTransport has the connections to where functions are, which are closed when ctx ends.
func NewTransport(ctx context.Context) *http.Transport {
	t := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2:   true,
		DisableCompression:  true,
		MaxIdleConnsPerHost: 100,
		IdleConnTimeout:     60 * time.Second,
	}
	context.AfterFunc(ctx, t.CloseIdleConnections)
	return t
}

// Local tells that nobody signs: the function runs in an emulator or the like.
func (c *Caller) Local() bool { return c.signer == nil }

// Shown is the function, for what is told of it.
func (c *Caller) Shown() string { return c.name }

// ARN are the parts of the ARN of a function that events need; empty: name is none.
func ARN(name string) (region, account string) {
	parts := strings.Split(name, ":")
	if len(parts) >= 7 && parts[0] == "arn" && parts[2] == "lambda" {
		return parts[3], parts[4]
	}
	return "", ""
}
