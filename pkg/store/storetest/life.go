package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

func readEvent(tb testing.TB, s store.Events, id store.ID) store.Event {
	tb.Helper()
	e, err := s.Event(context10s(tb), id)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// users are those of registrations or requests, in order.
func users[T any](of []T, user func(T) store.ID) []store.ID {
	ids := make([]store.ID, len(of))
	for i, v := range of {
		ids[i] = user(v)
	}
	return ids
}

func wanted(batch []store.SeatRequest) []store.ID {
	return users(batch, func(r store.SeatRequest) store.ID { return r.UserID })
}

func listed(rows []store.Registration) []store.ID {
	return users(rows, func(r store.Registration) store.ID { return r.UserID })
}

func testCancelling(t *testing.T, target Target) {
	s := target.Store
	t.Run("frees the seat exactly once", func(t *testing.T) {
		event := NewEvent(t, s, 1)
		wish := Wish(event.ID)
		goodbye := leave(wish)
		wantOutcomes(t, apply(t, s, wish, goodbye, goodbye, leave(wish)),
			store.Registered, store.Cancelled, store.Cancelled, store.Cancelled)
		Check(t, s, event.ID)
		wantOutcomes(t, apply(t, target.Again(t), goodbye, Wish(event.ID), Wish(event.ID)),
			store.Cancelled, store.Registered, store.SoldOut)
		Check(t, s, event.ID)
	})
	t.Run("of who holds nothing changes nothing", func(t *testing.T) {
		event := NewEvent(t, s, 1)
		before := readEvent(t, s, event.ID)
		wantOutcomes(t, apply(t, s, leave(Wish(event.ID)), leave(Wish(store.NewID()))), store.Cancelled, store.EventNotFound)
		if after := readEvent(t, s, event.ID); !after.Equal(before) {
			t.Fatalf("the event was %+v and is %+v", before, after)
		}
	})
	t.Run("registering anew goes to the end of the order", func(t *testing.T) {
		event := NewEvent(t, s, 3)
		first, second := Wish(event.ID), Wish(event.ID)
		apply(t, s, first, second)
		apply(t, s, leave(first))
		anew := first
		anew.RequestID = "anew"
		res := apply(t, s, anew)
		wantOutcomes(t, res, store.Registered)
		if res[0].Registration.Number != 3 {
			t.Fatalf("number is %d, want 3: none is used again", res[0].Registration.Number)
		}
		if got := listed(Check(t, s, event.ID)); !slices.Equal(got, []store.ID{second.UserID, first.UserID}) {
			t.Fatalf("roster is %v", got)
		}
	})
	t.Run("the request of a cancelled registration does not bring it back", func(t *testing.T) {
		event := NewEvent(t, s, 2)
		wish := Wish(event.ID)
		apply(t, s, wish)
		apply(t, s, leave(wish))
		wantOutcomes(t, apply(t, s, wish), store.RegistrationCancelled)
		anew := wish
		anew.RequestID = "anew"
		wantOutcomes(t, apply(t, s, anew, wish, anew), store.Registered, store.RegistrationCancelled, store.Registered)
		Check(t, s, event.ID)
	})
	t.Run("repeated, it does not hit the registration made since", func(t *testing.T) {
		event := NewEvent(t, s, 1)
		wish := Wish(event.ID)
		goodbye, anew := leave(wish), wish
		anew.RequestID = "anew"
		apply(t, s, wish)
		apply(t, s, goodbye)
		apply(t, s, anew)
		wantOutcomes(t, apply(t, s, goodbye), store.Cancelled)
		if got := len(Check(t, s, event.ID)); got != 1 {
			t.Fatalf("%d registered after an old cancellation came again", got)
		}
	})
	t.Run("a person comes and goes many times", func(t *testing.T) {
		event := NewEvent(t, s, 1)
		wish := Wish(event.ID)
		for i := range 50 {
			wish.RequestID = fmt.Sprint("wish ", i)
			wantOutcomes(t, apply(t, s, wish), store.Registered)
			wantOutcomes(t, apply(t, s, leave(wish)), store.Cancelled)
		}
		if e := readEvent(t, s, event.ID); e.LastNumber != 50 {
			t.Fatalf("last number is %d, want 50", e.LastNumber)
		}
		Check(t, s, event.ID)
	})
}

func testWaiting(t *testing.T, target Target) {
	s := target.Store
	t.Run("a full event takes people in line", func(t *testing.T) {
		event := newWaitlistEvent(t, s, 1)
		batch := Wishes(event.ID, 3)
		results := apply(t, s, batch...)
		wantOutcomes(t, results, store.Registered, store.Waitlisted, store.Waitlisted)
		if results[1].Position != 1 || results[2].Position != 2 {
			t.Fatalf("positions are %d and %d", results[1].Position, results[2].Position)
		}
		again := batch[2]
		again.RequestID = "again"
		wantOutcomes(t, apply(t, s, again, batch[2]), store.AlreadyWaitlisted, store.Waitlisted)
		for i, want := range []int64{0, 1, 2} {
			if got, err := s.Position(context10s(t), event.ID, results[i].Registration.Number); err != nil || got != want {
				t.Fatalf("position of request %d is %d, %v; want %d", i, got, err, want)
			}
		}
		Check(t, s, event.ID)
	})
	t.Run("a freed place goes to the first in line", func(t *testing.T) {
		event := newWaitlistEvent(t, s, 2)
		batch := Wishes(event.ID, 5)
		apply(t, s, batch...)
		// Nobody can slip in, not even in the same batch.
		wantOutcomes(t, apply(t, s, leave(batch[0]), Wish(event.ID)), store.Cancelled, store.Waitlisted)
		if got := listed(Check(t, s, event.ID)); !slices.Equal(got, wanted(batch[1:3])) {
			t.Fatalf("roster is %v", got)
		}
		// Who leaves the line is passed over.
		apply(t, s, leave(batch[3]))
		apply(t, target.Again(t), leave(batch[1]))
		if got := listed(Check(t, s, event.ID)); !slices.Equal(got, []store.ID{batch[2].UserID, batch[4].UserID}) {
			t.Fatalf("roster is %v", got)
		}
		if e := readEvent(t, s, event.ID); e.TicketsSold != 2 || e.Waiting != 1 {
			t.Fatalf("%d sold and %d waiting", e.TicketsSold, e.Waiting)
		}
	})
	t.Run("all of it in one batch", func(t *testing.T) {
		event := newWaitlistEvent(t, s, 1)
		w := Wishes(event.ID, 4)
		wantOutcomes(t, apply(t, s, w[0], w[1], w[2], leave(w[1]), leave(w[0]), w[3], leave(w[2]), leave(w[3])),
			store.Registered, store.Waitlisted, store.Waitlisted, store.Cancelled, store.Cancelled,
			store.Waitlisted, store.Cancelled, store.Cancelled)
		if got := Check(t, s, event.ID); len(got) != 0 {
			t.Fatalf("roster is %v", got)
		}
	})
	t.Run("the last in line leave and a place stays free", func(t *testing.T) {
		event := newWaitlistEvent(t, s, 1)
		w := Wishes(event.ID, 3)
		apply(t, s, w...)
		apply(t, s, leave(w[1]), leave(w[2]), leave(w[0]))
		wantOutcomes(t, apply(t, s, Wish(event.ID)), store.Registered)
		Check(t, s, event.ID)
	})
	t.Run("a list that is switched off takes nobody and keeps who is in it", func(t *testing.T) {
		event := newWaitlistEvent(t, s, 1)
		w := Wishes(event.ID, 2)
		apply(t, s, w...)
		off := false
		wantOutcomes(t, apply(t, s, edit(event.ID, store.Edit{Version: 2, Waitlist: &off}), Wish(event.ID), leave(w[0]), Wish(event.ID)),
			store.Edited, store.SoldOut, store.Cancelled, store.SoldOut)
		if got := listed(Check(t, s, event.ID)); !slices.Equal(got, wanted(w[1:])) {
			t.Fatalf("roster is %v", got)
		}
	})
	t.Run("many at once keep their order", func(t *testing.T) { testStorm(t, target) })
}

// testStorm: people come and go on two handles at once; those who stay have been promoted
// in the order in which they joined.
func testStorm(t *testing.T, target Target) {
	handles := []store.Store{target.Store, target.Again(t)}
	event := newWaitlistEvent(t, handles[0], 5)
	var crowd sync.WaitGroup
	for g := range 10 {
		crowd.Go(func() {
			for i := range 5 {
				wish := Wish(event.ID)
				batch := [][]store.SeatRequest{{wish}, {leave(wish)}, {wish}}
				for _, b := range batch[:1+(g+i)%3] {
					if _, err := handles[(g+i)%2].Apply(context10s(t), b); err != nil {
						t.Errorf("apply: %v", err)
					}
				}
			}
		})
	}
	crowd.Wait()
	roster := Check(t, handles[1], event.ID)
	if len(roster) != 5 {
		t.Fatalf("%d of 5 places are taken", len(roster))
	}
}

func testEdits(t *testing.T, target Target) {
	s := target.Store
	t.Run("raising the capacity promotes in order", func(t *testing.T) {
		event := newWaitlistEvent(t, s, 2)
		batch := Wishes(event.ID, 10)
		apply(t, s, batch...)
		for _, c := range []struct{ capacity, roster int64 }{{5, 5}, {6, 6}, {20, 10}} {
			wantOutcomes(t, apply(t, s, edit(event.ID, store.Edit{Version: store.AnyVersion, Capacity: &c.capacity})), store.Edited)
			if got := listed(Check(t, s, event.ID)); !slices.Equal(got, wanted(batch[:c.roster])) {
				t.Fatalf("with %d places the roster is %v", c.capacity, got)
			}
		}
		wantOutcomes(t, apply(t, s, Wish(event.ID)), store.Registered)
	})
	t.Run("a capacity below what is sold changes nothing", func(t *testing.T) {
		event := NewEvent(t, s, 3)
		apply(t, s, Wishes(event.ID, 2)...)
		before := readEvent(t, s, event.ID)
		one, two, title := int64(1), int64(2), "New"
		wantOutcomes(t, apply(t, s, edit(event.ID, store.Edit{Version: 1, Capacity: &one, Title: &title})), store.CapacityBelowSold)
		if after := readEvent(t, s, event.ID); !after.Equal(before) {
			t.Fatalf("the event was %+v and is %+v", before, after)
		}
		wantOutcomes(t, apply(t, s, edit(event.ID, store.Edit{Version: 1, Capacity: &two}), Wish(event.ID)), store.Edited, store.SoldOut)
		Check(t, s, event.ID)
	})
	t.Run("times that contradict each other change nothing", func(t *testing.T) {
		event := NewEvent(t, s, 3)
		opens := now.Add(time.Hour)
		wantOutcomes(t, apply(t, s, edit(event.ID, store.Edit{Version: 1, OpensAt: &opens})), store.Edited)
		before := readEvent(t, s, event.ID)
		for name, e := range map[string]store.Edit{
			"ends before it starts":     {EndsAt: new(event.StartsAt.Add(-time.Millisecond))},
			"ends when it starts":       {EndsAt: &event.StartsAt},
			"starts when it ends":       {StartsAt: &event.EndsAt, Title: new("New")},
			"closes when it opens":      {ClosesAt: &opens},
			"opens after what it sends": {ClosesAt: &opens, OpensAt: new(opens.Add(time.Hour))},
		} {
			e.Version = store.AnyVersion
			wantOutcomes(t, apply(t, s, edit(event.ID, e)), store.VersionMismatch)
			if after := readEvent(t, s, event.ID); !after.Equal(before) {
				t.Fatalf("%s: the event was %+v and is %+v", name, before, after)
			}
		}
		both := store.Edit{Version: 2, StartsAt: &event.EndsAt, EndsAt: new(event.EndsAt.Add(time.Hour)), ClosesAt: new(opens.Add(time.Hour))}
		wantOutcomes(t, apply(t, s, edit(event.ID, both)), store.Edited)
	})
	t.Run("an imported event with odd times can have another title", func(t *testing.T) {
		event := store.Event{ID: store.NewID(), OrganizerID: store.NewID(), Title: "x", Capacity: 1, StartsAt: now, EndsAt: now, CreatedAt: now}
		if err := s.CreateEvent(context10s(t), event); err != nil {
			t.Fatal(err)
		}
		wantOutcomes(t, apply(t, s, edit(event.ID, store.Edit{Version: 1, Title: new("New")})), store.Edited)
	})
	t.Run("only its organizer acts as that", func(t *testing.T) {
		event, guest := NewEvent(t, s, 3), Wish(store.ID{})
		guest.EventID = event.ID
		wantOutcomes(t, apply(t, s, guest), store.Registered)
		before := readEvent(t, s, event.ID)
		as := func(req store.SeatRequest, organizer store.ID) store.SeatRequest {
			req.Actor = store.Actor{Kind: store.ActorOrganizer, ID: organizer}
			return req
		}
		change := edit(event.ID, store.Edit{Version: 1, Capacity: new(int64(4))})
		remove := store.SeatRequest{Kind: store.Cancel, EventID: event.ID, UserID: guest.UserID, RequestID: "remove", At: now}
		wantOutcomes(t, apply(t, s, as(change, store.NewID()), as(remove, guest.UserID), as(change, store.ID{})),
			store.NotOrganizer, store.NotOrganizer, store.NotOrganizer)
		if after := readEvent(t, s, event.ID); !after.Equal(before) {
			t.Fatalf("the event was %+v and is %+v", before, after)
		}
		wantOutcomes(t, apply(t, s, as(change, event.OrganizerID), as(remove, event.OrganizerID)), store.Edited, store.Cancelled)
		Check(t, s, event.ID)
	})
	t.Run("every field", func(t *testing.T) {
		event := NewEvent(t, s, 3)
		change := edit(event.ID, everyField(1))
		wantOutcomes(t, apply(t, s, change), store.Edited)
		want := change.Edit.Apply(event)
		want.Version, want.Revision, want.LastEdits = 2, 2, store.PastRequests{{ID: change.RequestID}}
		if got := readEvent(t, target.Again(t), event.ID); !got.Equal(want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		wantOutcomes(t, apply(t, s, edit(event.ID, store.Edit{Version: 2, OpensAt: new(time.Time), ClosesAt: new(time.Time)})), store.Edited)
		if got := readEvent(t, s, event.ID); !got.OpensAt.IsZero() || !got.ClosesAt.IsZero() {
			t.Fatalf("limits that were taken away are %v and %v", got.OpensAt, got.ClosesAt)
		}
	})
	t.Run("only one of two edits of the same version is made", func(t *testing.T) {
		event := NewEvent(t, s, 3)
		a, b := "A", "B"
		first, second := edit(event.ID, store.Edit{Version: 1, Title: &a}), edit(event.ID, store.Edit{Version: 1, Title: &b})
		wantOutcomes(t, apply(t, s, first, second), store.Edited, store.VersionMismatch)
		wantOutcomes(t, apply(t, s, second, first), store.VersionMismatch, store.Edited) // first is only repeated
		if got := readEvent(t, s, event.ID); got.Title != "A" || got.Version != 2 {
			t.Fatalf("got %+v", got)
		}
	})
	t.Run("seats that move do not disturb an edit", func(t *testing.T) {
		event := NewEvent(t, s, 3)
		apply(t, s, Wish(event.ID))
		title := "A"
		wantOutcomes(t, apply(t, s, Wish(event.ID), edit(event.ID, store.Edit{Version: 1, Title: &title})), store.Registered, store.Edited)
	})
	t.Run("a cancelled event takes no more and keeps its roster", func(t *testing.T) {
		event := newWaitlistEvent(t, s, 1)
		w := Wishes(event.ID, 2)
		apply(t, s, w...)
		end, title := store.Edit{Version: store.AnyVersion, Cancel: true}, "A"
		wantOutcomes(t, apply(t, s, edit(event.ID, end), edit(event.ID, end), Wish(event.ID), w[0],
			edit(event.ID, store.Edit{Version: store.AnyVersion, Title: &title})),
			store.Edited, store.Edited, store.EventCancelled, store.Registered, store.EventCancelled)
		if got := listed(Check(t, s, event.ID)); !slices.Equal(got, wanted(w[:1])) {
			t.Fatalf("roster is %v", got)
		}
		if e := readEvent(t, s, event.ID); e.CancelledAt != now {
			t.Fatalf("cancelled at %v, want %v", e.CancelledAt, now)
		}
		wantOutcomes(t, apply(t, s, leave(w[0])), store.Cancelled)
		if e := readEvent(t, s, event.ID); e.TicketsSold != 0 || e.Waiting != 1 {
			t.Fatalf("%d sold and %d waiting: nobody is promoted into a cancelled event", e.TicketsSold, e.Waiting)
		}
	})
	t.Run("of an event that does not exist", func(t *testing.T) {
		wantOutcomes(t, apply(t, s, edit(store.NewID(), store.Edit{})), store.EventNotFound)
	})
}

func testHours(t *testing.T, target Target) {
	s := target.Store
	event := NewEvent(t, s, 10)
	opens, closes := now.Add(time.Hour), now.Add(2*time.Hour)
	apply(t, s, edit(event.ID, store.Edit{Version: 1, OpensAt: &opens, ClosesAt: &closes}))
	member := Wish(event.ID)
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
			wish := Wish(event.ID)
			wish.At = c.at
			results := apply(t, s, wish)
			wantOutcomes(t, results, c.want)
			if want := c.want == store.RegistrationNotOpen; want != (results[0].OpensAt == opens) {
				t.Fatalf("opens at %v", results[0].OpensAt)
			}
		})
	}
	t.Run("who is in may repeat and leave at any time", func(t *testing.T) {
		apply(t, s, member)
		late, other := member, member
		late.At, other.At, other.RequestID = closes.Add(time.Hour), now, "other"
		wantOutcomes(t, apply(t, s, late, other, leave(member)), store.Registered, store.AlreadyRegistered, store.Cancelled)
	})
	Check(t, s, event.ID)
}

func testHoldings(t *testing.T, target Target) {
	s := target.Store
	user := store.NewID()
	var want []store.ID
	for i := range 7 {
		event := newWaitlistEvent(t, s, 1)
		wish := Wish(event.ID)
		wish.UserID = user
		if i%2 == 1 { // the place is gone already
			apply(t, s, Wish(event.ID))
		}
		apply(t, s, wish)
		if i == 3 {
			apply(t, s, leave(wish))
			if _, err := s.Registration(context10s(t), event.ID, user); !errors.Is(err, store.ErrRegistrationNotFound) {
				t.Fatalf("a cancelled registration: %v", err)
			}
			continue
		}
		r, err := s.Registration(context10s(t), event.ID, user)
		if err != nil || r.UserID != user || r.EventID != event.ID || readEvent(t, s, event.ID).Confirmed(r) != (i%2 == 0) {
			t.Fatalf("registration %d is %+v, %v", i, r, err)
		}
		want = append([]store.ID{event.ID}, want...)
	}
	var got []store.ID
	var before store.ID
	back := 0 // given back
	for {
		page := collect(t, s.UserRegistrations(context10s(t), user, before, 4))
		for _, h := range page {
			if h.Registration.EventID != h.Event.ID || h.Registration.UserID != user || h.Event.Title == "" {
				t.Fatalf("holding is %+v", h)
			}
			before = h.Event.ID
			if h.Registration.Cancelled {
				back++
				continue
			}
			got = append(got, h.Event.ID)
		}
		if len(page) < 4 {
			break
		}
	}
	if !slices.Equal(got, want) || back != 1 {
		t.Fatalf("got %v and %d given back, want %v and 1", got, back, want)
	}
	if got := collect(t, s.UserRegistrations(context10s(t), store.NewID(), store.ID{}, 0)); len(got) != 0 {
		t.Fatalf("a stranger holds %v", got)
	}
	if _, err := s.Position(context10s(t), store.NewID(), 1); !errors.Is(err, store.ErrEventNotFound) {
		t.Fatalf("a position in an unknown event: %v", err)
	}
}
