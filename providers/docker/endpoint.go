package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"
	"github.com/sirupsen/logrus"

	"fairway/config/dynamic"
	"fairway/config/labels"
)

// endpoint follows one Docker engine. Its fields below the line belong to the
// goroutine of run.
type endpoint struct {
	address string
	client  *client.Client
	config  *Config
	log     logrus.FieldLogger
	local   bool // the engine runs on this machine

	containers map[string]known
	leaving    map[string]time.Time // told to stop, not dead yet; by ID
	host       string               // address of containers in the host's network
	self       []string             // names of the networks that fairway itself is in
}

// known is a container as last listed.
type known struct {
	summary  container.Summary
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
		e.log.WithError(err).WithField("retry", pause).Warn("docker engine cannot be followed; its last known state stays in force")
		show(e.view(&dynamic.Problem{Severity: dynamic.Error, Provider: "docker", Source: e.address,
			Reason: fmt.Sprintf("the engine cannot be followed, its last known state stays in force: %v", err)}))
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, lastRetry)
	}
}

func (e *endpoint) view(problem *dynamic.Problem) view {
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
	since := time.Now().Add(-secondLook)
	stream, failed := e.client.Events(ctx, events.ListOptions{
		Since:   fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond()),
		Filters: filters.NewArgs(filters.Arg("type", "container"), filters.Arg("type", "network")),
	})
	if err := e.list(ctx, nil); err != nil {
		return false, errors.Join(err, pending(failed))
	}
	show(e.view(nil))
	if !e.config.Watch {
		<-ctx.Done()
		return true, ctx.Err()
	}
	e.log.Info("following the docker engine")
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
		case message := <-stream:
			if changed = e.burst(ctx, message, stream); len(changed) == 0 {
				continue
			}
		}
		if err := e.list(ctx, changed); err != nil {
			return true, err
		}
		show(e.view(nil))
	}
}

// pending returns the error that waits in the channel, if any.
func pending(failed <-chan error) error {
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
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

// stops tells whether a signal sent to a container is meant to end it.
func (e *endpoint) stops(ctx context.Context, id, signal string) bool {
	switch signal {
	case "15", "9", "2", "3", "6": // TERM, KILL, INT, QUIT, ABRT
		return true
	case "1", "10", "12": // HUP, USR1, USR2: reload, reopen logs
		return false
	}
	info, err := e.client.ContainerInspect(ctx, id)
	return err == nil && info.Config != nil && signalNumbers[info.Config.StopSignal] == signal
}

// signalNumbers are the less usual stop signals of images (httpd stops by WINCH,
// systemd by RTMIN+3).
var signalNumbers = map[string]string{"SIGWINCH": "28", "WINCH": "28", "28": "28", "SIGRTMIN+3": "37", "RTMIN+3": "37", "37": "37", "SIGPWR": "30", "30": "30"}

// manyChanges is the number of containers from which on one full list is asked
// for instead of the changed ones by their IDs.
const manyChanges = 32

// list brings what is known up to date: of the containers named, or of all when
// none is named.
func (e *endpoint) list(ctx context.Context, ids []string) error {
	all := len(ids) == 0 || len(ids) > manyChanges
	options := container.ListOptions{All: true}
	if !all {
		options.Filters = filters.NewArgs()
		for _, id := range ids {
			options.Filters.Add("id", id)
		}
	}
	listed, err := e.client.ContainerList(ctx, options)
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	if all {
		e.prepare(ctx, listed)
	}
	fresh := make(map[string]known, len(listed))
	for _, s := range listed {
		fresh[s.ID] = e.understand(s)
	}
	if all {
		e.containers = fresh
		return nil
	}
	for _, id := range ids {
		if k, ok := fresh[id]; ok {
			e.containers[id] = k
		} else {
			delete(e.containers, id)
		}
	}
	return nil
}
