package seats

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/leases"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// asking returns requests of new users who ask for leases of that length.
func asking(event store.ID, n int, lease time.Duration) []store.SeatRequest {
	batch := storetest.NewRequests(event, n)
	for i := range batch {
		batch[i].Lease = lease
	}
	return batch
}

// testLeases: what Decide says of leases is stored, and every process over the database goes by it.
func testLeases(t *testing.T, target storetest.Target) {
	one, two := target.Store, target.Again(t)
	t.Run("one event", func(t *testing.T) {
		event := storetest.NewEvent(t, one, 2)
		holders := storetest.NewRequests(event.ID, 2)
		storetest.MustApply(t, one, holders...)
		before := storetest.ReadEvent(t, one, event.ID)
		wantLeases := func(granted, millis int64, ending bool) {
			t.Helper()
			for _, s := range []store.Store{one, two} {
				if e := storetest.ReadEvent(t, s, event.ID); e.LeasesGranted != granted || e.LeaseMillis != millis || e.LeasesEnding != ending {
					t.Fatalf("%d are granted, of at most %d ms, and they are ending: %t", e.LeasesGranted, e.LeaseMillis, e.LeasesEnding)
				}
			}
		}
		granted := storetest.MustApply(t, one, asking(event.ID, 2, 300*time.Millisecond)...)
		for _, r := range granted {
			if r.Outcome != store.SoldOut || r.Lease != 300*time.Millisecond || r.LastNumber != 2 || r.LeasesGranted != 1 {
				t.Fatalf("who is refused is told %+v", r)
			}
		}
		wantLeases(1, 300, false)
		if r := storetest.MustApply(t, two, asking(event.ID, 1, 100*time.Millisecond)...)[0]; r.LeasesGranted != 2 || r.Lease != 100*time.Millisecond {
			t.Fatalf("another process is told %+v", r)
		}
		wantLeases(2, 300, false)

		cancel := storetest.NewCancel(holders[0])
		for name, s := range map[string]store.Store{"it granted the first": one, "it granted the last": two} {
			for _, ended := range []int64{0, 1} {
				cancel.LeasesEnded = ended
				if r := storetest.MustApply(t, s, cancel)[0]; r.Outcome != store.LeaseOut || r.LeasesGranted != 2 || r.Lease != 300*time.Millisecond {
					t.Fatalf("%s, and knows that those up to %d have ended: %+v", name, ended, r)
				}
			}
		}
		wantLeases(2, 300, true)
		if r := storetest.MustApply(t, one, asking(event.ID, 1, time.Second)...)[0]; r.Outcome != store.SoldOut || r.Lease != 0 || r.LeasesGranted != 2 {
			t.Fatalf("while they are to end somebody is told %+v", r)
		}
		recount := store.SeatRequest{Kind: store.Recount, EventID: event.ID, RequestID: "recount", At: storetest.Now()}
		raise := storetest.NewEdit(event.ID, store.Edit{Version: store.AnyVersion, Capacity: new(int64(5))})
		storetest.WantOutcomes(t, storetest.MustApply(t, two, recount, raise), store.LeaseOut, store.LeaseOut)
		if e := storetest.ReadEvent(t, one, event.ID); e.Revision != before.Revision || e.TicketsSold != 2 || e.Capacity != 2 || e.Version != before.Version {
			t.Fatalf("the event has changed: %+v", e)
		}
		if rows := storetest.Collect(t, one.EventChanges(storetest.Context(t), event.ID, before.Revision, 0)); len(rows) > 0 {
			t.Fatalf("the record tells of leases: %+v", rows)
		}

		cancel.LeasesEnded = 2
		storetest.WantOutcomes(t, storetest.MustApply(t, two, cancel, storetest.NewRequest(event.ID)), store.Cancelled, store.Registered)
		wantLeases(2, 0, false)
		wantReplayed(t, one, event.ID)
		if r := storetest.MustApply(t, one, asking(event.ID, 1, time.Millisecond)...)[0]; r.LeasesGranted != 3 || r.LastNumber != 3 {
			t.Fatalf("sold out again, somebody is told %+v", r)
		}
		wantLeases(3, 1, false)
		raise.LeasesEnded = 3
		storetest.WantOutcomes(t, storetest.MustApply(t, one, raise), store.Edited)
		storetest.WantOutcomes(t, storetest.MustApply(t, two, storetest.NewRequests(event.ID, 3)...), store.Registered, store.Registered, store.Registered)
		wantLeases(3, 0, false)
		storetest.Check(t, one, event.ID)
	})
	t.Run("several events of a batch", func(t *testing.T) {
		full, leased, free := storetest.NewEvent(t, one, 1), storetest.NewEvent(t, one, 1), storetest.NewEvent(t, one, 9)
		holder := storetest.NewRequest(leased.ID)
		storetest.MustApply(t, one, storetest.NewRequest(full.ID), holder)
		storetest.MustApply(t, two, asking(leased.ID, 1, time.Second)...)
		batch := []store.SeatRequest{asking(full.ID, 1, time.Second)[0], storetest.NewCancel(holder), storetest.NewRequest(full.ID)}
		storetest.WantOutcomes(t, storetest.MustApply(t, one, batch...), store.SoldOut, store.LeaseOut, store.SoldOut)
		storetest.WantOutcomes(t, storetest.MustApply(t, one, append(batch, storetest.NewRequest(free.ID))...), store.SoldOut, store.LeaseOut, store.SoldOut, store.Registered)
		for event, want := range map[store.ID]int64{full.ID: 2, leased.ID: 1, free.ID: 0} {
			if e := storetest.ReadEvent(t, two, event); e.LeasesGranted != want || e.LeasesEnding != (event == leased.ID) {
				t.Errorf("%d are granted, want %d; they are to end: %t", e.LeasesGranted, want, e.LeasesEnding)
			}
		}
	})
	t.Run("what is created has none", func(t *testing.T) {
		e := storetest.NewEvent(t, one, 1)
		e.ID, e.LeasesGranted, e.LeaseMillis, e.LeasesEnding = store.NewID(), 7, 100, true
		if err := one.CreateEvent(storetest.Context(t), e); err != nil {
			t.Fatal(err)
		}
		if got := storetest.ReadEvent(t, two, e.ID); got.LeasesGranted != 0 || got.LeaseMillis != 0 || got.LeasesEnding {
			t.Errorf("it has %+v", got)
		}
	})
	t.Run("no seat moves during a lease", func(t *testing.T) { testLeaseStorm(t, one, two) })
}

// span is from when until when something was so, or may have happened.
type span struct{ from, to time.Time }

// testLeaseStorm has people refused, with leases, and others give up their seats and take them anew, by two processes that know
// nothing of each other. Each waits as a worker does that has granted nothing. While a lease is out nobody comes in or leaves.
func testLeaseStorm(t *testing.T, handles ...store.Store) {
	const lease = 25 * time.Millisecond
	event := storetest.NewEvent(t, handles[0], 3)
	holders := storetest.NewRequests(event.ID, 3)
	storetest.MustApply(t, handles[0], holders...)
	var mu sync.Mutex
	var granted, moved []span
	note := func(to *[]span, s span) {
		mu.Lock()
		defer mu.Unlock()
		*to = append(*to, s)
	}
	// shown returns how many leases were of use after they were told.
	shown := func() (used int) {
		for _, l := range granted {
			if l.to.After(l.from) {
				used++
			}
		}
		return used
	}
	const enough = 5 // leases of use, and changes
	begun := time.Now()
	goesOn := func() bool { // for a second, or as long as a slow machine needs
		mu.Lock()
		defer mu.Unlock()
		took := time.Since(begun)
		return took < time.Second || took < 20*time.Second && (shown() < enough || len(moved) < enough)
	}
	var crowd sync.WaitGroup
	for i := range 4 { // who is refused
		crowd.Go(func() {
			for goesOn() {
				sent := time.Now()
				results, err := handles[i%2].Apply(storetest.Context(t), asking(event.ID, 2, lease))
				switch {
				case err != nil:
					t.Error(err)
				case results[0].Lease > 0:
					note(&granted, span{time.Now(), sent.Add(results[0].Lease)})
				case results[0].Outcome == store.Registered: // one that was given up: they give it back
					leave(t, handles[i%2], results[0].Registration, func(s span) { note(&moved, s) })
				}
				time.Sleep(time.Duration(rand.IntN(4)) * time.Millisecond)
			}
		})
	}
	for i, holder := range holders {
		crowd.Go(func() {
			for goesOn() {
				r := store.Registration{EventID: event.ID, UserID: holder.UserID}
				leave(t, handles[i%2], r, func(s span) { note(&moved, s) })
				asked := time.Now()
				again := store.SeatRequest{Kind: store.Register, EventID: event.ID, UserID: holder.UserID, RequestID: store.NewID().Hex(), At: storetest.Now()}
				if results, err := leases.Apply(storetest.Context(t), handles[1-i%2], []store.SeatRequest{again}); err != nil {
					t.Error(err)
				} else if results[0].Outcome == store.Registered {
					note(&moved, span{asked, time.Now()})
				}
				time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
			}
		})
	}
	crowd.Wait()
	for _, l := range granted {
		for _, m := range moved {
			if m.from.After(l.from) && m.to.Before(l.to) {
				t.Fatalf("a seat moves %s after a lease was told, and %s before it ends", m.from.Sub(l.from), l.to.Sub(m.to))
			}
		}
	}
	if shown() < enough || len(moved) < enough {
		t.Errorf("nothing is shown by %d leases, of them %d that were of use, and %d changes", len(granted), shown(), len(moved))
	}
	storetest.Check(t, handles[0], event.ID)
}

// leave gives up a registration when no lease is out, and notes when.
func leave(t *testing.T, s store.Store, r store.Registration, moved func(span)) {
	cancel := store.SeatRequest{Kind: store.Cancel, EventID: r.EventID, UserID: r.UserID, RequestID: store.NewID().Hex(), At: storetest.Now()}
	asked := time.Now()
	for {
		results, err := s.Apply(storetest.Context(t), []store.SeatRequest{cancel})
		if err != nil {
			t.Error(err)
			return
		}
		if results[0].Outcome != store.LeaseOut {
			moved(span{asked, time.Now()})
			return
		}
		time.Sleep(leases.Wait(results[0].Lease))
		asked = time.Now()
		cancel.LeasesEnded = results[0].LeasesGranted
	}
}
