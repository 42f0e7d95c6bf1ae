package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// testDeletion checks that a deleted event is gone with all its registrations and is remembered, and
// that whoever asks meanwhile gets a definite answer.
func testDeletion(t *testing.T, target Target) {
	s, again := target.Store, target.Again(t)
	at := now.Add(time.Hour)
	cancel := func(id store.ID) store.SeatRequest {
		return NewEdit(id, store.Edit{Version: store.AnyVersion, Cancel: true})
	}
	wantGone := func(t *testing.T, e store.Event, numbers int64) {
		t.Helper()
		if rows := Collect(t, again.EventChanges(Context(t), e.ID, 0, 0)); len(rows) > 0 {
			t.Errorf("%d rows of its record are left", len(rows))
		}
		if _, err := again.Event(Context(t), e.ID); !errors.Is(err, store.ErrEventNotFound) {
			t.Errorf("reading it: %v", err)
		}
		for r, err := range again.Roster(Context(t), e.ID, 0, 1<<40, 0) {
			t.Fatalf("it still has %+v, %v", r, err)
		}
		page, err := again.FindEvents(Context(t), store.EventQuery{OrganizerID: e.OrganizerID, Words: store.Words("concert")})
		if err != nil || len(page.Events) != 0 {
			t.Errorf("a search finds %+v, %v", page, err)
		}
		want := store.DeletedEvent{ID: e.ID, OrganizerID: e.OrganizerID, Registrations: numbers, DeletedAt: at}
		if got, err := again.DeletedEvent(Context(t), e.ID); err != nil || got != want {
			t.Errorf("remembered is %+v, %v; want %+v", got, err, want)
		}
	}
	t.Run("with more registrations than are removed at once", func(t *testing.T) {
		e := NewWaitlistEvent(t, s, store.DeleteBatch)
		crowd := NewRequests(e.ID, 2*store.DeleteBatch+10)
		MustApply(t, s, crowd...)
		other := NewEvent(t, s, 5)
		bystander := NewRequest(other.ID)
		bystander.UserID = crowd[0].UserID
		MustApply(t, s, NewCancel(crowd[1]), WithKey(NewCancel(NewRequest(e.ID))), bystander, cancel(e.ID))
		last := ReadEvent(t, s, e.ID).LastNumber
		hook := NewWebhook(e.OrganizerID, "https://example.org")
		if err := errors.Join(s.CreateWebhook(Context(t), hook), s.MarkWebhooks(Context(t), []store.WebhookMark{
			{WebhookID: hook.ID, EventID: e.ID, Told: 1, Due: 2}, {WebhookID: hook.ID, EventID: other.ID, Told: 1, Due: 2},
		})); err != nil {
			t.Fatal(err)
		}
		got, err := s.DeleteEvent(Context(t), e.ID, at)
		if err != nil || got.Registrations != last || got.OrganizerID != e.OrganizerID {
			t.Fatalf("%+v, %v", got, err)
		}
		wantGone(t, e, last)
		if marks, err := s.DueMarks(Context(t), hook.ID, store.ID{}, 10); err != nil || len(marks) != 1 || marks[0].EventID != other.ID {
			t.Errorf("the marks of a webhook are %+v, %v", marks, err)
		}
		if rows := Check(t, s, other.ID); len(rows) != 1 {
			t.Errorf("another event has %d registrations", len(rows))
		}
		if _, err := s.DeleteEvent(Context(t), e.ID, at.Add(time.Hour)); !errors.Is(err, store.ErrEventNotFound) {
			t.Errorf("deleted again: %v", err)
		}
		wantGone(t, e, last)
		for _, s := range []store.Store{s, again} { // one of them remembers the event's last state
			WantOutcomes(t, MustApply(t, s, NewRequest(e.ID), crowd[0], NewCancel(crowd[0]), cancel(e.ID)),
				store.EventNotFound, store.EventNotFound, store.EventNotFound, store.EventNotFound)
		}
	})
	t.Run("interrupted, it is sound, and goes on", func(t *testing.T) {
		e := NewWaitlistEvent(t, s, store.DeleteBatch)
		MustApply(t, s, NewRequests(e.ID, 3*store.DeleteBatch)...)
		MustApply(t, s, cancel(e.ID))
		before := ReadEvent(t, s, e.ID)
		for range 200 {
			ctx, stop := context.WithCancel(Context(t))
			var done sync.WaitGroup
			var err error
			done.Go(func() { _, err = again.DeleteEvent(ctx, e.ID, at) })
			for { // interrupt it between two parts
				now, failed := s.Event(Context(t), e.ID)
				if failed != nil || now.Revision > before.Revision {
					break
				}
			}
			stop()
			done.Wait()
			now, failed := s.Event(Context(t), e.ID)
			if failed != nil {
				break // it was faster
			}
			if err == nil {
				t.Fatal("it is there, and was said to be deleted")
			}
			Check(t, s, e.ID)
			WantOutcomes(t, MustApply(t, s, NewRequest(e.ID)), store.EventCancelled)
			before = now
		}
		if _, err := again.DeleteEvent(Context(t), e.ID, at); err != nil && !errors.Is(err, store.ErrEventNotFound) {
			t.Fatal(err)
		}
		if _, err := again.DeletedEvent(Context(t), e.ID); err != nil {
			t.Error(err)
		}
	})
	t.Run("beside people who come and go, everybody is answered", func(t *testing.T) {
		e := NewWaitlistEvent(t, s, 50)
		crowd := NewRequests(e.ID, 200)
		MustApply(t, s, crowd...)
		MustApply(t, s, cancel(e.ID))
		var people sync.WaitGroup
		for i := range 8 {
			people.Go(func() {
				st := []store.Store{s, again}[i%2]
				for n := range 20 {
					results := MustApply(t, st, NewRequest(e.ID), WithKey(NewCancel(crowd[i*20+n])), WithKey(NewCancel(NewRequest(e.ID))))
					for k, want := range []store.Outcome{store.EventCancelled, store.Cancelled, store.Cancelled} {
						if got := results[k].Outcome; got != want && got != store.EventNotFound {
							t.Errorf("request %d is %s", k, got)
						}
					}
				}
			})
		}
		if _, err := s.DeleteEvent(Context(t), e.ID, at); err != nil {
			t.Error(err)
		}
		people.Wait()
		if d, err := s.DeletedEvent(Context(t), e.ID); err != nil {
			t.Error(err)
		} else {
			wantGone(t, e, d.Registrations)
		}
	})
	t.Run("one that is not cancelled", func(t *testing.T) {
		e := NewEvent(t, s, 5)
		MustApply(t, s, NewRequest(e.ID))
		if _, err := s.DeleteEvent(Context(t), e.ID, at); !errors.Is(err, store.ErrNotCancelled) || !errors.Is(err, store.ErrNothingStored) {
			t.Errorf("error is %v", err)
		}
		if rows := Check(t, s, e.ID); len(rows) != 1 {
			t.Errorf("it has %d registrations", len(rows))
		}
	})
	t.Run("one that there never was", func(t *testing.T) {
		if _, err := s.DeleteEvent(Context(t), store.NewID(), at); !errors.Is(err, store.ErrEventNotFound) {
			t.Errorf("error is %v", err)
		}
		if _, err := s.DeletedEvent(Context(t), store.NewID()); !errors.Is(err, store.ErrEventNotFound) {
			t.Errorf("error is %v", err)
		}
	})
}
