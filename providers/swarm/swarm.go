// Package swarm finds the services of a Docker Swarm by asking one of its managers, and
// routes to their tasks as the labels of the services say.
//
// The labels are those of the service (deploy.labels in a stack), not of its containers. Each
// task that runs is a server, at its address in a network that fairway shares with it; with
// the label swarm.lbswarm the service has one server, its virtual IP, and Swarm chooses the
// task. A task that is to be shut down takes no more requests from that moment, before its
// process is told to stop. While no manager can be asked, what was known stays in force.
//
// follow.go says how changes are noticed, look.go what is asked, task.go what becomes of it.
package swarm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/docker/docker/client"
	"github.com/sirupsen/logrus"
	"github.com/traefik/paerser/types"

	"fairway/config/dynamic"
	"fairway/config/labels"
	"fairway/internal/dockerengine"
	"fairway/internal/secret"
	"fairway/providers"
)

// Config of the Swarm provider.
type Config struct {
	// Endpoint is the address of the Docker engine of a manager: unix:///path,
	// tcp://host:port (with TLS when tls is given), http://, https://, or
	// ssh://user@host. Default: unix:///var/run/docker.sock.
	Endpoint string `json:"endpoint,omitempty"`
	// Username for endpoints that ask for HTTP basic authentication.
	Username string `json:"username,omitempty"`
	// Password for endpoints that ask for HTTP basic authentication.
	Password secret.String `json:"password,omitempty"`
	// TLS for endpoints that are reached by TCP.
	TLS *dockerengine.TLS `json:"tls,omitempty"`
	// SSH for endpoints that are reached by ssh://.
	SSH *dockerengine.SSH `json:"ssh,omitempty"`
	// HTTPClientTimeout is the longest time for one request to the engine; the
	// stream of events is not limited. Default: 0s, no limit.
	HTTPClientTimeout types.Duration `json:"httpClientTimeout,omitempty"`
	// ExposedByDefault shows services that do not say enable=true. Default: true.
	ExposedByDefault bool `json:"exposedByDefault"`
	// DefaultRule is the rule of routers that have none: a Go template over .Name,
	// .ContainerName (the name of the service as well) and .Labels. Default:
	// Host(`{{ normalize .Name }}`).
	DefaultRule string `json:"defaultRule,omitempty"`
	// Constraints choose the services by their labels: an expression of
	// Label(`key`, `value`) and LabelRegex(`key`, `pattern`) with &&, || and !.
	// Default: all services.
	Constraints string `json:"constraints,omitempty"`
	// Network is the name of the network to reach tasks by, when their services do not
	// name one themselves; the name of the stack may be left out. Default: a network that
	// fairway itself is in, else the first one by name.
	Network string `json:"network,omitempty"`
	// UseBindPortIP sends requests to the port that a task publishes in mode host, at
	// the address of its node, not to the task itself. Services that are in no
	// network are reached so in any case. Default: false.
	UseBindPortIP bool `json:"useBindPortIP,omitempty"`
	// Watch follows the changes of services and tasks. Default: true.
	Watch bool `json:"watch"`
	// AllowEmptyServices keeps the routes of services none of whose tasks runs, so
	// that clients get 503 instead of 404. Default: false.
	AllowEmptyServices bool `json:"allowEmptyServices,omitempty"`
	// RefreshSeconds is the longest time between two looks at the swarm; after each
	// change the looks are closer. Default: 15s.
	RefreshSeconds types.Duration `json:"refreshSeconds,omitempty"`
}

const (
	name            = "swarm"
	defaultEndpoint = "unix:///var/run/docker.sock"
	defaultRefresh  = 15 * time.Second
)

// SetDefaults implements the defaults documented at the fields.
func (c *Config) SetDefaults() {
	c.Endpoint, c.ExposedByDefault, c.DefaultRule = defaultEndpoint, true, labels.DefaultRule
	c.Watch, c.RefreshSeconds = true, types.Duration(defaultRefresh)
}

// New implements providers.Config.
func (c *Config) New(log logrus.FieldLogger) (providers.Provider, error) {
	if c.Watch && c.RefreshSeconds <= 0 {
		return nil, errors.New("refreshSeconds: is no time")
	}
	decoder, err := labels.New(labels.Options{
		Provider: name, ExposedByDefault: c.ExposedByDefault, DefaultRule: c.DefaultRule,
		Constraints: c.Constraints, AllowEmptyServices: c.AllowEmptyServices, UseBindPortIP: c.UseBindPortIP,
	})
	if err != nil {
		return nil, err
	}
	access := dockerengine.Access{Username: c.Username, Password: c.Password, TLS: c.TLS, SSH: c.SSH, Timeout: time.Duration(c.HTTPClientTimeout)}
	engine, err := access.Client(c.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("endpoint %s: %w", secret.URL(c.Endpoint), err)
	}
	return &provider{
		config: c, client: engine, decoder: decoder, own: dockerengine.OwnID(),
		log: log.WithField("endpoint", secret.URL(c.Endpoint)),
	}, nil
}

// provider follows one swarm. Its fields below the line belong to the goroutine of Run.
type provider struct {
	config  *Config
	client  *client.Client
	decoder *labels.Decoder
	log     logrus.FieldLogger
	own     string // ID of the container that fairway runs in, or its beginning

	last      *dynamic.Configuration      // as last seen
	nowhere   []dynamic.Problem           // of it, that are no service's
	down      bool                        // what was published last says that it may be old
	workloads map[string]*labels.Workload // by ID of the task or service
	readings  map[string]reading          // of the labels, by ID of the service
	leaving   map[string]time.Time        // tasks that were told to stop, by ID
}

const (
	firstRetry = 250 * time.Millisecond
	lastRetry  = 15 * time.Second
)

// Run implements providers.Provider. It connects again whenever it must.
func (p *provider) Run(ctx context.Context, publish providers.Publish) error {
	defer p.client.Close()
	p.workloads, p.readings, p.leaving = map[string]*labels.Workload{}, map[string]reading{}, map[string]time.Time{}
	pause := firstRetry
	for {
		connected, err := p.follow(ctx, publish)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if connected {
			pause = firstRetry
		}
		err = dockerengine.WithAdvice(err, p.config.Endpoint)
		p.log.WithError(err).WithField("retry", pause).Warn("the swarm cannot be followed; its last known state stays in force")
		publish(p.blind(err))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, lastRetry)
	}
}

// blind is the last known state, with why it may be old.
func (p *provider) blind(err error) *dynamic.Configuration {
	p.down = true
	old := dynamic.Configuration{HTTP: &dynamic.HTTP{}}
	if p.last != nil {
		old = *p.last
	}
	old.Problems = append(slices.Clip(old.Problems), dynamic.Problem{
		Severity: dynamic.Error, Provider: name, Source: secret.URL(p.config.Endpoint), Blind: true,
		Reason: fmt.Sprintf("the swarm cannot be followed, its last known state stays in force: %v", err),
	})
	return &old
}
