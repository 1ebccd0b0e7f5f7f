package labels

import (
	"errors"
	"fmt"
	"net"

	"fairway/config/dynamic"
	"fairway/internal/oneof"
	"fairway/proxy/tcp"
	"fairway/proxy/udp"
)

// streams completes what a workload says of TCP and UDP: the servers of its services are the workload itself, and a
// router without a service has the only one. A workload with a router and no service gets one under its own name.
func (d *Decoder) streams(s *share) {
	if len(s.tcp.Routers) > 0 && len(s.tcp.Services) == 0 {
		s.tcp.Services = map[string]*dynamic.TCPService{s.defaultName(): {}}
	}
	for name, svc := range s.tcp.Services {
		if _, _, err := oneof.Of(svc); errors.Is(err, oneof.ErrNone) {
			svc.LoadBalancer = &tcp.LoadBalancer{}
		}
		if svc.LoadBalancer != nil {
			s.blame(dynamic.KindTCPService, name, d.tcpServer(s, name, svc.LoadBalancer))
		}
	}
	for name, r := range s.tcp.Routers {
		if r.Service == "" {
			r.Service = sole(s, "tcp", dynamic.KindTCPRouter, name, s.tcp.Services)
		}
	}
	if len(s.udp.Routers) > 0 && len(s.udp.Services) == 0 {
		s.udp.Services = map[string]*dynamic.UDPService{s.defaultName(): {}}
	}
	for name, svc := range s.udp.Services {
		if _, _, err := oneof.Of(svc); errors.Is(err, oneof.ErrNone) {
			svc.LoadBalancer = &udp.LoadBalancer{}
		}
		if svc.LoadBalancer != nil {
			s.blame(dynamic.KindUDPService, name, d.udpServer(s, name, svc.LoadBalancer))
		}
	}
	for name, r := range s.udp.Routers {
		if r.Service == "" {
			r.Service = sole(s, "udp", dynamic.KindUDPRouter, name, s.udp.Services)
		}
	}
}

func (s *share) blame(kind, name string, err error) {
	if err != nil {
		s.problems = append(s.problems, dynamic.Problem{Severity: dynamic.Error, Kind: kind, Name: name, Reason: err.Error()})
	}
}

// sole is the only service of a workload.
func sole[T any](s *share, protocol, kind, router string, services map[string]*T) string {
	if len(services) == 1 {
		for name := range services {
			return name
		}
	}
	s.problems = append(s.problems, dynamic.Problem{
		Severity: dynamic.Error, Kind: kind, Name: router, Disables: true,
		Reason: fmt.Sprintf("the %s declares several services: say which with the label %s.routers.%s.service", s.workload.thing(), protocol, router),
	})
	return ""
}

func (d *Decoder) tcpServer(s *share, name string, lb *tcp.LoadBalancer) (err error) {
	var srv tcp.Server
	if len(lb.Servers) > 0 {
		srv = lb.Servers[0]
	}
	lb.Servers = nil
	if !s.workload.Ready {
		return nil // known, and kept without a server
	}
	if srv.Address, err = d.address(s, "tcp", name, srv.Address, srv.Port); err != nil {
		return err
	}
	srv.Port = ""
	lb.Servers = []tcp.Server{srv}
	return nil
}

func (d *Decoder) udpServer(s *share, name string, lb *udp.LoadBalancer) (err error) {
	var srv udp.Server
	if len(lb.Servers) > 0 {
		srv = lb.Servers[0]
	}
	lb.Servers = nil
	if !s.workload.Ready {
		return nil
	}
	if srv.Address, err = d.address(s, "udp", name, srv.Address, srv.Port); err != nil {
		return err
	}
	srv.Port = ""
	lb.Servers = []udp.Server{srv}
	return nil
}

// address is that of the workload, at the port that a label says, or its lowest one.
func (d *Decoder) address(s *share, protocol, service, declared, port string) (string, error) {
	switch {
	case declared != "" && port != "":
		return "", errors.New("server.address is given, and server.port too: write either the one or the other")
	case declared != "":
		return declared, nil
	}
	host, number, err := d.hostPort(s, protocol, service, port)
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(host, number), nil
}
