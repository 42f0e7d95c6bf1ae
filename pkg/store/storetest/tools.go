package storetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/verify"
)

// ToolStore is a store that can also take over what another system kept.
type ToolStore interface {
	store.Store
	store.Importer
}

// Tools is one adapter over one fresh, empty database, as the operator's tools see it.
type Tools struct {
	Store        ToolStore
	VerifyReader store.VerifyReader
	// Plant overwrites the counters of an event behind the store's back.
	Plant func(tb testing.TB, e store.Event)
	// Lose takes away what lists and searches find an event by, as a process of an earlier
	// version leaves it that has written the event.
	Lose func(tb testing.TB, id store.ID)
}

// RunTools runs the suite of what verify, repair and import rest on.
func RunTools(t *testing.T, open func(testing.TB) Tools) {
	for name, test := range map[string]func(*testing.T, Tools){
		"database":             testVerifyDatabaseID,
		"verify reader":        testVerifyReader,
		"verify while serving": testVerifyWhileServing,
		"recount":              testRecount,
		"staleSearch":          testUnfindable,
		"import users":         testImportUsers,
		"import events":        testImportEvents,
		"import, interrupted":  testImportInterrupted,
		"import, known users":  testKnownUsers,
		"verify counts":        testVerifyCounts,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func recount(event store.ID) store.SeatRequest {
	return store.SeatRequest{Kind: store.Recount, EventID: event, RequestID: "recount-" + store.NewID().Hex(), At: now}
}

func checkEvent(tb testing.TB, a store.VerifyReader, id store.ID) verify.EventReport {
	tb.Helper()
	e, err := verify.CheckEvent(context10s(tb), a, id, nil)
	if err != nil {
		tb.Fatalf("verify: %v", err)
	}
	return e
}

// wantClean proves an event with the reader and with the suite's own checker.
func wantClean(tb testing.TB, target Tools, id store.ID) {
	tb.Helper()
	if e := checkEvent(tb, target.VerifyReader, id); len(e.Findings) > 0 {
		tb.Fatalf("findings: %+v", e.Findings)
	}
	Check(tb, target.Store, id)
}

func testVerifyReader(t *testing.T, target Tools) {
	s, a := target.Store, target.VerifyReader
	for err := range a.CheckConstraints(context10s(t)) {
		t.Errorf("a new store: %v", err)
	}
	event := newWaitlistEvent(t, s, 2)
	w := Wishes(event.ID, 6)
	apply(t, s, w...)
	apply(t, s, leave(w[0]), leave(w[4]))
	anew := w[0]
	anew.RequestID = "anew"
	apply(t, s, anew)
	other := NewEvent(t, s, 1)
	t.Run("all rows by number, cancelled or not", func(t *testing.T) {
		var users []store.ID
		var cancelled int
		err := a.ReadEvent(context10s(t), event.ID, func(v store.EventSnapshot) error {
			if !v.Found || v.OrganizerKnown || !v.Event.Equal(readEvent(t, s, event.ID)) {
				t.Errorf("view is %+v", v)
			}
			for r, err := range v.Registrations {
				if err != nil {
					return err
				}
				users = append(users, r.UserID)
				if r.Cancelled {
					cancelled++
				}
			}
			return nil
		})
		want := append(wanted(w[1:]), w[0].UserID)
		if err != nil || !slices.Equal(users, want) || cancelled != 1 {
			t.Fatalf("rows of %v, %d of them cancelled, %v; want those of %v", users, cancelled, err, want)
		}
		wantClean(t, target, event.ID)
	})
	t.Run("the ids of all events", func(t *testing.T) {
		got := collect(t, a.ReadEventIDs(context10s(t)))
		if len(got) != 2 || !slices.Contains(got, event.ID) || !slices.Contains(got, other.ID) {
			t.Fatalf("events are %v", got)
		}
	})
	t.Run("what look returns", func(t *testing.T) {
		own := errors.New("own")
		if err := a.ReadEvent(context10s(t), event.ID, func(store.EventSnapshot) error { return own }); !errors.Is(err, own) {
			t.Fatalf("error is %v", err)
		}
	})
	t.Run("an event that does not exist has no rows", func(t *testing.T) {
		err := a.ReadEvent(context10s(t), store.NewID(), func(v store.EventSnapshot) error {
			if v.Found {
				t.Error("it is found")
			}
			for r := range v.Registrations {
				t.Errorf("it has %+v", r)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func testVerifyCounts(t *testing.T, target Tools) {
	s := target.Store
	organizer := newUser("organizer@example.org")
	for _, u := range []store.User{organizer, newUser("b@example.org"), newUser("A@example.org")} {
		if err := s.CreateUser(context10s(t), u); err != nil {
			t.Fatal(err)
		}
	}
	e := store.Event{ID: store.NewID(), OrganizerID: organizer.ID, Title: "x", Capacity: 3, StartsAt: now, EndsAt: now, CreatedAt: now}
	if err := s.CreateEvent(context10s(t), e); err != nil {
		t.Fatal(err)
	}
	apply(t, s, Wishes(e.ID, 2)...)
	size, err := target.VerifyReader.Size(context10s(t))
	if err != nil || size != (store.Size{Users: 3, Events: 1, Registrations: 2}) {
		t.Fatalf("size is %+v, %v", size, err)
	}
	if got := checkEvent(t, target.VerifyReader, e.ID); !got.OrganizerKnown || got.Registrations != 2 {
		t.Fatalf("event is %+v", got)
	}
	n, err := verify.CheckUsers(target.VerifyReader.ReadUsers(context10s(t)), func(f verify.Finding) { t.Errorf("finding: %s", f.Text) }, nil)
	if n != 3 || err != nil {
		t.Fatalf("%d users, %v", n, err)
	}
}

// testVerifyWhileServing: people come and go while the proof is repeated; it never finds
// anything.
func testVerifyWhileServing(t *testing.T, target Tools) {
	events := []store.Event{newWaitlistEvent(t, target.Store, 3), newWaitlistEvent(t, target.Store, 20)}
	var over atomic.Bool
	var crowd sync.WaitGroup
	for g := range 4 {
		crowd.Go(func() {
			for i := 0; !over.Load(); i++ {
				batch := Wishes(events[(g+i)%2].ID, 3)
				batch = append(batch, leave(batch[i%3]))
				if _, err := target.Store.Apply(context10s(t), batch); err != nil {
					t.Errorf("apply: %v", err)
					return
				}
			}
		})
	}
	var rows int64
	started := time.Now()
	for i := 0; i < 40 || rows == 0 && time.Since(started) < limit; i++ { // on a busy machine 40 proofs end before anybody comes
		for _, e := range events {
			got := checkEvent(t, target.VerifyReader, e.ID)
			rows += got.Registrations
			if len(got.Findings) > 0 {
				t.Errorf("findings: %+v", got.Findings)
			}
		}
	}
	over.Store(true)
	crowd.Wait()
	if rows == 0 {
		t.Error("nobody came")
	}
}

func testRecount(t *testing.T, target Tools) {
	s := target.Store
	for _, c := range []struct {
		name       string
		places     int64
		wishes     int
		damage     func(*store.Event)
		want       store.Outcome
		sold       int64
		repairable bool
	}{
		{"tickets_sold too high", 5, 3, func(e *store.Event) { e.TicketsSold = 5 }, store.Recounted, 3, true},
		{"tickets_sold too low", 5, 3, func(e *store.Event) { e.TicketsSold = 1 }, store.Recounted, 3, true},
		{"waiting wrong", 3, 5, func(e *store.Event) { e.Waiting = 7 }, store.Recounted, 3, true},
		{"a free place while people wait", 3, 5, func(e *store.Event) { e.TicketsSold, e.ConfirmedThrough, e.Waiting = 2, 2, 3 }, store.Recounted, 3, true},
		{"places free for all who wait", 3, 5, func(e *store.Event) { e.Capacity = 9 }, store.Recounted, 5, true},
		{"confirmed_through lost", 3, 5, func(e *store.Event) { e.ConfirmedThrough = 0 }, store.Recounted, 3, true},
		{"confirmed_through beyond the last number", 5, 3, func(e *store.Event) { e.ConfirmedThrough = 50 }, store.Recounted, 3, true},
		{"last_number too low", 3, 5, func(e *store.Event) { e.LastNumber = 2 }, store.Recounted, 3, true},
		{"everything lost", 3, 5, func(e *store.Event) { e.TicketsSold, e.Waiting, e.LastNumber, e.ConfirmedThrough = 0, 0, 0, 0 }, store.Recounted, 3, true},
		{"more people than places", 5, 5, func(e *store.Event) { e.Capacity, e.TicketsSold = 4, 4 }, store.Overbooked, 4, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			event := newWaitlistEvent(t, s, c.places)
			batch := Wishes(event.ID, c.wishes)
			apply(t, s, batch...)
			damaged := readEvent(t, s, event.ID)
			c.damage(&damaged)
			target.Plant(t, damaged)
			found := checkEvent(t, target.VerifyReader, event.ID)
			if len(found.Findings) == 0 || found.Repairable() != c.repairable {
				t.Fatalf("findings: %+v", found.Findings)
			}
			wantOutcomes(t, apply(t, s, recount(event.ID)), c.want)
			after := readEvent(t, s, event.ID)
			if after.TicketsSold != c.sold {
				t.Fatalf("tickets_sold is %d, want %d", after.TicketsSold, c.sold)
			}
			if c.want == store.Overbooked {
				if !after.Equal(damaged) {
					t.Fatalf("the event was %+v and is %+v", damaged, after)
				}
				return
			}
			wantClean(t, target, event.ID)
			if got := listed(Roster(t, s, after)); !slices.Equal(got, wanted(batch[:c.sold])) {
				t.Fatalf("roster is %v", got)
			}
			next := Wish(event.ID)
			apply(t, s, next)
			wantClean(t, target, event.ID)
		})
	}
	t.Run("with cancellations that found nothing", func(t *testing.T) {
		event := newWaitlistEvent(t, s, 2)
		w := Wishes(event.ID, 5)
		apply(t, s, keyed(leave(w[4])), keyed(leave(w[3])))
		wantClean(t, target, event.ID)
		apply(t, s, w...)
		apply(t, s, keyed(leave(Wish(event.ID))))
		wantClean(t, target, event.ID)
		damaged := readEvent(t, s, event.ID)
		damaged.TicketsSold, damaged.Waiting, damaged.LastNumber = 0, 0, 0
		target.Plant(t, damaged)
		wantOutcomes(t, apply(t, s, recount(event.ID), keyed(leave(Wish(event.ID)))), store.Recounted, store.Cancelled)
		wantClean(t, target, event.ID)
		if got := listed(Check(t, s, event.ID)); !slices.Equal(got, wanted(w[:2])) {
			t.Fatalf("roster is %v", got)
		}
	})
	t.Run("of a sound event changes nothing", func(t *testing.T) {
		event := newWaitlistEvent(t, s, 2)
		apply(t, s, Wishes(event.ID, 4)...)
		before := readEvent(t, s, event.ID)
		wantOutcomes(t, apply(t, s, recount(event.ID), recount(event.ID)), store.Recounted, store.Recounted)
		if after := readEvent(t, s, event.ID); !after.Equal(before) {
			t.Fatalf("the event was %+v and is %+v", before, after)
		}
	})
	t.Run("counts before its neighbours in the batch", func(t *testing.T) {
		event := newWaitlistEvent(t, s, 3)
		w := Wishes(event.ID, 5)
		apply(t, s, w...)
		damaged := readEvent(t, s, event.ID)
		damaged.TicketsSold, damaged.Waiting, damaged.LastNumber = 0, 0, 1
		target.Plant(t, damaged)
		wantOutcomes(t, apply(t, s, leave(w[0]), Wish(event.ID), recount(event.ID), leave(w[4])),
			store.Cancelled, store.Waitlisted, store.Recounted, store.Cancelled)
		wantClean(t, target, event.ID)
		if got := listed(Check(t, s, event.ID)); !slices.Equal(got, wanted(w[1:4])) {
			t.Fatalf("roster is %v", got)
		}
	})
	t.Run("promotes nobody into a cancelled event", func(t *testing.T) {
		event := newWaitlistEvent(t, s, 1)
		apply(t, s, Wishes(event.ID, 3)...)
		apply(t, s, edit(event.ID, store.Edit{Version: store.AnyVersion, Cancel: true}))
		damaged := readEvent(t, s, event.ID)
		damaged.Capacity, damaged.Waiting = 5, 0
		target.Plant(t, damaged)
		wantOutcomes(t, apply(t, s, recount(event.ID)), store.Recounted)
		if e := readEvent(t, s, event.ID); e.TicketsSold != 1 || e.Waiting != 2 {
			t.Fatalf("%d sold and %d waiting", e.TicketsSold, e.Waiting)
		}
		wantClean(t, target, event.ID)
	})
	t.Run("of an event that does not exist", func(t *testing.T) {
		wantOutcomes(t, apply(t, s, recount(store.NewID())), store.EventNotFound)
	})
}

// testUnfindable: what an event is found by is proved, and a recount mends it, which changes
// nothing that anybody is told.
func testUnfindable(t *testing.T, target Tools) {
	s := target.Store
	event := NewEvent(t, s, 2)
	apply(t, s, Wish(event.ID))
	before := readEvent(t, s, event.ID)
	found := func() bool {
		return len(findPage(t, s, store.EventQuery{Words: store.Words("conc")}).Events) == 1
	}
	wantClean(t, target, event.ID)
	target.Lose(t, event.ID)
	if found() {
		t.Fatal("it is found all the same")
	}
	e := checkEvent(t, target.VerifyReader, event.ID)
	if len(e.Findings) != 1 || !e.Repairable() || !strings.Contains(e.Findings[0].Text, "do not find it by its words") {
		t.Fatalf("findings are %+v", e.Findings)
	}
	wantOutcomes(t, apply(t, s, recount(event.ID)), store.Recounted)
	wantClean(t, target, event.ID)
	if after := readEvent(t, s, event.ID); !after.Equal(before) {
		t.Fatalf("the event was %+v and is %+v", before, after)
	}
	if !found() || len(findPage(t, s, store.EventQuery{Available: true, OrganizerID: event.OrganizerID}).Events) != 1 {
		t.Fatal("it is not found")
	}
}

func importUsers(tb testing.TB, s store.Importer, users ...store.User) []store.ImportOutcome {
	tb.Helper()
	outcomes, err := s.ImportUsers(context10s(tb), users)
	if err != nil {
		tb.Fatal(err)
	}
	return outcomes
}

func testImportUsers(t *testing.T, target Tools) {
	s := target.Store
	a, b, c := newUser("a@example.org"), newUser("b@example.org"), newUser("c@example.org")
	double := newUser("A@example.org ")
	if got := importUsers(t, s); len(got) != 0 {
		t.Fatalf("nobody: %v", got)
	}
	got := importUsers(t, s, a, double, b)
	if want := []store.ImportOutcome{store.Imported, store.AddressInUse, store.Imported}; !slices.Equal(got, want) {
		t.Fatalf("outcomes are %v, want %v", got, want)
	}
	changed := b
	changed.Email, changed.Name = "elsewhere@example.org", "Another"
	got = importUsers(t, s, c, changed, a, double)
	want := []store.ImportOutcome{store.Imported, store.AlreadyThere, store.AlreadyThere, store.AddressInUse}
	if !slices.Equal(got, want) {
		t.Fatalf("outcomes are %v, want %v", got, want)
	}
	for _, u := range []store.User{a, b, c} {
		if got, err := s.UserByEmail(context10s(t), u.Email); err != nil || got != u {
			t.Fatalf("got %+v, %v; want %+v", got, err, u)
		}
	}
}

func testKnownUsers(t *testing.T, target Tools) {
	var ids []store.ID
	var users []store.User
	for i := range 1203 {
		u := newUser(store.NewID().Hex() + "@example.org")
		ids = append(ids, u.ID)
		if i%3 == 0 {
			users = append(users, u)
		}
	}
	importUsers(t, target.Store, users...)
	known, err := target.Store.KnownUsers(context10s(t), ids)
	if err != nil || len(known) != len(users) {
		t.Fatalf("%d known, %v; want %d", len(known), err, len(users))
	}
	for _, u := range users {
		if !known[u.ID] {
			t.Fatalf("user %s is not known", u.ID.Hex())
		}
	}
	if known, err := target.Store.KnownUsers(context10s(t), nil); err != nil || len(known) != 0 {
		t.Fatalf("of nobody %v, %v", known, err)
	}
}

func importEvent(tb testing.TB, s store.Importer, e store.Event, roster []store.ID) store.ImportOutcome {
	tb.Helper()
	outcome, err := s.ImportEvent(context10s(tb), e, roster, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return outcome
}

func newRoster(n int) (store.Event, []store.ID) {
	roster := make([]store.ID, n)
	for i := range roster {
		roster[i] = store.NewID()
	}
	every := everyField(1)
	e := every.Apply(store.Event{ID: store.NewID(), OrganizerID: store.NewID(), CreatedAt: now})
	e.Capacity, e.OpensAt, e.ClosesAt, e.Waitlist = int64(n)+2, time.Time{}, time.Time{}, false
	return e, roster
}

func testImportEvents(t *testing.T, target Tools) {
	s := target.Store
	e, roster := newRoster(10)
	if got := importEvent(t, s, e, roster); got != store.Imported {
		t.Fatalf("outcome is %s", got)
	}
	want := store.ImportedEvent(e, 10)
	if got := readEvent(t, s, e.ID); !got.Equal(want) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	rows := Check(t, s, e.ID)
	for i, user := range roster {
		if !rows[i].Equal(store.ImportedRegistration(e, i, user)) {
			t.Fatalf("registration %d is %+v", i, rows[i])
		}
	}
	wantClean(t, target, e.ID)
	t.Run("repeated, it changes nothing that came since", func(t *testing.T) {
		wish := Wish(e.ID)
		wantOutcomes(t, apply(t, s, wish, leave(store.SeatRequest{EventID: e.ID, UserID: roster[3]}), Wish(e.ID), Wish(e.ID)),
			store.Registered, store.Cancelled, store.Registered, store.Registered)
		before := readEvent(t, s, e.ID)
		if got := importEvent(t, s, e, roster); got != store.AlreadyThere {
			t.Fatalf("outcome is %s", got)
		}
		if after := readEvent(t, s, e.ID); !after.Equal(before) {
			t.Fatalf("the event was %+v and is %+v", before, after)
		}
		wantClean(t, target, e.ID)
	})
	t.Run("who was imported holds their seat", func(t *testing.T) {
		again := store.SeatRequest{Kind: store.Register, EventID: e.ID, UserID: roster[0], RequestID: "mine", At: now}
		wantOutcomes(t, apply(t, s, again), store.AlreadyRegistered)
	})
	t.Run("an event without anybody", func(t *testing.T) {
		e, _ := newRoster(0)
		if got := importEvent(t, s, e, nil); got != store.Imported {
			t.Fatalf("outcome is %s", got)
		}
		wantClean(t, target, e.ID)
	})
}

// testImportInterrupted: cut off at different points, seen from outside as not there, and
// completed by the next try.
func testImportInterrupted(t *testing.T, target Tools) {
	s := target.Store
	e, roster := newRoster(12_000)
	for cut := 1; cut <= 3; cut++ {
		ctx, cancel := context.WithCancel(context10s(t))
		steps := 0
		_, err := s.ImportEvent(ctx, e, roster, func(int) {
			if steps++; steps == cut {
				cancel()
			}
		})
		cancel()
		if err == nil {
			t.Fatalf("cut off at %d, it went on", cut)
		}
		if _, err := s.Event(context10s(t), e.ID); !errors.Is(err, store.ErrEventNotFound) {
			t.Fatalf("half an event: %v", err)
		}
		wantOutcomes(t, apply(t, s, Wish(e.ID)), store.EventNotFound)
		if cut == 2 { // the source has changed
			roster = slices.Delete(roster, 5, 7)
		}
	}
	moved := 0
	outcome, err := s.ImportEvent(context10s(t), e, roster, func(n int) { moved += n })
	if err != nil || outcome != store.Imported || moved != len(roster) {
		t.Fatalf("%s, %v; told of %d registrations", outcome, err, moved)
	}
	if got := listed(Check(t, s, e.ID)); !slices.Equal(got, roster) {
		t.Fatalf("%d registered, want %d in their order", len(got), len(roster))
	}
	wantClean(t, target, e.ID)
}
