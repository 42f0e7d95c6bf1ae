// Package erasure forgets people: it gives up what they have before them, through the queue like
// every change of a seat, and then erases them from the store.
package erasure

import (
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/hooks"
)

// Store is what an erasure needs of a store: every store.Store has it.
type Store interface {
	store.Accounts
	store.Webhooks
	store.Consumers
	Reader
}

// Reader finds what a person has: every store.Store does.
type Reader interface {
	FindEvents(ctx context.Context, q store.EventQuery) (store.EventPage, error)
	UserRegistrations(ctx context.Context, userID, before store.ID, limit int) iter.Seq2[store.UserRegistration, error]
}

// Requester sends seat requests to the workers: a messages.Requester does.
type Requester interface {
	Request(ctx context.Context, req messages.SeatRequest, deadline time.Time) messages.Answer
}

// ErrRefused is an outcome of a seat request after which a person is not erased yet. Erasing them
// again goes on where it stopped.
type ErrRefused struct{ Answer messages.Answer }

// Error returns the outcome.
func (e *ErrRefused) Error() string {
	return fmt.Sprintf("a worker answered %s; erasing the user again goes on from here", e.Answer.Reply.Outcome)
}

// Unwrap returns the cause of the outcome.
func (e *ErrRefused) Unwrap() error { return e.Answer.Cause }

const (
	// page is how many registrations or events are read at once.
	page = 200
	// atOnce is how many seat requests are under way.
	atOnce = 16
)

// Erase forgets a person whom by acts for. Their registrations for events that have not ended are
// cancelled, and so are their own events that have not ended: nobody could change or cancel these
// any more, and they would go on taking people. What is over stays under the id, which means nobody
// any more. It may be repeated after any error, also for somebody who is erased. cancelled is called
// with each of the events that was cancelled, also when the erasure fails. Errors: those of
// the store, and *ErrRefused.
func Erase(ctx context.Context, st Store, seats Requester, user store.ID, by messages.Actor, cancelled func(event store.ID)) error {
	if err := giveUp(ctx, st, seats, user, by, cancelled); err != nil {
		return err
	}
	if err := removeWebhooks(ctx, st, user); err != nil {
		return err
	}
	if err := st.EraseUser(ctx, user, time.Now().UTC().Truncate(time.Millisecond)); err != nil {
		return err
	}
	// What the person asked for meanwhile, on another device: their tokens have ended now.
	if err := giveUp(ctx, st, seats, user, by, cancelled); err != nil {
		return err
	}
	if err := removeWebhooks(ctx, st, user); err != nil {
		return err
	}
	return st.EraseUser(ctx, user, time.Now().UTC().Truncate(time.Millisecond)) // of these registrations too
}

// removeWebhooks forgets the webhooks of a person.
func removeWebhooks(ctx context.Context, st Store, user store.ID) error {
	owned, err := st.WebhooksOf(ctx, []store.ID{user}, false)
	for _, w := range owned {
		if err == nil {
			err = hooks.Remove(ctx, st, w.ID)
		}
	}
	return err
}

// giveUp cancels what a person has before them.
func giveUp(ctx context.Context, st Store, seats Requester, user store.ID, by messages.Actor, cancelled func(event store.ID)) error {
	now := time.Now()
	before := store.ID{}
	for {
		var cancel []messages.SeatRequest
		n := 0
		for r, err := range st.UserRegistrations(ctx, user, before, page) {
			if err != nil {
				return err
			}
			n++
			before = r.Event.ID
			if !r.Registration.Cancelled && r.Event.EndsAt.After(now) {
				cancel = append(cancel, messages.SeatRequest{
					Kind: messages.KindCancel, EventID: r.Event.ID, UserID: user, RequestID: rand.Text(), Actor: by,
				})
			}
		}
		if _, err := ask(ctx, seats, cancel); err != nil {
			return err
		}
		if n < page {
			break
		}
	}
	if by.Kind == messages.ActorPerson { // a worker takes edits of the organizer's only
		by.Kind = messages.ActorOrganizer
	}
	query := store.EventQuery{OrganizerID: user, Limit: page}
	for {
		found, err := st.FindEvents(ctx, query)
		if err != nil {
			return err
		}
		var cancel []messages.SeatRequest
		for _, e := range found.Events {
			if e.CancelledAt.IsZero() && e.EndsAt.After(now) {
				cancel = append(cancel, messages.SeatRequest{
					Kind: messages.KindEditEvent, EventID: e.ID, RequestID: rand.Text(), Actor: by,
					Edit: &store.Edit{Version: store.AnyVersion, Cancel: true},
				})
			}
		}
		edited, err := ask(ctx, seats, cancel)
		for _, event := range edited {
			cancelled(event)
		}
		if err != nil || found.Next == nil {
			return err
		}
		query.After = found.Next
	}
}

// ask sends seat requests and returns the first error, and which events were edited.
func ask(ctx context.Context, seats Requester, requests []messages.SeatRequest) (edited []store.ID, err error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(requestLimit)
	}
	var wg sync.WaitGroup
	places, failed := make(chan struct{}, atOnce), make(chan error, len(requests))
	done := make(chan store.ID, len(requests))
	for _, req := range requests {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			switch got := seats.Request(ctx, req, deadline); got.Reply.Outcome {
			case store.Edited:
				done <- req.EventID
			case store.Cancelled, store.EventCancelled, store.EventNotFound:
			default:
				failed <- &ErrRefused{got}
			}
		})
	}
	wg.Wait()
	close(failed)
	close(done)
	for event := range done {
		edited = append(edited, event)
	}
	return edited, <-failed // nil when there is none
}

// requestLimit bounds a seat request when nothing else does.
const requestLimit = 20 * time.Second
