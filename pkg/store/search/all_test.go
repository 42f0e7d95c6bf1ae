package search_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/search"
)

// paged has three pages of events: of two, of none, and of one; then it fails, if it shall.
type paged struct {
	store.Events
	reads int
	fails error
}

func (p *paged) FindEvents(_ context.Context, q store.EventQuery) (store.EventPage, error) {
	p.reads++
	event := func(n byte) store.Event { return store.Event{ID: store.ID{n}} }
	next := func(n byte) *store.EventCursor { return &store.EventCursor{ID: store.ID{n}} }
	switch {
	case q.Limit != 7:
		return store.EventPage{}, fmt.Errorf("a page of %d", q.Limit)
	case q.After == nil:
		return store.EventPage{Events: []store.Event{event(1), event(2)}, Next: next(2)}, nil
	case q.After.ID == store.ID{2}:
		return store.EventPage{Next: next(3)}, nil
	case q.After.ID == store.ID{3} && p.fails == nil:
		return store.EventPage{Events: []store.Event{event(4)}}, nil
	}
	return store.EventPage{}, p.fails
}

func TestAllEventsReadsPageByPage(t *testing.T) {
	for name, c := range map[string]struct {
		fails             error
		stop, want, reads int
	}{
		"all": {nil, 0, 3, 3}, "the first": {nil, 1, 1, 1}, "the last": {nil, 3, 3, 3}, "a page that fails": {store.ErrUnavailable, 0, 2, 3},
	} {
		p := &paged{fails: c.fails}
		n := 0
		var failed error
		for e, err := range search.All(t.Context(), p, store.EventQuery{Limit: 7}) {
			if failed != nil {
				t.Errorf("%s: it goes on after an error", name)
			}
			if failed = err; err != nil {
				continue
			}
			if n++; n < 3 && e.ID != (store.ID{byte(n)}) || n == 3 && e.ID != (store.ID{4}) {
				t.Errorf("%s: event %d is %s", name, n, e.ID.Hex())
			}
			if n == c.stop {
				break
			}
		}
		if n != c.want || p.reads != c.reads || !errors.Is(failed, c.fails) {
			t.Errorf("%s: %d events by %d reads, %v", name, n, p.reads, failed)
		}
	}
}
