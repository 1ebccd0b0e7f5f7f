package dockerengine

import (
	"context"

	"github.com/docker/docker/api/types/events"
)

// Buffered takes events as they come, so that those of one burst are found
// together.
func Buffered(ctx context.Context, stream <-chan events.Message) <-chan events.Message {
	arrived := make(chan events.Message, 1024)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case message := <-stream:
				select {
				case <-ctx.Done():
					return
				case arrived <- message:
				}
			}
		}
	}()
	return arrived
}
