// Package loadbalancer is the service that spreads requests over servers.
package loadbalancer
