package lists

import (
	"errors"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// testEntered: an event and who has a row in it are read together, whether a row is cancelled or not.
func testEntered(t *testing.T, target storetest.Target) {
	s := target.Store
	event, other := storetest.NewEvent(t, s, 3), storetest.NewEvent(t, s, 9)
	batch := storetest.NewRequests(event.ID, 5) // the last two are refused, and have no row
	storetest.MustApply(t, s, append(slices.Clone(batch), storetest.NewRequest(other.ID))...)
	nobody := storetest.WithKey(storetest.NewCancel(storetest.NewRequest(event.ID)))
	storetest.MustApply(t, s, storetest.NewCancel(batch[1]), nobody) // one is remembered who never had a seat
	want := []store.NumberedUser{
		{Number: 1, UserID: batch[0].UserID}, {Number: 2, UserID: batch[1].UserID}, {Number: 3, UserID: batch[2].UserID}, {Number: 4, UserID: nobody.UserID},
	}
	now := storetest.ReadEvent(t, s, event.ID)
	for name, c := range map[string]struct {
		after int64
		limit int
		want  []store.NumberedUser
	}{
		"everybody":          {0, 100, want},
		"as many as asked":   {0, 4, want},
		"the first":          {0, 2, want[:2]},
		"the next":           {2, 1, want[2:3]},
		"those of the end":   {2, 100, want[2:]},
		"nobody is left":     {4, 100, nil},
		"beyond all numbers": {math.MaxInt64, 1, nil},
	} {
		e, got, err := s.Entered(storetest.Context(t), event.ID, c.after, c.limit)
		if err != nil || !e.Equal(now) || !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, %v, %v; want %v of %+v", name, e, got, err, c.want, now)
		}
	}
	if _, got, err := s.Entered(storetest.Context(t), store.NewID(), 0, 1); !errors.Is(err, store.ErrEventNotFound) || got != nil {
		t.Errorf("of an event that there is not: %v, %v", got, err)
	}
	t.Run("at one moment", func(t *testing.T) { testEnteredAtOneMoment(t, s, target.Again(t)) })
}

// testEnteredAtOneMoment reads while people come in: each time everybody is there up to the last number that the event has, and nobody
// else.
func testEnteredAtOneMoment(t *testing.T, writer, reader store.Store) {
	event := storetest.NewEvent(t, writer, 10_000)
	var crowd sync.WaitGroup
	defer crowd.Wait()
	crowd.Go(func() {
		for range 60 {
			if _, err := writer.Apply(storetest.Context(t), storetest.NewRequests(event.ID, 5)); err != nil {
				t.Error(err)
			}
		}
	})
	for last := int64(0); last < 300 && !t.Failed(); {
		e, users, err := reader.Entered(storetest.Context(t), event.ID, 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if int64(len(users)) != e.LastNumber || e.TicketsSold != e.LastNumber || e.LastNumber < last {
			t.Fatalf("%d people are there, the event has given %d numbers, and had given %d", len(users), e.LastNumber, last)
		}
		last = e.LastNumber
	}
}
