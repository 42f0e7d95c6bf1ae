package tooltest

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/search"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/pkg/store/verify"
)

// testVerifyDatabaseID checks that the verify reader and the store have the same database id.
func testVerifyDatabaseID(t *testing.T, tools Target) {
	if id, err := tools.VerifyReader.DatabaseID(storetest.Context(t)); err != nil || id != tools.Store.DatabaseID() {
		t.Errorf("the verify reader says %q, %v; the store says %q", id, err, tools.Store.DatabaseID())
	}
}

func testVerifyReader(t *testing.T, target Target) {
	s, a := target.Store, target.VerifyReader
	for err := range a.CheckConstraints(storetest.Context(t)) {
		t.Errorf("a new store: %v", err)
	}
	event := storetest.NewWaitlistEvent(t, s, 2)
	w := storetest.NewRequests(event.ID, 6)
	storetest.MustApply(t, s, w...)
	storetest.MustApply(t, s, storetest.NewCancel(w[0]), storetest.NewCancel(w[4]))
	another := w[0]
	another.RequestID = "another"
	storetest.MustApply(t, s, another)
	other := storetest.NewEvent(t, s, 1)
	t.Run("all rows by number, cancelled or not", func(t *testing.T) {
		var users []store.ID
		var cancelled int
		err := a.ReadEvents(storetest.Context(t), []store.ID{event.ID}, func(v verify.Snapshot) error {
			if !v.Found || v.OrganizerKnown || !v.Event.Equal(storetest.ReadEvent(t, s, event.ID)) {
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
		want := append(storetest.RequestUsers(w[1:]), w[0].UserID)
		if err != nil || !slices.Equal(users, want) || cancelled != 1 {
			t.Fatalf("rows of %v, %d of them cancelled, %v; want those of %v", users, cancelled, err, want)
		}
		wantClean(t, target, event.ID)
	})
	t.Run("the ids of all events", func(t *testing.T) {
		got := storetest.Collect(t, a.ReadEventIDs(storetest.Context(t)))
		if len(got) != 2 || !slices.Contains(got, event.ID) || !slices.Contains(got, other.ID) {
			t.Fatalf("events are %v", got)
		}
	})
	t.Run("what look returns", func(t *testing.T) {
		own := errors.New("own")
		if err := a.ReadEvents(storetest.Context(t), []store.ID{event.ID}, func(verify.Snapshot) error { return own }); !errors.Is(err, own) {
			t.Fatalf("error is %v", err)
		}
	})
	t.Run("an event that does not exist has no rows", func(t *testing.T) {
		err := a.ReadEvents(storetest.Context(t), []store.ID{store.NewID()}, func(v verify.Snapshot) error {
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

func testVerifyCounts(t *testing.T, target Target) {
	s := target.Store
	organizer := storetest.NewUser("organizer@example.org")
	for _, u := range []store.User{organizer, storetest.NewUser("b@example.org"), storetest.NewUser("A@example.org")} {
		if err := s.CreateUser(storetest.Context(t), u); err != nil {
			t.Fatal(err)
		}
	}
	e := store.Event{ID: store.NewID(), OrganizerID: organizer.ID, Title: "x", Capacity: 3, StartsAt: storetest.Now(), EndsAt: storetest.Now(), CreatedAt: storetest.Now()}
	if err := s.CreateEvent(storetest.Context(t), e); err != nil {
		t.Fatal(err)
	}
	storetest.MustApply(t, s, storetest.NewRequests(e.ID, 2)...)
	size, err := target.VerifyReader.Size(storetest.Context(t))
	if err != nil || size != (verify.Size{Users: 3, Events: 1, Registrations: 2}) {
		t.Fatalf("size is %+v, %v", size, err)
	}
	if got := checkEvent(t, target.VerifyReader, e.ID); !got.OrganizerKnown || got.Registrations != 2 {
		t.Fatalf("event is %+v", got)
	}
	n, err := verify.CheckUsers(target.VerifyReader.ReadUsers(storetest.Context(t)), func(f verify.Finding) { t.Errorf("finding: %s", f.Text) }, nil)
	if n != 3 || err != nil {
		t.Fatalf("%d users, %v", n, err)
	}
}

// testVerifyWhileServing checks that verifying events again and again, while people come and go,
// finds nothing.
func testVerifyWhileServing(t *testing.T, target Target) {
	events := []store.Event{storetest.NewWaitlistEvent(t, target.Store, 3), storetest.NewWaitlistEvent(t, target.Store, 20)}
	var over atomic.Bool
	var crowd sync.WaitGroup
	for g := range 4 {
		crowd.Go(func() {
			for i := 0; !over.Load(); i++ {
				batch := storetest.NewRequests(events[(g+i)%2].ID, 3)
				batch = append(batch, storetest.NewCancel(batch[i%3]))
				if _, err := target.Store.Apply(storetest.Context(t), batch); err != nil {
					t.Errorf("apply: %v", err)
					return
				}
			}
		})
	}
	var rows int64
	started := time.Now()
	for i := 0; i < 40 || rows == 0 && time.Since(started) < storetest.Limit; i++ { // on a busy machine 40 proofs end before anybody comes
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

// testStaleSearch checks that search fields which are out of date are found, and that a recount
// repairs them and changes nothing else.
func testStaleSearch(t *testing.T, target Target) {
	s := target.Store
	event := storetest.NewEvent(t, s, 2)
	storetest.MustApply(t, s, storetest.NewRequest(event.ID))
	before := storetest.ReadEvent(t, s, event.ID)
	found := func() bool {
		return len(storetest.FindPage(t, s, store.EventQuery{Words: search.Words("conc")}).Events) == 1
	}
	wantClean(t, target, event.ID)
	target.RemoveSearch(t, event.ID)
	if found() {
		t.Fatal("it is found all the same")
	}
	e := checkEvent(t, target.VerifyReader, event.ID)
	if len(e.Findings) != 1 || !e.Repairable() || !strings.Contains(e.Findings[0].Text, "do not find it by its words") {
		t.Fatalf("findings are %+v", e.Findings)
	}
	storetest.WantOutcomes(t, storetest.MustApply(t, s, recount(event.ID)), store.Recounted)
	wantClean(t, target, event.ID)
	if after := storetest.ReadEvent(t, s, event.ID); !after.Equal(before) {
		t.Fatalf("the event was %+v and is %+v", before, after)
	}
	if !found() || len(storetest.FindPage(t, s, store.EventQuery{Available: true, OrganizerID: event.OrganizerID}).Events) != 1 {
		t.Fatal("it is not found")
	}
}

// testVerifyTogether checks that what is found in many events at once is what is found in each alone: with people
// and without, sound and damaged, beside ids that no event has.
func testVerifyTogether(t *testing.T, target Target) {
	s := target.Store
	var ids []store.ID
	for i := range 40 {
		event := storetest.NewWaitlistEvent(t, s, 2)
		if ids = append(ids, event.ID); i%4 == 0 {
			ids = append(ids, store.NewID()) // there is none
			continue
		}
		people := storetest.NewRequests(event.ID, 1+i%7)
		storetest.MustApply(t, s, people...)
		storetest.MustApply(t, s, storetest.NewCancel(people[i%len(people)]), storetest.NewCancel(people[0]))
		damaged := storetest.ReadEvent(t, s, event.ID)
		switch i % 5 {
		case 1:
			damaged.TicketsSold += 3
		case 2:
			damaged.LastNumber = 1_000_000 // so it looks too large to be read beside others
		}
		target.SetCounters(t, damaged)
	}
	var want []verify.EventReport
	for _, id := range ids {
		want = append(want, checkEvent(t, target.VerifyReader, id))
	}
	shuffled := slices.Concat(ids[len(ids)/2:], ids[:len(ids)/2])
	slices.Reverse(shuffled)
	var got []verify.EventReport
	read, damaged := 0, 0
	err := verify.CheckEvents(storetest.Context(t), target.VerifyReader, shuffled, func(n int) { read += n }, func(e verify.EventReport) error {
		got = append(got, e)
		if len(e.Findings) > 0 {
			damaged++
		}
		return nil
	})
	slices.SortFunc(want, func(a, b verify.EventReport) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("together: %v\n%+v\nalone:\n%+v", err, got, want)
	}
	if damaged == 0 || damaged == len(got) || read == 0 {
		t.Errorf("%d of %d events are damaged, %d registrations were read", damaged, len(got), read)
	}
	t.Run("a reader that wants no more", func(t *testing.T) {
		enough, calls := errors.New("enough"), 0
		err := verify.CheckEvents(storetest.Context(t), target.VerifyReader, ids, nil, func(verify.EventReport) error {
			if calls++; calls == 3 {
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) || calls != 3 {
			t.Errorf("%v after %d events", err, calls)
		}
	})
	t.Run("whose registrations are not read", func(t *testing.T) {
		sorted := slices.SortedFunc(slices.Values(ids), func(a, b store.ID) int { return bytes.Compare(a[:], b[:]) })
		n, rows, held := 0, 0, 0
		for i, e := range want {
			if i%2 == 0 && e.Registrations > 0 {
				held++
			}
		}
		err := target.VerifyReader.ReadEvents(storetest.Context(t), sorted, func(v verify.Snapshot) error {
			if n++; n%2 == 0 {
				return nil
			}
			for r, err := range v.Registrations {
				if err != nil || r.EventID != v.ID {
					return fmt.Errorf("event %s: %+v, %w", v.ID.Hex(), r, err)
				}
				rows++
				break // and of the others none
			}
			return nil
		})
		if err != nil || n != len(ids) || rows != held {
			t.Errorf("%d events, the first registrations of %d, want %d, %v", n, rows, held, err)
		}
	})
}
