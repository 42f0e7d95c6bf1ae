package serve

import (
	"context"
	"fmt"
	"iter"

	"github.com/eventio/eventio/pkg/store"
)

// Chunk reads a part of a list that is streamed, when it is the stream's turn, within the time of a
// request. read gives everything of the store back before it returns, so that nothing of it is held
// while the part is sent.
func (a *Core) Chunk(ctx context.Context, read func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, a.Config.RequestTimeout)
	defer cancel()
	select {
	case a.throttle.reading <- struct{}{}:
		defer func() { <-a.throttle.reading }()
	case <-ctx.Done():
		return fmt.Errorf("wait to read a part of a list: %w: %w", store.ErrUnavailable, ctx.Err())
	}
	return read(ctx)
}

// Chunked returns the store as streams read it: each piece of a list is a chunk.
func (a *Core) Chunked() Store { return chunks{a.Store, a} }

// chunks is what Chunked returns.
type chunks struct {
	Store
	api *Core
}

// FindEvents finds a page of events.
func (c chunks) FindEvents(ctx context.Context, q store.EventQuery) (page store.EventPage, err error) {
	err = c.api.Chunk(ctx, func(ctx context.Context) (err error) {
		page, err = c.Store.FindEvents(ctx, q)
		return err
	})
	return page, err
}

// UserRegistrations reads a page of a user's registrations.
func (c chunks) UserRegistrations(ctx context.Context, user, before store.ID, limit int) iter.Seq2[store.UserRegistration, error] {
	return chunked(ctx, c.api, func(ctx context.Context) iter.Seq2[store.UserRegistration, error] {
		return c.Store.UserRegistrations(ctx, user, before, limit)
	})
}

// EventChanges reads a piece of the record of an event.
func (c chunks) EventChanges(ctx context.Context, event store.ID, after int64, limit int) iter.Seq2[store.ChangeRecord, error] {
	return chunked(ctx, c.api, func(ctx context.Context) iter.Seq2[store.ChangeRecord, error] {
		return c.Store.EventChanges(ctx, event, after, limit)
	})
}

// SessionHistory reads the sessions of a user.
func (c chunks) SessionHistory(ctx context.Context, user store.ID) iter.Seq2[store.Session, error] {
	return chunked(ctx, c.api, func(ctx context.Context) iter.Seq2[store.Session, error] {
		return c.Store.SessionHistory(ctx, user)
	})
}

// chunked reads a piece to its end, as a chunk, before it yields the first of it.
func chunked[T any](ctx context.Context, a *Core, read func(context.Context) iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var piece []T
		err := a.Chunk(ctx, func(ctx context.Context) error {
			for item, err := range read(ctx) {
				if err != nil {
					return err
				}
				piece = append(piece, item)
			}
			return nil
		})
		for _, item := range piece {
			if !yield(item, nil) {
				return
			}
		}
		if err != nil {
			var none T
			yield(none, err)
		}
	}
}
