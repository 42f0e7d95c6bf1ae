package worker

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// maxUntold bounds the batches whose news wait to be published. Those beyond are dropped: news are hints,
// and who misses one reads the store soon.
const maxUntold = 64

// announcer publishes news of what was stored, in a goroutine of its own, so that no batch and no reply
// waits for that.
type announcer struct {
	link   messages.Link
	untold chan []store.Change
	failed func(error)
	// dropped is called when the news of a batch are dropped.
	dropped func()
}

func newAnnouncer(link messages.Link, failed func(error)) *announcer {
	return &announcer{link, make(chan []store.Change, maxUntold), failed, func() {}}
}

// take notes what a batch has changed. It never blocks.
func (a *announcer) take(changes []store.Change) {
	select {
	case a.untold <- changes:
	default:
		a.dropped()
	}
}

// run publishes until ctx ends, and then what was noted before.
func (a *announcer) run(ctx context.Context) {
	for {
		select {
		case changes := <-a.untold:
			a.announce(changes)
		case <-ctx.Done():
			for {
				select {
				case changes := <-a.untold:
					a.announce(changes)
				default:
					return
				}
			}
		}
	}
}

// announce publishes the news of one batch.
func (a *announcer) announce(changes []store.Change) {
	for _, c := range changes {
		err := messages.PublishEventNews(a.link, c.After.ID, c.After.Revision)
		if users, any := peopleOf(c); any && err == nil {
			err = messages.PublishPeopleNews(a.link, c.After.ID, users)
		}
		if err != nil && !errors.Is(err, nats.ErrReconnectBufExceeded) { // NATS is away, which is logged
			a.failed(err)
		}
	}
}

// peopleOf returns whose registrations a change is about. None although there are any: they are too
// many to be named.
func peopleOf(c store.Change) (users []store.ID, any bool) {
	everybody := false
	for _, a := range c.Actions {
		if !a.UserID.IsZero() {
			users = append(users, a.UserID)
		}
		for _, n := range a.Promoted.Users {
			users = append(users, n.UserID)
		}
		everybody = everybody || a.Promoted.Count > int64(len(a.Promoted.Users))
	}
	if everybody {
		return nil, true
	}
	return users, len(users) > 0
}
