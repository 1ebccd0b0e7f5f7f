// Package highestrandomweight is the service that sends each client to the same one of
// other services, by its address.
package highestrandomweight

import (
	"context"
	"net/http"

	"fairway/internal/balance"
	"fairway/internal/clientip"
	"fairway/internal/record"
	"fairway/proxy"
)

// Config of a highestRandomWeight service.
type Config struct {
	// Services to choose from, by their weights. When one goes or comes, only its own
	// clients move.
	Services []proxy.Part `json:"services,omitempty"`
	// HealthCheck changes nothing: services without a server that is well are always left
	// out. In Traefik it has to be asked for.
	HealthCheck *proxy.PartsHealth `json:"healthCheck,omitempty" label:"allowEmpty" file:"allowEmpty"`
}

// New implements proxy.Config.
func (c *Config) New(_ context.Context, env proxy.Env) (proxy.Service, error) {
	parts, err := proxy.Parts(env, c.Services)
	if err != nil {
		return nil, err
	}
	return &service{parts: parts, by: balance.NewRendezvous(parts)}, nil
}

type service struct {
	parts []balance.Candidate[proxy.Child]
	by    *balance.Rendezvous[proxy.Child]
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	client := ""
	if rec := record.From(r.Context()); rec != nil && rec.Peer != "" {
		client = rec.Peer
	} else {
		client = clientip.Peer(r).String()
	}
	child := proxy.FirstUp(func(but []proxy.Child) (proxy.Child, bool) { return s.by.Next(client, but) })
	if child == nil {
		proxy.NoServer(w, r, "no available server: none of the services has one")
		return
	}
	child.ServeHTTP(w, r)
}

// Servers implements proxy.Service: they are those of the services.
func (s *service) Servers() []proxy.ServerStatus { return nil }

// Up implements proxy.Child.
func (s *service) Up() bool { return proxy.AnyUp(s.parts) }
