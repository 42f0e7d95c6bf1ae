package lists

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/search"
	"github.com/eventio/eventio/pkg/store/storetest"
)

func testEvents(t *testing.T, target storetest.Target) {
	s := target.Store
	list := func(t *testing.T) []store.Event {
		return storetest.Collect(t, search.All(storetest.Context(t), s, store.EventQuery{}))
	}
	t.Run("none at first", func(t *testing.T) {
		if got := list(t); len(got) != 0 {
			t.Fatalf("an empty store lists %v", got)
		}
	})
	t.Run("an unknown event is not found", func(t *testing.T) {
		if _, err := s.Event(storetest.Context(t), store.NewID()); !errors.Is(err, store.ErrEventNotFound) {
			t.Fatalf("error is %v, want ErrEventNotFound", err)
		}
	})
	var want []store.Event
	for _, day := range []int{3, 1, 2, 1, 2} { // equal starts are ordered by id
		every := storetest.EveryField(day)
		e := every.Apply(store.Event{ID: store.NewID(), OrganizerID: store.NewID(), CreatedAt: storetest.Now()})
		e.Title, e.Description = "Tätig 🎟", "a\nb"
		e.StartsAt = storetest.Now().AddDate(0, 0, day)
		if day == 3 {
			e.OpensAt, e.ClosesAt = time.Time{}, time.Time{}
		}
		if err := s.CreateEvent(storetest.Context(t), e); err != nil {
			t.Fatal(err)
		}
		e.Version, e.Revision = 1, 1
		want = append(want, e)
	}
	t.Run("read back as written", func(t *testing.T) {
		for _, e := range want {
			if got, err := target.Again(t).Event(storetest.Context(t), e.ID); err != nil || !got.Equal(e) {
				t.Fatalf("got %+v, %v; want %+v", got, err, e)
			}
		}
	})
	t.Run("read together by id", func(t *testing.T) {
		ids := []store.ID{store.NewID()}
		for _, e := range want {
			ids = append(ids, e.ID)
		}
		for n := 1; n <= len(ids); n++ {
			got, err := target.Again(t).EventsByID(storetest.Context(t), ids[:n])
			if err != nil || len(got) != n-1 {
				t.Fatalf("%d of %d ids are found, %v", len(got), n, err)
			}
			for _, e := range want[:n-1] {
				if !got[e.ID].Equal(e) {
					t.Fatalf("got %+v, want %+v", got[e.ID], e)
				}
			}
		}
	})
	t.Run("listed by start, then id", func(t *testing.T) {
		slices.SortFunc(want, func(a, b store.Event) int {
			if c := a.StartsAt.Compare(b.StartsAt); c != 0 {
				return c
			}
			return slices.Compare(a.ID[:], b.ID[:])
		})
		if got := list(t); !sameEvents(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
	t.Run("a reader may stop early", func(t *testing.T) {
		for range search.All(storetest.Context(t), s, store.EventQuery{}) {
			break
		}
	})
	t.Run("a reader that is cancelled gets an error", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var last error
		for _, err := range search.All(ctx, s, store.EventQuery{}) {
			last = err
		}
		if last == nil {
			t.Fatal("a cancelled list ended like a complete one")
		}
	})
}

func testEdits(t *testing.T, target storetest.Target) {
	s := target.Store
	t.Run("raising the capacity promotes in order", func(t *testing.T) {
		event := storetest.NewWaitlistEvent(t, s, 2)
		batch := storetest.NewRequests(event.ID, 10)
		storetest.MustApply(t, s, batch...)
		for _, c := range []struct{ capacity, roster int64 }{{5, 5}, {6, 6}, {20, 10}} {
			storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewEdit(event.ID, store.Edit{Version: store.AnyVersion, Capacity: &c.capacity})), store.Edited)
			if got := storetest.RosterUsers(storetest.Check(t, s, event.ID)); !slices.Equal(got, storetest.RequestUsers(batch[:c.roster])) {
				t.Fatalf("with %d places the roster is %v", c.capacity, got)
			}
		}
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewRequest(event.ID)), store.Registered)
	})
	t.Run("a capacity below what is sold changes nothing", func(t *testing.T) {
		event := storetest.NewEvent(t, s, 3)
		storetest.MustApply(t, s, storetest.NewRequests(event.ID, 2)...)
		before := storetest.ReadEvent(t, s, event.ID)
		one, two, title := int64(1), int64(2), "New"
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewEdit(event.ID, store.Edit{Version: 1, Capacity: &one, Title: &title})), store.CapacityBelowSold)
		if after := storetest.ReadEvent(t, s, event.ID); !after.Equal(before) {
			t.Fatalf("the event was %+v and is %+v", before, after)
		}
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewEdit(event.ID, store.Edit{Version: 1, Capacity: &two}), storetest.NewRequest(event.ID)), store.Edited, store.SoldOut)
		storetest.Check(t, s, event.ID)
	})
	t.Run("times that contradict each other change nothing", func(t *testing.T) {
		event := storetest.NewEvent(t, s, 3)
		opens, closes := storetest.Now().Add(time.Hour), storetest.Now().Add(2*time.Hour)
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewEdit(event.ID, store.Edit{Version: 1, OpensAt: &opens, ClosesAt: &closes})), store.Edited)
		before := storetest.ReadEvent(t, s, event.ID)
		for name, e := range map[string]store.Edit{
			"ends before it starts":     {EndsAt: new(event.StartsAt.Add(-time.Millisecond))},
			"ends when it starts":       {EndsAt: &event.StartsAt},
			"starts when it ends":       {StartsAt: &event.EndsAt, Title: new("New")},
			"opens when it ends":        {OpensAt: &event.EndsAt, ClosesAt: new(time.Time)},
			"ends before it opens":      {StartsAt: new(opens.Add(-time.Hour)), EndsAt: &opens},
			"closes when it opens":      {ClosesAt: &opens},
			"opens when it closes":      {OpensAt: &closes},
			"opens after what it sends": {ClosesAt: &opens, OpensAt: new(opens.Add(time.Hour))},
		} {
			e.Version = store.AnyVersion
			storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewEdit(event.ID, e)), store.VersionMismatch)
			if after := storetest.ReadEvent(t, s, event.ID); !after.Equal(before) {
				t.Fatalf("%s: the event was %+v and is %+v", name, before, after)
			}
		}
		both := store.Edit{Version: 2, StartsAt: &event.EndsAt, EndsAt: new(event.EndsAt.Add(time.Hour)), ClosesAt: new(closes.Add(time.Hour))}
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewEdit(event.ID, both)), store.Edited)
	})
	t.Run("an imported event with odd times can have another title", func(t *testing.T) {
		event := store.Event{ID: store.NewID(), OrganizerID: store.NewID(), Title: "x", Capacity: 1, StartsAt: storetest.Now(), EndsAt: storetest.Now(), CreatedAt: storetest.Now()}
		if err := s.CreateEvent(storetest.Context(t), event); err != nil {
			t.Fatal(err)
		}
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewEdit(event.ID, store.Edit{Version: 1, Title: new("New")})), store.Edited)
	})
	t.Run("only its organizer acts as that", func(t *testing.T) {
		event, guest := storetest.NewEvent(t, s, 3), storetest.NewRequest(store.ID{})
		guest.EventID = event.ID
		storetest.WantOutcomes(t, storetest.MustApply(t, s, guest), store.Registered)
		before := storetest.ReadEvent(t, s, event.ID)
		as := func(req store.SeatRequest, organizer store.ID) store.SeatRequest {
			req.Actor = store.Actor{Kind: store.ActorOrganizer, ID: organizer}
			return req
		}
		change := storetest.NewEdit(event.ID, store.Edit{Version: 1, Capacity: new(int64(4))})
		remove := store.SeatRequest{Kind: store.Cancel, EventID: event.ID, UserID: guest.UserID, RequestID: "remove", At: storetest.Now()}
		storetest.WantOutcomes(t, storetest.MustApply(t, s, as(change, store.NewID()), as(remove, guest.UserID), as(change, store.ID{})),
			store.NotOrganizer, store.NotOrganizer, store.NotOrganizer)
		if after := storetest.ReadEvent(t, s, event.ID); !after.Equal(before) {
			t.Fatalf("the event was %+v and is %+v", before, after)
		}
		storetest.WantOutcomes(t, storetest.MustApply(t, s, as(change, event.OrganizerID), as(remove, event.OrganizerID)), store.Edited, store.Cancelled)
		storetest.Check(t, s, event.ID)
	})
	t.Run("every field", func(t *testing.T) {
		event := storetest.NewEvent(t, s, 3)
		change := storetest.NewEdit(event.ID, storetest.EveryField(1))
		storetest.WantOutcomes(t, storetest.MustApply(t, s, change), store.Edited)
		want := change.Edit.Apply(event)
		want.Version, want.Revision, want.Recorded, want.LastEdits = 2, 2, 2, store.PastRequests{{ID: change.RequestID}}
		if got := storetest.ReadEvent(t, target.Again(t), event.ID); !got.Equal(want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewEdit(event.ID, store.Edit{Version: 2, OpensAt: new(time.Time), ClosesAt: new(time.Time)})), store.Edited)
		if got := storetest.ReadEvent(t, s, event.ID); !got.OpensAt.IsZero() || !got.ClosesAt.IsZero() {
			t.Fatalf("limits that were taken away are %v and %v", got.OpensAt, got.ClosesAt)
		}
	})
	t.Run("only one of two edits of the same version is made", func(t *testing.T) {
		event := storetest.NewEvent(t, s, 3)
		a, b := "A", "B"
		first, second := storetest.NewEdit(event.ID, store.Edit{Version: 1, Title: &a}), storetest.NewEdit(event.ID, store.Edit{Version: 1, Title: &b})
		storetest.WantOutcomes(t, storetest.MustApply(t, s, first, second), store.Edited, store.VersionMismatch)
		storetest.WantOutcomes(t, storetest.MustApply(t, s, second, first), store.VersionMismatch, store.Edited) // first is only repeated
		if got := storetest.ReadEvent(t, s, event.ID); got.Title != "A" || got.Version != 2 {
			t.Fatalf("got %+v", got)
		}
	})
	t.Run("seats that move do not disturb an edit", func(t *testing.T) {
		event := storetest.NewEvent(t, s, 3)
		storetest.MustApply(t, s, storetest.NewRequest(event.ID))
		title := "A"
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewRequest(event.ID), storetest.NewEdit(event.ID, store.Edit{Version: 1, Title: &title})), store.Registered, store.Edited)
	})
	t.Run("a cancelled event takes no more and keeps its roster", func(t *testing.T) {
		event := storetest.NewWaitlistEvent(t, s, 1)
		w := storetest.NewRequests(event.ID, 2)
		storetest.MustApply(t, s, w...)
		end, title := store.Edit{Version: store.AnyVersion, Cancel: true}, "A"
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewEdit(event.ID, end), storetest.NewEdit(event.ID, end), storetest.NewRequest(event.ID), w[0],
			storetest.NewEdit(event.ID, store.Edit{Version: store.AnyVersion, Title: &title})),
			store.Edited, store.Edited, store.EventCancelled, store.Registered, store.EventCancelled)
		if got := storetest.RosterUsers(storetest.Check(t, s, event.ID)); !slices.Equal(got, storetest.RequestUsers(w[:1])) {
			t.Fatalf("roster is %v", got)
		}
		if e := storetest.ReadEvent(t, s, event.ID); e.CancelledAt != storetest.Now() {
			t.Fatalf("cancelled at %v, want %v", e.CancelledAt, storetest.Now())
		}
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewCancel(w[0])), store.Cancelled)
		if e := storetest.ReadEvent(t, s, event.ID); e.TicketsSold != 0 || e.Waiting != 1 {
			t.Fatalf("%d sold and %d waiting: nobody is promoted into a cancelled event", e.TicketsSold, e.Waiting)
		}
	})
	t.Run("of an event that does not exist", func(t *testing.T) {
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewEdit(store.NewID(), store.Edit{})), store.EventNotFound)
	})
}

func testHours(t *testing.T, target storetest.Target) {
	s := target.Store
	event := storetest.NewEvent(t, s, 10)
	opens, closes := storetest.Now().Add(time.Hour), storetest.Now().Add(2*time.Hour)
	storetest.MustApply(t, s, storetest.NewEdit(event.ID, store.Edit{Version: 1, OpensAt: &opens, ClosesAt: &closes}))
	member := storetest.NewRequest(event.ID)
	member.At = opens
	for _, c := range []struct {
		name string
		at   time.Time
		want store.Outcome
	}{
		{"before it opens", opens.Add(-time.Millisecond), store.RegistrationNotOpen},
		{"when it opens", opens, store.Registered},
		{"just before it closes", closes.Add(-time.Millisecond), store.Registered},
		{"when it closes", closes, store.RegistrationClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			request := storetest.NewRequest(event.ID)
			request.At = c.at
			results := storetest.MustApply(t, s, request)
			storetest.WantOutcomes(t, results, c.want)
			if want := c.want == store.RegistrationNotOpen; want != (results[0].OpensAt == opens) {
				t.Fatalf("opens at %v", results[0].OpensAt)
			}
		})
	}
	t.Run("who is in may repeat and leave at any time", func(t *testing.T) {
		storetest.MustApply(t, s, member)
		late, other := member, member
		late.At, other.At, other.RequestID = closes.Add(time.Hour), storetest.Now(), "other"
		storetest.WantOutcomes(t, storetest.MustApply(t, s, late, other, storetest.NewCancel(member)), store.Registered, store.AlreadyRegistered, store.Cancelled)
	})
	storetest.Check(t, s, event.ID)
}
