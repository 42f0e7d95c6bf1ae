package seats

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/search"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/pkg/store/storetest/relay"
)

// testDeletion checks that a deleted event is gone with all its registrations and is remembered, and
// that whoever asks meanwhile gets a definite answer.
func testDeletion(t *testing.T, target storetest.Target) {
	s, again := target.Store, target.Again(t)
	at := storetest.Now().Add(time.Hour)
	cancel := func(id store.ID) store.SeatRequest {
		return storetest.NewEdit(id, store.Edit{Version: store.AnyVersion, Cancel: true})
	}
	wantGone := func(t *testing.T, e store.Event, numbers int64) {
		t.Helper()
		if rows := storetest.Collect(t, again.EventChanges(storetest.Context(t), e.ID, 0, 0)); len(rows) > 0 {
			t.Errorf("%d rows of its record are left", len(rows))
		}
		if _, err := again.Event(storetest.Context(t), e.ID); !errors.Is(err, store.ErrEventNotFound) {
			t.Errorf("reading it: %v", err)
		}
		for r, err := range again.Roster(storetest.Context(t), e.ID, 0, 1<<40, 0) {
			t.Fatalf("it still has %+v, %v", r, err)
		}
		page, err := again.FindEvents(storetest.Context(t), store.EventQuery{OrganizerID: e.OrganizerID, Words: search.Words("concert")})
		if err != nil || len(page.Events) != 0 {
			t.Errorf("a search finds %+v, %v", page, err)
		}
		want := store.DeletedEvent{ID: e.ID, OrganizerID: e.OrganizerID, Registrations: numbers, DeletedAt: at}
		if got, err := again.DeletedEvent(storetest.Context(t), e.ID); err != nil || got != want {
			t.Errorf("remembered is %+v, %v; want %+v", got, err, want)
		}
	}
	t.Run("with more registrations than are removed at once", func(t *testing.T) {
		e := storetest.NewWaitlistEvent(t, s, store.DeleteBatch)
		crowd := storetest.NewRequests(e.ID, 2*store.DeleteBatch+10)
		storetest.MustApply(t, s, crowd...)
		other := storetest.NewEvent(t, s, 5)
		bystander := storetest.NewRequest(other.ID)
		bystander.UserID = crowd[0].UserID
		storetest.MustApply(t, s, storetest.NewCancel(crowd[1]), storetest.WithKey(storetest.NewCancel(storetest.NewRequest(e.ID))), bystander, cancel(e.ID))
		last := storetest.ReadEvent(t, s, e.ID).LastNumber
		hook := relay.NewWebhook(e.OrganizerID, "https://example.org")
		if err := errors.Join(s.CreateWebhook(storetest.Context(t), hook), s.MarkWebhooks(storetest.Context(t), []store.WebhookMark{
			{WebhookID: hook.ID, EventID: e.ID, Told: 1, Due: 2}, {WebhookID: hook.ID, EventID: other.ID, Told: 1, Due: 2},
		})); err != nil {
			t.Fatal(err)
		}
		got, err := s.DeleteEvent(storetest.Context(t), e.ID, at)
		if err != nil || got.Registrations != last || got.OrganizerID != e.OrganizerID {
			t.Fatalf("%+v, %v", got, err)
		}
		wantGone(t, e, last)
		if marks, err := s.DueMarks(storetest.Context(t), hook.ID, store.ID{}, 10); err != nil || len(marks) != 1 || marks[0].EventID != other.ID {
			t.Errorf("the marks of a webhook are %+v, %v", marks, err)
		}
		if rows := storetest.Check(t, s, other.ID); len(rows) != 1 {
			t.Errorf("another event has %d registrations", len(rows))
		}
		if _, err := s.DeleteEvent(storetest.Context(t), e.ID, at.Add(time.Hour)); !errors.Is(err, store.ErrEventNotFound) {
			t.Errorf("deleted again: %v", err)
		}
		wantGone(t, e, last)
		for _, s := range []store.Store{s, again} { // one of them remembers the event's last state
			storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewRequest(e.ID), crowd[0], storetest.NewCancel(crowd[0]), cancel(e.ID)),
				store.EventNotFound, store.EventNotFound, store.EventNotFound, store.EventNotFound)
		}
	})
	t.Run("interrupted, it is sound, and goes on", func(t *testing.T) {
		e := storetest.NewWaitlistEvent(t, s, store.DeleteBatch)
		storetest.MustApply(t, s, storetest.NewRequests(e.ID, 3*store.DeleteBatch)...)
		storetest.MustApply(t, s, cancel(e.ID))
		before := storetest.ReadEvent(t, s, e.ID)
		for range 200 {
			ctx, stop := context.WithCancel(storetest.Context(t))
			var done sync.WaitGroup
			var err error
			done.Go(func() { _, err = again.DeleteEvent(ctx, e.ID, at) })
			for { // interrupt it between two parts
				now, failed := s.Event(storetest.Context(t), e.ID)
				if failed != nil || now.Revision > before.Revision {
					break
				}
			}
			stop()
			done.Wait()
			now, failed := s.Event(storetest.Context(t), e.ID)
			if failed != nil {
				break // it was faster
			}
			if err == nil {
				t.Fatal("it is there, and was said to be deleted")
			}
			storetest.Check(t, s, e.ID)
			storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewRequest(e.ID)), store.EventCancelled)
			before = now
		}
		if _, err := again.DeleteEvent(storetest.Context(t), e.ID, at); err != nil && !errors.Is(err, store.ErrEventNotFound) {
			t.Fatal(err)
		}
		if _, err := again.DeletedEvent(storetest.Context(t), e.ID); err != nil {
			t.Error(err)
		}
	})
	t.Run("beside people who come and go, everybody is answered", func(t *testing.T) {
		e := storetest.NewWaitlistEvent(t, s, 50)
		crowd := storetest.NewRequests(e.ID, 200)
		storetest.MustApply(t, s, crowd...)
		storetest.MustApply(t, s, cancel(e.ID))
		var people sync.WaitGroup
		for i := range 8 {
			people.Go(func() {
				st := []store.Store{s, again}[i%2]
				for n := range 20 {
					results := storetest.MustApply(t, st, storetest.NewRequest(e.ID), storetest.WithKey(storetest.NewCancel(crowd[i*20+n])), storetest.WithKey(storetest.NewCancel(storetest.NewRequest(e.ID))))
					for k, want := range []store.Outcome{store.EventCancelled, store.Cancelled, store.Cancelled} {
						if got := results[k].Outcome; got != want && got != store.EventNotFound {
							t.Errorf("request %d is %s", k, got)
						}
					}
				}
			})
		}
		if _, err := s.DeleteEvent(storetest.Context(t), e.ID, at); err != nil {
			t.Error(err)
		}
		people.Wait()
		if d, err := s.DeletedEvent(storetest.Context(t), e.ID); err != nil {
			t.Error(err)
		} else {
			wantGone(t, e, d.Registrations)
		}
	})
	t.Run("one that is not cancelled", func(t *testing.T) {
		e := storetest.NewEvent(t, s, 5)
		storetest.MustApply(t, s, storetest.NewRequest(e.ID))
		if _, err := s.DeleteEvent(storetest.Context(t), e.ID, at); !errors.Is(err, store.ErrNotCancelled) || !errors.Is(err, store.ErrNothingStored) {
			t.Errorf("error is %v", err)
		}
		if rows := storetest.Check(t, s, e.ID); len(rows) != 1 {
			t.Errorf("it has %d registrations", len(rows))
		}
	})
	t.Run("one that there never was", func(t *testing.T) {
		if _, err := s.DeleteEvent(storetest.Context(t), store.NewID(), at); !errors.Is(err, store.ErrEventNotFound) {
			t.Errorf("error is %v", err)
		}
		if _, err := s.DeletedEvent(storetest.Context(t), store.NewID()); !errors.Is(err, store.ErrEventNotFound) {
			t.Errorf("error is %v", err)
		}
	})
}
