package authorizer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/claims"
	"fairway/internal/lambda"
	"fairway/internal/pathpattern"
	"fairway/internal/remember"
	"fairway/internal/secret"
	"fairway/internal/sharing"
	"fairway/middlewares"
)

// Config is the authorizer middleware.
type Config struct {
	// Function is asked by the Invoke interface of Lambda. This or url is required.
	Function *lambda.Function `json:"function,omitempty"`
	// URL is asked by HTTP: the question is the body of a POST, the decision that of a 200. An answer of
	// 401 or 403 is a refusal, too.
	URL string `json:"url,omitempty"`
	// Type is request or token. An authorizer of the type request is asked with all of the request but
	// its body, one of the type token with the value of one header. Default: request.
	Type string `json:"type,omitempty"`
	// PayloadVersion is the version of questions of the type request: 2.0 or 1.0. Default: 2.0.
	PayloadVersion string `json:"payloadVersion,omitempty"`
	// IdentitySources are what tells who sends a request, as header:NAME, query:NAME or cookie:NAME (or
	// as AWS writes it: $request.header.NAME, method.request.querystring.NAME). A request that lacks one
	// of them is answered 401 without asking, and decisions are kept by their values. Default:
	// header:Authorization with the type token; else none, and every request is asked about.
	IdentitySources []string `json:"identitySources,omitempty"`
	// IdentityValidation is an expression (Go syntax) that the whole value has to match with the type
	// token, else the answer is 401 without asking. Default: none.
	IdentityValidation string `json:"identityValidation,omitempty"`
	// CacheTTL is how long a decision is kept for requests with the same identity, up to 1h. A policy is
	// read anew for each request, so that one which names a single route refuses the others; a simple
	// answer is good for every route of the middleware, unless there is cacheByRoute. 0s asks about every
	// request. Default: 5m.
	CacheTTL types.Duration `json:"cacheTTL,omitempty"`
	// CacheByRoute keeps decisions for requests with the same host, method and path only. Default: false.
	CacheByRoute bool `json:"cacheByRoute,omitempty"`
	// MaxEntries is how many decisions are kept; the oldest gives way. Default: 10000.
	MaxEntries int `json:"maxEntries,omitempty"`
	// Timeout is how long the authorizer may take, else the answer is 500. Default: 10s.
	Timeout types.Duration `json:"timeout,omitempty"`
	// ForwardHeaders are headers that tell the service what the authorizer says, by the names in its
	// context: X-User: user. principalId is there as well. What clients send in these headers never
	// reaches the service. Services of the kind function find all of it in their events.
	ForwardHeaders map[string]string `json:"forwardHeaders,omitempty"`
	// Path is the pattern of the request's path, whose names in braces are the pathParameters of the
	// question, as in /pets/{id}. Other paths have none. Default: none.
	Path string `json:"path,omitempty"`
	// Stage is the name of the stage, in questions and in what policies are about. Default: $default.
	Stage string `json:"stage,omitempty"`
	// StageVariables are in questions as they are here.
	StageVariables map[string]string `json:"stageVariables,omitempty"`
	// APIID is the identifier of the API there. Default: fairway.
	APIID string `json:"apiID,omitempty"`
	// AccountID is the number of the account there. Default: that in the ARN of the function, or
	// 000000000000.
	AccountID string `json:"accountID,omitempty"`
	// Region of the API there. Default: that in the ARN of the function, or local.
	Region string `json:"region,omitempty"`
}

const (
	defaultTTL     = 5 * time.Minute
	longestTTL     = time.Hour
	defaultEntries = 10_000
	defaultTimeout = 10 * time.Second
)

// SetDefaults implements the defaults documented at the fields.
func (c *Config) SetDefaults() {
	c.Type, c.PayloadVersion, c.Stage, c.APIID = "request", "2.0", "$default", "fairway"
	c.CacheTTL, c.MaxEntries, c.Timeout = types.Duration(defaultTTL), defaultEntries, types.Duration(defaultTimeout)
}

// asker makes what all routes share that use the middleware with these options.
func (c *Config) asker(ctx context.Context, env middlewares.Env) (*asker, error) {
	var secrets []secret.String
	var name string
	if c.Function != nil {
		if name = c.Function.Name; c.Function.AWS != nil {
			secrets = append(secrets, c.Function.AWS.SecretAccessKey, c.Function.AWS.SessionToken)
		}
	}
	region, account := lambda.ARN(name)
	shared := env.Keep(func() any { return &sharing.ByOptions[*asker]{} }).(*sharing.ByOptions[*asker])
	return shared.Use(ctx, sharing.Options(c, secrets...), func(ctx context.Context) (*asker, error) {
		a := &asker{
			ctx: ctx, ask: c.Type, old: c.PayloadVersion == "1.0", ttl: time.Duration(c.CacheTTL), byRoute: c.CacheByRoute, timeout: time.Duration(c.Timeout),
			decisions: remember.New[*decision](c.MaxEntries),
			api: lambda.API{
				AccountID: cmp.Or(c.AccountID, account, "000000000000"), ID: c.APIID, Region: cmp.Or(c.Region, region, "local"), Stage: c.Stage, Variables: c.StageVariables,
			},
		}
		if c.Type == "token" {
			a.old = true
		}
		return a, c.read(ctx, a)
	})
}

// read takes over the options that may be wrong.
func (c *Config) read(ctx context.Context, a *asker) (err error) {
	if err := c.check(); err != nil {
		return err
	}
	if a.sources, err = newSources(c.IdentitySources, c.Type); err != nil {
		return fmt.Errorf("identitySources: %w", err)
	}
	if a.headers, err = claims.NewHeaders(c.ForwardHeaders); err != nil {
		return fmt.Errorf("forwardHeaders: %w", err)
	}
	if a.pattern, err = pathpattern.New(c.Path); err != nil {
		return fmt.Errorf("path: %w", err)
	}
	if c.IdentityValidation != "" {
		if a.valid, err = regexp.Compile(`^(?:` + c.IdentityValidation + `)$`); err != nil {
			return fmt.Errorf("identityValidation: %w", err)
		}
	}
	if c.Function != nil {
		if a.function, err = c.Function.New(ctx); err != nil {
			return fmt.Errorf("function.%w", err)
		}
		return nil
	}
	var u *url.URL
	if u, err = lambda.ServerURL(c.URL); err != nil {
		return fmt.Errorf("url: %w", err)
	}
	a.server = &server{url: u, transport: lambda.NewTransport(ctx), retired: ctx}
	return nil
}

func (c *Config) check() error {
	switch {
	case c.Function == nil && c.URL == "":
		return errors.New("function or url is required")
	case c.Function != nil && c.URL != "":
		return errors.New("only one of function and url can be given")
	case c.Type != "request" && c.Type != "token":
		return fmt.Errorf("type: %q is neither request nor token", c.Type)
	case c.PayloadVersion != "1.0" && c.PayloadVersion != "2.0":
		return fmt.Errorf("payloadVersion: %q is neither 1.0 nor 2.0", c.PayloadVersion)
	case c.IdentityValidation != "" && c.Type != "token":
		return errors.New("identityValidation: is for the type token")
	case c.CacheTTL < 0 || time.Duration(c.CacheTTL) > longestTTL:
		return fmt.Errorf("cacheTTL: is not from 0s to %v", longestTTL)
	case c.MaxEntries <= 0:
		return errors.New("maxEntries: is not above 0")
	case c.Timeout <= 0:
		return errors.New("timeout: is not above 0")
	}
	return nil
}
