package labels

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"fairway/config/dynamic"
	"fairway/internal/oneof"
	"fairway/proxy/loadbalancer"
)

// services gives every service of the share its server: the workload itself.
// A workload that declares none gets one under its own name.
func (d *Decoder) services(s *share) {
	declared := len(s.Services) > 0
	if !declared && len(s.Routers) == 0 && s.workload.Self {
		return
	}
	if !declared {
		s.Services[s.defaultName()] = &dynamic.Service{}
	}
	for name, svc := range s.Services {
		if svc.LoadBalancer == nil {
			if _, _, err := svc.Kind(); !errors.Is(err, oneof.ErrNone) {
				continue // it is made of other services
			}
			svc.LoadBalancer = &loadbalancer.Config{}
		}
		err := d.addServer(s, name, svc.LoadBalancer)
		switch {
		case err == nil:
		case declared || s.needs(name):
			s.problems = append(s.problems, dynamic.Problem{
				Severity: dynamic.Error,
				Kind:     dynamic.KindService, Name: name, Reason: err.Error(),
			})
		default:
			delete(s.Services, name) // nobody asked for it
		}
	}
}

// addServer completes the server of a load balancer, or takes it away.
func (d *Decoder) addServer(s *share, name string, lb *loadbalancer.Config) error {
	var srv loadbalancer.Server
	if len(lb.Servers) > 0 {
		srv = lb.Servers[0]
	}
	lb.Servers = nil
	if !s.workload.Ready {
		return nil // known, and kept without a server
	}
	address, err := d.serverURL(s, name, srv)
	if err != nil {
		return err
	}
	srv.URL, srv.Port, srv.Scheme = address, "", ""
	if srv.Weight == nil {
		srv.Weight = s.workload.Weight
	}
	lb.Servers = []loadbalancer.Server{srv}
	return nil
}

func (d *Decoder) serverURL(s *share, service string, srv loadbalancer.Server) (string, error) {
	if srv.URL != "" {
		if srv.Port != "" || srv.Scheme != "" {
			return "", errors.New("server.url is given, and server.port or server.scheme too: write either the one or the others")
		}
		return srv.URL, nil
	}
	scheme := srv.Scheme
	if scheme == "" {
		scheme = "http"
	}
	host, port, err := d.hostPort(s, "http", service, srv.Port)
	if err != nil {
		return "", err
	}
	return scheme + "://" + net.JoinHostPort(host, port), nil
}

func (d *Decoder) hostPort(s *share, protocol, service, declared string) (host, port string, err error) {
	w := s.workload
	if declared == "" && len(w.Ports) == 0 {
		return "", "", fmt.Errorf("no port is known: the %s exposes none; say which with the label %s.services.%s.loadbalancer.server.port", w.thing(), protocol, service)
	}
	if declared == "" && len(w.Ports) > 1 && s.faultyServer(protocol, service) {
		return "", "", fmt.Errorf("no server is added: a label for it is wrong, and the %s exposes %d ports", w.thing(), len(w.Ports))
	}
	number := lowest(w.Ports)
	if declared != "" {
		if number, err = strconv.Atoi(declared); err != nil || number < 1 || number > 65535 {
			return "", "", fmt.Errorf("server.port: %q is not a port from 1 to 65535", declared)
		}
	}
	if d.options.UseBindPortIP || w.Address == "" {
		for _, p := range w.Ports {
			if p.Number == number && p.HostPort != 0 && p.HostIP != "" && p.HostIP != "0.0.0.0" && p.HostIP != "::" {
				return p.HostIP, strconv.Itoa(p.HostPort), nil
			}
		}
	}
	if w.Address == "" {
		return "", "", fmt.Errorf("the %s has no address that can be reached: it is in no network", w.thing())
	}
	return w.Address, strconv.Itoa(number), nil
}

// faultyServer tells whether a label about the server of a service was wrong.
func (s *share) faultyServer(protocol, service string) bool {
	kind := map[string]string{"http": dynamic.KindService, "tcp": dynamic.KindTCPService, "udp": dynamic.KindUDPService}[protocol]
	for _, p := range s.problems {
		if p.Kind == kind && p.Name == service && strings.Contains(strings.ToLower(p.Key), ".loadbalancer.server") {
			return true
		}
	}
	return false
}

func lowest(ports []Port) int {
	low := 0
	for _, p := range ports {
		if low == 0 || p.Number < low {
			low = p.Number
		}
	}
	return low
}

// needs tells whether a router will be linked to the automatic service.
func (s *share) needs(service string) bool {
	for _, r := range s.Routers {
		if r.Service == "" || r.Service == service {
			return true
		}
	}
	return len(s.Routers) == 0 && len(s.Middlewares) == 0 && len(s.workload.Control.labels) > 0
}

// routers gives every router of the share its rule and service. A workload that
// declares none gets one under its own name.
func (d *Decoder) routers(s *share) {
	if len(s.Routers) == 0 {
		if s.workload.Self {
			return // requests would go round in circles
		}
		if len(s.Services) > 1 {
			s.problems = append(s.problems, dynamic.Problem{
				Severity: dynamic.Notice,
				Reason:   "the " + s.workload.thing() + " declares several services and no router: no route is made",
			})
			return
		}
		if !s.hasServer() && !s.workload.Control.AllowNonRunning && s.workload.Ready {
			return // nothing could answer; the problem of the service says why
		}
		s.Routers[s.defaultName()] = &dynamic.Router{}
	}
	for name, r := range s.Routers {
		if r.Rule == "" {
			rule, err := d.defaultRule(s.workload)
			if err != nil {
				s.disable(name, "the default rule cannot be made: "+err.Error())
			}
			r.Rule = rule
		}
		if r.Service == "" {
			s.link(name, r)
		}
	}
}

func (s *share) hasServer() bool {
	for _, svc := range s.Services {
		if svc.LoadBalancer == nil || len(svc.LoadBalancer.Servers) > 0 {
			return true // one that is made of others has theirs
		}
	}
	return false
}

// link points a router at the sole service.
func (s *share) link(name string, r *dynamic.Router) {
	if len(s.Services) > 1 {
		s.disable(name, "the "+s.workload.thing()+" declares several services: say which with the label http.routers."+name+".service")
		return
	}
	for service := range s.Services {
		r.Service = service
		s.linked[name] = true
	}
}

func (s *share) disable(router, reason string) {
	s.problems = append(s.problems, dynamic.Problem{
		Severity: dynamic.Error,
		Kind:     dynamic.KindRouter, Name: router, Reason: reason, Disables: true,
	})
}

func (s *share) defaultName() string { return Normalize(s.workload.Name) }
