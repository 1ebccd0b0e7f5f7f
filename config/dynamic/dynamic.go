// Package dynamic has the words of routing: what providers publish and the
// router builds from. A published Configuration is immutable; whoever wants to
// change one makes a new one, sharing what stays.
package dynamic

import (
	"maps"
	"slices"

	"fairway/internal/consumers"
	"fairway/internal/oneof"
	"fairway/internal/plans"
	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/acl"
	"fairway/middlewares/adaptiveconcurrency"
	"fairway/middlewares/addprefix"
	"fairway/middlewares/apikey"
	"fairway/middlewares/authorizer"
	"fairway/middlewares/basicauth"
	"fairway/middlewares/buffering"
	"fairway/middlewares/cache"
	"fairway/middlewares/chain"
	"fairway/middlewares/circuitbreaker"
	"fairway/middlewares/compress"
	"fairway/middlewares/contenttype"
	"fairway/middlewares/csrf"
	"fairway/middlewares/digestauth"
	"fairway/middlewares/encodedcharacters"
	"fairway/middlewares/errors"
	"fairway/middlewares/faultinjection"
	"fairway/middlewares/fields"
	"fairway/middlewares/forwardauth"
	"fairway/middlewares/grpcweb"
	"fairway/middlewares/headers"
	"fairway/middlewares/hedge"
	"fairway/middlewares/hmac"
	"fairway/middlewares/idempotency"
	"fairway/middlewares/inflightreq"
	"fairway/middlewares/introspection"
	"fairway/middlewares/ipallowlist"
	"fairway/middlewares/ipdenylist"
	"fairway/middlewares/jwt"
	"fairway/middlewares/ldapauth"
	"fairway/middlewares/loadshed"
	"fairway/middlewares/lua"
	"fairway/middlewares/mtls"
	"fairway/middlewares/oauth2client"
	"fairway/middlewares/oidc"
	"fairway/middlewares/passtlsclientcert"
	"fairway/middlewares/plan"
	"fairway/middlewares/policy"
	"fairway/middlewares/quota"
	"fairway/middlewares/ratelimit"
	"fairway/middlewares/redirectregex"
	"fairway/middlewares/redirectscheme"
	"fairway/middlewares/replacepath"
	"fairway/middlewares/replacepathregex"
	"fairway/middlewares/requestid"
	"fairway/middlewares/retry"
	"fairway/middlewares/stripprefix"
	"fairway/middlewares/stripprefixregex"
	"fairway/middlewares/timeouts"
	"fairway/middlewares/transform"
	"fairway/middlewares/validate"
	"fairway/middlewares/wasm"
	"fairway/proxy"
	"fairway/proxy/aggregate"
	"fairway/proxy/failover"
	"fairway/proxy/files"
	"fairway/proxy/function"
	"fairway/proxy/highestrandomweight"
	"fairway/proxy/loadbalancer"
	"fairway/proxy/mirroring"
	"fairway/proxy/respond"
	"fairway/proxy/variants"
	"fairway/proxy/weighted"
	"fairway/tls/certs"
)

// Configuration is all that one provider, or all of them together, know.
type Configuration struct {
	HTTP *HTTP `json:"http,omitempty"`
	// TCP is the routing of connections that are no HTTP.
	TCP *TCP `json:"tcp,omitempty"`
	// UDP is the routing of datagrams.
	UDP *UDP `json:"udp,omitempty"`
	// TLS is how clients are answered by TLS.
	TLS *TLS `json:"tls,omitempty"`
	// Problems are shown to the operator; they travel with the rest and never
	// stop it.
	Problems []Problem `json:"-" label:"-" file:"-"`
	// Origin tells where an object was written: a container, or a file and a line.
	// It may be nil.
	Origin Origin `json:"-" label:"-" file:"-"`
}

// Origin tells where the object of a kind and name was written; an empty source
// means that it is not known.
type Origin func(kind, name string) (source string, line int)

// HTTP is the routing of HTTP requests: routers choose, middlewares change,
// services answer.
type HTTP struct {
	// Routers by name.
	Routers map[string]*Router `json:"routers,omitempty"`
	// Services by name.
	Services map[string]*Service `json:"services,omitempty"`
	// Middlewares by name.
	Middlewares map[string]*Middleware `json:"middlewares,omitempty"`
	// ServersTransports say how servers are talked to, by name. Services name them.
	ServersTransports map[string]*proxy.ServersTransport `json:"serversTransports,omitempty"`
	// Consumers are who uses the services, by name: people and programs that middlewares
	// know by their credentials.
	Consumers map[string]*consumers.Config `json:"consumers,omitempty"`
	// Plans are what consumers can book, by name: limits, which the middleware plan applies.
	Plans map[string]*plans.Config `json:"plans,omitempty"`
}

// Router chooses requests by a rule and hands them through middlewares to a
// service.
type Router struct {
	// EntryPoints are the names of the entry points where the router listens.
	// Default: all entry points, or those marked asDefault when there are any.
	EntryPoints []string `json:"entryPoints,omitempty"`
	// Middlewares are the names of the middlewares in front of the service, in
	// the order in which a request passes them. A name of another provider is
	// written name@provider.
	Middlewares []string `json:"middlewares,omitempty"`
	// Service is the name of the service that answers. On a container it may be
	// left out when the container has one service. A name of another provider is written
	// name@provider; name@docker,consulcatalog has the servers that several providers know.
	Service string `json:"service,omitempty"`
	// Rule tells which requests the router takes, as in Host(`a.example`) &&
	// PathPrefix(`/api`). On a container it may be left out: the provider's
	// default rule is used.
	Rule string `json:"rule,omitempty"`
	// RuleSyntax is v3 (the default) or v2, for rules in the syntax of Traefik v2.
	RuleSyntax string `json:"ruleSyntax,omitempty"`
	// Priority decides when several routers match: the larger wins. Default: the
	// length of the rule. Equal priorities are decided by name.
	Priority int `json:"priority,omitempty"`
	// TLS makes the router answer requests that came over TLS, and only those.
	// Without it the router answers plain text only. `tls=true` is enough.
	TLS *RouterTLS `json:"tls,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// Observability says who is told of the requests of the router. Default: as its entry
	// point says.
	Observability *Observability `json:"observability,omitempty"`
}

// RouterTLS says how connections for a router are secured.
type RouterTLS struct {
	// Options is the name of the TLS options used for the hosts of the rule.
	Options string `json:"options,omitempty"`
	// CertResolver is the name of the certificate resolver that gets
	// certificates for the hosts of the rule.
	CertResolver string `json:"certResolver,omitempty"`
	// Domains are the names that the certificate is requested for, instead of
	// the hosts of the rule.
	Domains []certs.Domain `json:"domains,omitempty"`
}

// Observability says who is told of requests.
type Observability struct {
	// AccessLogs writes them to the access log. Default: true.
	AccessLogs *bool `json:"accessLogs,omitempty"`
	// Metrics counts them. Default: true.
	Metrics *bool `json:"metrics,omitempty"`
	// Tracing follows them. Default: true.
	Tracing *bool `json:"tracing,omitempty"`
	// TraceVerbosity is minimal, with spans of the request and of each attempt to have it
	// answered by a server, or detailed: with spans of the router, the middlewares and the
	// services as well. Default: minimal.
	TraceVerbosity string `json:"traceVerbosity,omitempty"`
}

// Silence notes who is not told. What o does not say stays; it may be nil.
func (o *Observability) Silence(s *record.Silent) {
	if o == nil {
		return
	}
	for _, who := range [...]struct {
		silent *bool
		told   *bool
	}{{&s.Log, o.AccessLogs}, {&s.Metrics, o.Metrics}, {&s.Traces, o.Tracing}} {
		if who.told != nil {
			*who.silent = !*who.told
		}
	}
}

// Detail tells whether spans of routers, middlewares and services are wanted. What o does
// not say is as before; it may be nil.
func (o *Observability) Detail(before bool) bool {
	if o == nil || o.TraceVerbosity != "minimal" && o.TraceVerbosity != "detailed" {
		return before
	}
	return o.TraceVerbosity == "detailed"
}

// Service answers requests. It has exactly one kind.
type Service struct {
	// Middlewares are the names of the middlewares in front of the service, behind
	// those of the router, in the order in which a request passes them.
	Middlewares []string `json:"middlewares,omitempty"`

	Aggregate           *aggregate.Config           `json:"aggregate,omitempty"`
	Failover            *failover.Config            `json:"failover,omitempty"`
	Files               *files.Config               `json:"files,omitempty" label:"-"`
	Function            *function.Config            `json:"function,omitempty"`
	HighestRandomWeight *highestrandomweight.Config `json:"highestRandomWeight,omitempty"`
	LoadBalancer        *loadbalancer.Config        `json:"loadBalancer,omitempty"`
	Mirroring           *mirroring.Config           `json:"mirroring,omitempty"`
	Respond             *respond.Config             `json:"respond,omitempty" label:"allowEmpty" file:"allowEmpty"`
	Variants            *variants.Config            `json:"variants,omitempty"`
	Weighted            *weighted.Config            `json:"weighted,omitempty"`
}

// Kind returns the name and the constructor of the service's only kind.
func (s *Service) Kind() (string, proxy.Config, error) {
	name, value, err := oneof.Of(s)
	if err != nil {
		return "", nil, err
	}
	return name, value.(proxy.Config), nil
}

// Parts are the names of the services that it is made of.
func (s *Service) Parts() (names []string) {
	switch {
	case s.Weighted != nil:
		for _, p := range s.Weighted.Services {
			names = append(names, p.Name)
		}
	case s.HighestRandomWeight != nil:
		for _, p := range s.HighestRandomWeight.Services {
			names = append(names, p.Name)
		}
	case s.Mirroring != nil:
		names = append(names, s.Mirroring.Service)
		for _, m := range s.Mirroring.Mirrors {
			names = append(names, m.Name)
		}
	case s.Failover != nil:
		names = append(names, s.Failover.Service, s.Failover.Fallback)
	case s.Variants != nil:
		for _, name := range slices.Sorted(maps.Keys(s.Variants.Services)) {
			names = append(names, s.Variants.Services[name])
		}
		names = append(names, s.Variants.Default)
	case s.Aggregate != nil:
		for _, name := range slices.Sorted(maps.Keys(s.Aggregate.Parts)) {
			names = append(names, s.Aggregate.Parts[name].Service)
		}
	}
	return names
}

// Middleware changes requests on their way to a service, answers them itself, or
// changes the responses. It has exactly one type.
type Middleware struct {
	ACL                 *acl.Config                 `json:"acl,omitempty" label:"allowEmpty" file:"allowEmpty"`
	AdaptiveConcurrency *adaptiveconcurrency.Config `json:"adaptiveConcurrency,omitempty" label:"allowEmpty" file:"allowEmpty"`
	AddPrefix           *addprefix.Config           `json:"addPrefix,omitempty"`
	APIKey              *apikey.Config              `json:"apiKey,omitempty" label:"allowEmpty" file:"allowEmpty"`
	Authorizer          *authorizer.Config          `json:"authorizer,omitempty"`
	BasicAuth           *basicauth.Config           `json:"basicAuth,omitempty"`
	Buffering           *buffering.Config           `json:"buffering,omitempty" label:"allowEmpty" file:"allowEmpty"`
	Cache               *cache.Config               `json:"cache,omitempty" label:"allowEmpty" file:"allowEmpty"`
	Chain               *chain.Config               `json:"chain,omitempty"`
	CircuitBreaker      *circuitbreaker.Config      `json:"circuitBreaker,omitempty"`
	Compress            *compress.Config            `json:"compress,omitempty" label:"allowEmpty" file:"allowEmpty"`
	ContentType         *contenttype.Config         `json:"contentType,omitempty" label:"allowEmpty" file:"allowEmpty"`
	CSRF                *csrf.Config                `json:"csrf,omitempty" label:"allowEmpty" file:"allowEmpty"`
	DigestAuth          *digestauth.Config          `json:"digestAuth,omitempty"`
	EncodedCharacters   *encodedcharacters.Config   `json:"encodedCharacters,omitempty" label:"allowEmpty" file:"allowEmpty"`
	Errors              *errors.Config              `json:"errors,omitempty"`
	FaultInjection      *faultinjection.Config      `json:"faultInjection,omitempty"`
	Fields              *fields.Config              `json:"fields,omitempty" label:"allowEmpty" file:"allowEmpty"`
	ForwardAuth         *forwardauth.Config         `json:"forwardAuth,omitempty"`
	GRPCWeb             *grpcweb.Config             `json:"grpcWeb,omitempty" label:"allowEmpty" file:"allowEmpty"`
	Headers             *headers.Config             `json:"headers,omitempty"`
	Hedge               *hedge.Config               `json:"hedge,omitempty" label:"allowEmpty" file:"allowEmpty"`
	HMAC                *hmac.Config                `json:"hmac,omitempty"`
	Idempotency         *idempotency.Config         `json:"idempotency,omitempty" label:"allowEmpty" file:"allowEmpty"`
	InFlightReq         *inflightreq.Config         `json:"inFlightReq,omitempty"`
	Introspection       *introspection.Config       `json:"introspection,omitempty"`
	IPAllowList         *ipallowlist.Config         `json:"ipAllowList,omitempty"`
	IPDenyList          *ipdenylist.Config          `json:"ipDenyList,omitempty"`
	IPWhiteList         *ipallowlist.Config         `json:"ipWhiteList,omitempty" deprecated:"its name is ipAllowList now"`
	JWT                 *jwt.Config                 `json:"jwt,omitempty"`
	LDAPAuth            *ldapauth.Config            `json:"ldapAuth,omitempty"`
	LoadShed            *loadshed.Config            `json:"loadShed,omitempty" label:"allowEmpty" file:"allowEmpty"`
	Lua                 *lua.Config                 `json:"lua,omitempty"`
	MTLS                *mtls.Config                `json:"mtls,omitempty"`
	OAuth2Client        *oauth2client.Config        `json:"oauth2Client,omitempty"`
	OIDC                *oidc.Config                `json:"oidc,omitempty"`
	PassTLSClientCert   *passtlsclientcert.Config   `json:"passTLSClientCert,omitempty"`
	Plan                *plan.Config                `json:"plan,omitempty" label:"allowEmpty" file:"allowEmpty"`
	Policy              *policy.Config              `json:"policy,omitempty"`
	Quota               *quota.Config               `json:"quota,omitempty"`
	RateLimit           *ratelimit.Config           `json:"rateLimit,omitempty"`
	RedirectRegex       *redirectregex.Config       `json:"redirectRegex,omitempty"`
	RedirectScheme      *redirectscheme.Config      `json:"redirectScheme,omitempty"`
	ReplacePath         *replacepath.Config         `json:"replacePath,omitempty"`
	ReplacePathRegex    *replacepathregex.Config    `json:"replacePathRegex,omitempty"`
	RequestID           *requestid.Config           `json:"requestID,omitempty" label:"allowEmpty" file:"allowEmpty"`
	Retry               *retry.Config               `json:"retry,omitempty"`
	StripPrefix         *stripprefix.Config         `json:"stripPrefix,omitempty"`
	StripPrefixRegex    *stripprefixregex.Config    `json:"stripPrefixRegex,omitempty"`
	Timeouts            *timeouts.Config            `json:"timeouts,omitempty"`
	Transform           *transform.Config           `json:"transform,omitempty"`
	Validate            *validate.Config            `json:"validate,omitempty"`
	Wasm                *wasm.Config                `json:"wasm,omitempty"`
}

// Kind returns the name and the constructor of the middleware's only type.
func (m *Middleware) Kind() (string, middlewares.Config, error) {
	name, value, err := oneof.Of(m)
	if err != nil {
		return "", nil, err
	}
	return name, value.(middlewares.Config), nil
}
