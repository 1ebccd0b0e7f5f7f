package swarm

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"

	"fairway/internal/dockerengine"
	"fairway/providers"
)

// The events of a manager tell of services and nodes of the whole swarm, but of tasks only
// through the containers of its own machine. So an event is the beginning of a series of
// looks, the first at once, each pause twice the one before up to refreshSeconds; whatever is
// different begins a series anew. That is close to what happens while something does, and
// costs little when nothing does, also with tasks on other machines.

// shortestPause is that between the first two looks after a change.
const shortestPause = 50 * time.Millisecond

// follow keeps what is published up to date until the stream of events breaks, or a look
// fails. connected tells whether it got as far as one look.
func (p *provider) follow(ctx context.Context, publish providers.Publish) (connected bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, failed := p.client.Events(ctx, events.ListOptions{Filters: filters.NewArgs(
		filters.Arg("type", "service"), filters.Arg("type", "node"), filters.Arg("type", "container"),
	)})
	if _, err := p.look(ctx, publish); err != nil {
		return false, err
	}
	if !p.config.Watch {
		<-ctx.Done()
		return true, ctx.Err()
	}
	p.log.Info("following the swarm")
	arrived := dockerengine.Buffered(ctx, stream)
	pause := shortestPause
	next := time.NewTimer(pause)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return true, ctx.Err()
		case err := <-failed:
			if err == nil || errors.Is(err, io.EOF) {
				err = errors.New("the stream of events has ended")
			}
			return true, err
		case message := <-arrived:
			if !p.burst(message, arrived) {
				continue
			}
			pause = shortestPause
		case <-next.C:
			pause = min(2*pause, time.Duration(p.config.RefreshSeconds))
		}
		changed, err := p.look(ctx, publish)
		if err != nil {
			return true, err
		}
		if changed {
			pause = shortestPause
		}
		next.Reset(min(pause, time.Duration(p.config.RefreshSeconds)))
	}
}

// burst takes the events that are there at the moment, and tells whether one of them may
// have changed something for us.
func (p *provider) burst(first events.Message, stream <-chan events.Message) (concerned bool) {
	for message := first; ; {
		concerned = p.concerns(message) || concerned
		select {
		case message = <-stream:
			continue
		default:
		}
		return concerned
	}
}

// concerns tells whether an event may have changed something for us. Of containers those of
// tasks are meant; one that is told to stop leaves.
func (p *provider) concerns(m events.Message) bool {
	if m.Type != events.ContainerEventType {
		return true
	}
	task := m.Actor.Attributes["com.docker.swarm.task.id"]
	if task == "" {
		return false
	}
	switch m.Action {
	case events.ActionKill:
		switch m.Actor.Attributes["signal"] {
		case "15", "9", "2", "3", "6": // TERM, KILL, INT, QUIT, ABRT
			p.leaving[task] = time.Now()
			return true
		}
		return false
	case events.ActionStart, events.ActionDie:
		return true
	}
	return strings.HasPrefix(string(m.Action), string(events.ActionHealthStatus))
}
