package lists

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// testRefusals checks that counts add up, whoever adds at the same time, and that each event and minute has its own.
func testRefusals(t *testing.T, target storetest.Target) {
	a, b := target.Store, target.Again(t)
	event, other := store.NewID(), store.NewID()
	minute := time.Now().UTC().Truncate(time.Minute)
	of := func(event store.ID, ago, n int64) store.RefusedMinute {
		return store.RefusedMinute{EventID: event, At: minute.Add(-time.Duration(ago) * time.Minute), Refused: n}
	}
	add := func(t *testing.T, s store.Store, counted ...store.RefusedMinute) {
		t.Helper()
		if err := s.AddRefusals(storetest.Context(t), counted); err != nil {
			t.Error(err)
		}
	}
	want := func(t *testing.T, s store.Store, event store.ID, since int64, want ...store.RefusedMinute) {
		t.Helper()
		got, err := s.RefusedMinutes(storetest.Context(t), event, minute.Add(-time.Duration(since)*time.Minute))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("since %d minutes ago: %v, %v, want %v", since, got, err, want)
		}
	}
	add(t, a)
	want(t, a, event, 60)
	add(t, a, of(event, 2, 5), of(event, 0, 1), of(other, 1, 100))
	add(t, b, of(event, 2, 3), of(event, 70, 1))
	want(t, b, event, 60, of(event, 2, 8), of(event, 0, 1))
	want(t, a, event, 2, of(event, 2, 8), of(event, 0, 1))
	want(t, a, event, 1, of(event, 0, 1))
	want(t, a, event, -1)
	want(t, a, other, 60, of(other, 1, 100))
	want(t, a, event, 600, of(event, 70, 1), of(event, 2, 8), of(event, 0, 1))
	var adding sync.WaitGroup
	for i := range 20 {
		adding.Go(func() { add(t, []store.Store{a, b}[i%2], of(event, 0, 1), of(other, int64(30+i), 2)) })
	}
	adding.Wait()
	want(t, b, event, 0, of(event, 0, 21))
	if _, err := a.ForgetKeys(storetest.Context(t)); err != nil {
		t.Fatal(err)
	}
	want(t, b, event, 1, of(event, 0, 21))
}
