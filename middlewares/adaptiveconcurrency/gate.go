package adaptiveconcurrency

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

// gate lets as many requests of one service in as the limit says. The others wait in a line, the
// first one to come is the first one to go.
type gate struct {
	mu       sync.Mutex
	limit    limit
	underWay int
	waiting  list.List // of chan struct{}, closed when it is one's turn

	used time.Time // when one was over last

	passed, refused uint64
}

func (g *gate) unusedSince(moment time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.underWay == 0 && g.used.Before(moment)
}

var (
	errFull = errors.New("the service has as many requests as it can serve")
	errLate = errors.New("it was not the turn of the request within queueTimeout")
)

// enter waits for the turn of a request.
func (g *gate) enter(ctx context.Context, c *Config) error {
	g.mu.Lock()
	if g.underWay < g.limit.most(c) && g.waiting.Len() == 0 {
		g.underWay++
		g.passed++
		g.mu.Unlock()
		return nil
	}
	if g.waiting.Len() >= c.Queue {
		g.refused++
		g.mu.Unlock()
		return errFull
	}
	turn := make(chan struct{})
	place := g.waiting.PushBack(turn)
	g.mu.Unlock()
	timer := time.NewTimer(time.Duration(c.QueueTimeout))
	defer timer.Stop()
	select {
	case <-turn:
		return nil
	case <-timer.C:
		return g.giveUp(place, turn, errLate)
	case <-ctx.Done():
		return g.giveUp(place, turn, ctx.Err())
	}
}

// giveUp takes a request out of the line, unless its turn has come meanwhile.
func (g *gate) giveUp(place *list.Element, turn chan struct{}, why error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-turn:
		return nil
	default:
	}
	g.waiting.Remove(place)
	g.refused++
	return why
}

// tell has the limit follow the time that a request took.
func (g *gate) tell(now time.Time, took time.Duration, c *Config) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limit.add(now, took, g.underWay, c)
	g.callIn(c)
}

// leave is for a request that is over.
func (g *gate) leave(c *Config) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.underWay--
	g.used = time.Now()
	g.callIn(c)
}

// callIn lets those in for whom there is room. The lock is held.
func (g *gate) callIn(c *Config) {
	for g.underWay < g.limit.most(c) && g.waiting.Len() > 0 {
		turn, _ := g.waiting.Remove(g.waiting.Front()).(chan struct{})
		g.underWay++
		g.passed++
		close(turn)
	}
}
