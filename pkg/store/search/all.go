package search

import (
	"context"
	"iter"

	"github.com/eventio/eventio/pkg/store"
)

// AllEvents reads all events that q selects, page by page, in bounded memory; q.Limit is the size
// of a page. An event whose StartsAt changes during the reading may be left out, or be read twice.
// AllEvents yields an error at most once, as the last element.
func AllEvents(ctx context.Context, from store.Events, q store.EventQuery) iter.Seq2[store.Event, error] {
	return func(yield func(store.Event, error) bool) {
		for {
			page, err := from.FindEvents(ctx, q)
			if err != nil {
				yield(store.Event{}, err)
				return
			}
			for _, e := range page.Events {
				if !yield(e, nil) {
					return
				}
			}
			if page.Next == nil {
				return
			}
			q.After = page.Next
		}
	}
}
