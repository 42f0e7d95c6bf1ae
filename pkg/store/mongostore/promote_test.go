package mongostore

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// TestManyMoveUpByOneNumber checks that a larger capacity over a long waiting list reads one number and not
// one of each who moves up, whether or not somebody has left the list.
func TestManyMoveUpByOneNumber(t *testing.T) {
	uri := testenv.MongoDB(t)
	open(t, uri, "schema")
	var documents atomic.Int64 // that the server has returned
	s, err := connect(uri, zerolog.Nop(), options.Client().SetMonitor(&event.CommandMonitor{
		Succeeded: func(_ context.Context, e *event.CommandSucceededEvent) {
			for _, batch := range []string{"firstBatch", "nextBatch"} {
				if list, ok := e.Reply.Lookup("cursor", batch).ArrayOK(); ok {
					values, _ := list.Values()
					documents.Add(int64(len(values)))
				}
			}
		},
	}))
	if err == nil {
		err = s.identify(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	const waiting = 22_000
	e := storetest.NewWaitlistEvent(t, s, 1)
	var line []store.SeatRequest
	for len(line) < waiting {
		batch := storetest.NewRequests(e.ID, 2_000)
		storetest.MustApply(t, s, batch...)
		line = append(line, batch...)
	}
	// 21,999 wait. From the second capacity on, people have left in the middle of who moves up.
	for i, capacity := range []int64{1 + 10_001, 1 + 10_001 + 10_001} {
		if i == 1 {
			var leaving []store.SeatRequest
			for j := capacity - 1_000; j < capacity; j += 2 {
				leaving = append(leaving, storetest.NewCancel(line[j]))
			}
			storetest.MustApply(t, s, leaving...)
		}
		before := storetest.ReadEvent(t, s, e.ID)
		documents.Store(0)
		edit := storetest.NewEdit(e.ID, store.Edit{Version: store.AnyVersion, Capacity: &capacity})
		storetest.WantOutcomes(t, storetest.MustApply(t, s, edit), store.Edited)
		if n := documents.Load(); n > 10 {
			t.Errorf("%d documents were read", n)
		}
		after := storetest.ReadEvent(t, s, e.ID)
		if moved := capacity - before.Capacity; after.TicketsSold != capacity || after.Waiting != before.Waiting-moved {
			t.Errorf("%d are confirmed and %d wait, after %d moved up from %d", after.TicketsSold, after.Waiting, moved, before.Waiting)
		}
		storetest.Check(t, s, e.ID)
	}
}
