package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"
	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"

	"fairway/config/dynamic"
	"fairway/config/labels"
	"fairway/internal/dockerengine"
	"fairway/internal/secret"
)

// endpoint follows one Docker engine. Its fields below the line belong to the
// goroutine of run.
type endpoint struct {
	address string
	client  *client.Client
	config  *Config
	log     logrus.FieldLogger
	local   bool   // the engine runs on this machine
	own     string // ID of the container that fairway runs in, or its beginning

	containers map[string]known
	leaving    map[string]time.Time // told to stop, not dead yet; by ID
	host       string               // address of containers in the host's network
	self       []string             // names of the networks that fairway itself is in
	nowhere    *dynamic.Problem     // the provider's network has no container
}

// known is a container as last looked at.
type known struct {
	facts    facts
	workload *labels.Workload
}

const (
	firstRetry  = 250 * time.Millisecond
	lastRetry   = 15 * time.Second
	secondLook  = 2 * time.Second  // after subscribing, see follow
	leavingLast = 10 * time.Minute // a container that has not died by then is in service again
)

// run follows the engine until ctx ends, and connects again whenever it must.
func (e *endpoint) run(ctx context.Context, show func(view)) {
	defer e.client.Close()
	e.containers, e.leaving = map[string]known{}, map[string]time.Time{}
	pause := firstRetry
	for {
		connected, err := e.follow(ctx, show)
		if ctx.Err() != nil {
			return
		}
		if connected {
			pause = firstRetry
		}
		err = dockerengine.WithAdvice(err, e.address)
		e.log.WithError(err).WithField("retry", pause).Warn("docker engine cannot be followed; its last known state stays in force")
		show(e.view(&dynamic.Problem{
			Severity: dynamic.Error, Provider: "docker", Source: secret.URL(e.address), Blind: true,
			Reason: fmt.Sprintf("the engine cannot be followed, its last known state stays in force: %v", err),
		}))
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, lastRetry)
	}
}

func (e *endpoint) view(problem *dynamic.Problem) view {
	if problem == nil {
		problem = e.nowhere
	}
	v := view{problem: problem, workloads: make([]*labels.Workload, 0, len(e.containers))}
	for _, id := range slices.Sorted(maps.Keys(e.containers)) {
		v.workloads = append(v.workloads, e.containers[id].workload)
	}
	return v
}

// follow subscribes to the events, lists the containers and keeps what it knows
// up to date until the stream breaks. connected tells whether it got that far.
//
// The engine sends the head of its answer a moment before it has subscribed the
// client. Asking for the events of the last seconds as well, and taking a second
// full look soon after, closes that gap also when the clocks differ.
func (e *endpoint) follow(ctx context.Context, show func(view)) (connected bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	since := e.forget().Add(-secondLook)
	stream, failed := e.client.Events(ctx, events.ListOptions{
		Since:   fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond()),
		Filters: filters.NewArgs(filters.Arg("type", "container"), filters.Arg("type", "network")),
	})
	if err := e.look(ctx, nil); err != nil {
		return false, err
	}
	show(e.view(nil))
	if !e.config.Watch {
		<-ctx.Done()
		return true, ctx.Err()
	}
	e.log.Info("following the docker engine")
	arrived := dockerengine.Buffered(ctx, stream)
	look := time.NewTimer(secondLook)
	defer look.Stop()
	for {
		var changed []string // nil: look at everything
		select {
		case <-ctx.Done():
			return true, ctx.Err()
		case err := <-failed:
			if err == nil || errors.Is(err, io.EOF) {
				err = errors.New("the stream of events has ended")
			}
			return true, err
		case <-look.C:
			look.Reset(leavingLast)
		case message := <-arrived:
			if changed = e.burst(ctx, message, arrived); len(changed) == 0 {
				continue
			}
			if e.own != "" && slices.ContainsFunc(changed, func(id string) bool { return strings.HasPrefix(id, e.own) }) {
				changed = nil // our own networks decide on every address
			}
		}
		if err := e.look(ctx, changed); err != nil {
			return true, err
		}
		show(e.view(nil))
	}
}

// forget drops what was heard of containers that were told to stop: they may have
// started again meanwhile. It returns the time from which on to ask for events, so
// that what is still true is heard again.
func (e *endpoint) forget() time.Time {
	first := time.Now()
	for _, since := range e.leaving {
		if since.Before(first) && time.Since(since) < leavingLast {
			first = since
		}
	}
	clear(e.leaving)
	return first
}

// burst takes the events that are there at the moment, and returns the IDs of the
// containers that they are about.
func (e *endpoint) burst(ctx context.Context, first events.Message, stream <-chan events.Message) []string {
	changed := map[string]bool{}
	for message := first; ; {
		if id := e.concerns(ctx, message); id != "" {
			changed[id] = true
		}
		select {
		case message = <-stream:
			continue
		default:
		}
		return slices.Sorted(maps.Keys(changed))
	}
}

// concerns returns the ID of the container that an event may have changed for
// us, or "".
func (e *endpoint) concerns(ctx context.Context, m events.Message) string {
	if m.Type == events.NetworkEventType {
		if m.Action == events.ActionConnect || m.Action == events.ActionDisconnect {
			return m.Actor.Attributes["container"]
		}
		return ""
	}
	id := m.Actor.ID
	switch action := m.Action; {
	case action == events.ActionKill:
		if !e.stops(ctx, id, m.Actor.Attributes["signal"]) {
			return ""
		}
		e.leaving[id] = time.Now()
		return id
	case action == events.ActionStart, action == events.ActionDie, action == events.ActionDestroy, action == events.ActionUnPause:
		delete(e.leaving, id)
		return id
	case action == events.ActionStop, action == events.ActionPause, action == events.ActionRename, action == events.ActionUpdate,
		len(action) >= len(events.ActionHealthStatus) && action[:len(events.ActionHealthStatus)] == events.ActionHealthStatus:
		return id
	}
	return ""
}

// stops tells whether a signal sent to a container is meant to end it: one of the
// usual ones, or the one that its image declares.
func (e *endpoint) stops(ctx context.Context, id, signal string) bool {
	switch signal {
	case "15", "9", "2", "3", "6": // TERM, KILL, INT, QUIT, ABRT
		return true
	}
	info, err := e.client.ContainerInspect(ctx, id)
	if err != nil || info.Config == nil {
		return false
	}
	declared := strings.TrimPrefix(strings.ToUpper(info.Config.StopSignal), "SIG")
	return declared != "" && signal == cmp.Or(signalNumbers[declared], declared)
}

// signalNumbers are those of the less usual stop signals: httpd stops by WINCH,
// systemd by RTMIN+3.
var signalNumbers = map[string]string{"HUP": "1", "USR1": "10", "USR2": "12", "WINCH": "28", "PWR": "30", "RTMIN+3": "37"}

// look brings what is known up to date: all containers by one list, or those
// named, each by an inspection. The engine tells of some events a moment before
// its lists show them; an inspection waits for the change to be complete.
func (e *endpoint) look(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return e.list(ctx)
	}
	seen := make([]*container.InspectResponse, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inspectionsAtOnce)
	for i, id := range ids {
		group.Go(func() error {
			c, err := e.client.ContainerInspect(ctx, id)
			switch {
			case err == nil:
				seen[i] = &c
			case !cerrdefs.IsNotFound(err):
				return fmt.Errorf("inspect container %s: %w", id, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, id := range ids {
		if seen[i] == nil {
			delete(e.containers, id)
			delete(e.leaving, id)
			continue
		}
		e.containers[id] = e.understand(inspected(seen[i]), e.containers[id])
	}
	e.lend()
	return nil
}

const inspectionsAtOnce = 8

func (e *endpoint) list(ctx context.Context) error {
	listed, err := e.client.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	all := make([]facts, len(listed))
	for i := range listed {
		all[i] = summarized(&listed[i])
	}
	e.prepare(ctx, all)
	e.checkNetwork(all)
	// Those that use the network of another come behind it.
	slices.SortStableFunc(all, func(a, b facts) int { return cmp.Compare(len(a.lender()), len(b.lender())) })
	before := e.containers
	e.containers = make(map[string]known, len(all))
	for _, f := range all {
		e.containers[f.id] = e.understand(f, before[f.id])
	}
	return nil
}
