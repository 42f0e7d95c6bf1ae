package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/system"
	"github.com/eventio/eventio/pkg/store"
)

// populate makes two users and an event with 2 places, in which 3 people hold or wait and
// one has left.
func populate(tb testing.TB, s store.Store) (store.Event, []store.Registration) {
	tb.Helper()
	now := time.Now().UTC().Truncate(time.Millisecond)
	for _, name := range []string{"a", "b"} {
		u := store.User{ID: store.NewID(), Name: name, Email: name + "@example.org", PasswordHash: "$argon2id$v=19$...", CreatedAt: now}
		if err := s.CreateUser(tb.Context(), u); err != nil {
			tb.Fatal(err)
		}
	}
	e := store.Event{ID: store.NewID(), OrganizerID: store.NewID(), Title: "x", Capacity: 2, Waitlist: true, StartsAt: now, EndsAt: now, CreatedAt: now}
	if err := s.CreateEvent(tb.Context(), e); err != nil {
		tb.Fatal(err)
	}
	var batch []store.SeatRequest
	for range 4 {
		batch = append(batch, store.SeatRequest{Kind: store.Register, EventID: e.ID, UserID: store.NewID(), RequestID: "x", At: now})
	}
	goodbye := batch[3]
	goodbye.Kind, goodbye.RequestID = store.Cancel, "y"
	results, err := s.Apply(tb.Context(), append(batch, goodbye))
	if err != nil {
		tb.Fatal(err)
	}
	var rows []store.Registration
	for _, res := range results[:3] {
		rows = append(rows, res.Registration)
	}
	if e, err = s.Event(tb.Context(), e.ID); err != nil {
		tb.Fatal(err)
	}
	return e, rows
}

// counterDamages are those that both databases can have. %s is the event's id.
var counterDamages = [...]struct {
	name       string
	fields     map[string]any
	says       string
	repairable bool
}{
	{"tickets_sold too high", map[string]any{"capacity": 9, "tickets_sold": 5, "confirmed_through": 4, "waiting": 0}, "event %s: tickets_sold is 5 and 3 people hold a place", true},
	{"tickets_sold too low", map[string]any{"tickets_sold": 1}, "event %s: tickets_sold is 1 and 2 people hold a place", true},
	{"tickets_sold above capacity", map[string]any{"tickets_sold": 7}, "event %s: tickets_sold is 7 and 2 people hold a place", true},
	{"tickets_sold negative", map[string]any{"tickets_sold": -1}, "event %s: tickets_sold is -1 and 2 people hold a place", true},
	{"waiting", map[string]any{"waiting": 0}, "event %s: waiting is 0 and 1 person waits", true},
	{"waiting negative", map[string]any{"waiting": -4}, "event %s: waiting is -4 and 1 person waits", true},
	{"last_number too low", map[string]any{"last_number": 2}, "event %s: last_number is 2 and user", true},
	{"last_number negative", map[string]any{"last_number": -1}, "event %s: last_number is -1", true},
	{"confirmed_through too high", map[string]any{"capacity": 5, "confirmed_through": 40}, "event %s: confirmed_through is 40 and last_number is 4", true},
	{"confirmed_through negative", map[string]any{"confirmed_through": -2}, "event %s: confirmed_through is -2", true},
	{"a place is free while somebody waits", map[string]any{"capacity": 3}, "event %s: 1 person waits while 1 place is free", true},
	{"overbooked", map[string]any{"capacity": 1, "tickets_sold": 1}, "event %s: 2 people hold a place and capacity is 1", false},
	{"no places", map[string]any{"capacity": 0}, "event %s: capacity is 0", false},
	{"versions", map[string]any{"version": 0}, "event %s: version is 0", false},
}

// rowDamages of the second registration. None of them is safe to repair.
var rowDamages = [...]struct {
	name   string
	fields map[string]any
	says   string
}{
	{"number of one who left", map[string]any{"number": 4}, "the number 4 is there twice, of users"},
	{"number zero", map[string]any{"number": 0}, "has the number 0; the first is 1"},
	{"no request", map[string]any{"request_id": ""}, "has no request_id"},
}

func TestVerifyFindsEachDamage(t *testing.T) {
	for kind, open := range map[string]func(testing.TB) *fixture{"sqlite": sqliteFixture, "mongodb": mongoFixture} {
		verify := func(t *testing.T, f *fixture, more ...string) (string, error) {
			return tool(t, slices.Concat([]string{"verify"}, f.flags, more)...)
		}
		t.Run(kind+"/clean", func(t *testing.T) {
			f := open(t)
			s := f.open(t)
			populate(t, s)
			populated := func() { // also while somebody has it open, and after
				out, err := verify(t, f)
				wantClean(t, out, err)
				if !strings.Contains(out, "verify: 1 events, 4 registrations, 2 users read") {
					t.Errorf("it printed\n%s", out)
				}
			}
			populated()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			populated()
		})
		for _, d := range counterDamages {
			t.Run(kind+"/"+d.name, func(t *testing.T) {
				f := open(t)
				s := f.open(t)
				e, _ := populate(t, s)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				f.set(t, "events", e.ID, d.fields)
				says := fmt.Sprintf(d.says, e.ID.Hex())
				out, err := verify(t, f)
				wantNotClean(t, out, err, says, "DAMAGED: 1 events, 0 other records")
				if offered := strings.Contains(out, "--repair can set 1 of the events right"); offered != d.repairable {
					t.Errorf("it printed\n%s", out)
				}
				if kind == "mongodb" {
					nats := testenv.StartNATS(t)
					other := f.open(t)
					closeAtEnd(t, other)
					startWorker(t, other, nats.URL())
					f.repair = []string{"--nats-url", nats.URL()}
				}
				out, err = verify(t, f, append([]string{"--repair"}, f.repair...)...)
				if !d.repairable {
					wantNotClean(t, out, err, says)
					return
				}
				wantClean(t, out, err)
				if !strings.Contains(out, "event "+e.ID.Hex()+": repaired; ") || !strings.Contains(out, "repaired: 1 events") {
					t.Errorf("it printed\n%s", out)
				}
				out, err = verify(t, f)
				wantClean(t, out, err)
			})
		}
		plant := func(name, says string, damage func(testing.TB, *fixture, store.Event, []store.Registration)) {
			t.Run(kind+"/"+name, func(t *testing.T) {
				f := open(t)
				s := f.open(t)
				e, rows := populate(t, s)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				damage(t, f, e, rows)
				if says == "" {
					says = f.wants[name]
				}
				out, err := verify(t, f)
				wantNotClean(t, out, err, says, "DAMAGED")
			})
		}
		for _, d := range rowDamages {
			plant(d.name, d.says, func(tb testing.TB, f *fixture, _ store.Event, rows []store.Registration) {
				f.set(tb, "registrations", rows[1], d.fields)
			})
		}
		for name := range open(t).twists {
			plant(name, "", func(tb testing.TB, f *fixture, e store.Event, rows []store.Registration) { f.twists[name](tb, e, rows) })
		}
	}
}

// TestRepairOfAServedFolder: the folder's own process does it, over the port it opens for
// that, and without one repair says what to do.
func TestRepairOfAServedFolder(t *testing.T) {
	f := sqliteFixture(t)
	dir := f.flags[1]
	embedded, err := setup.OpenEmbedded(t.Context(), setup.EmbeddedConfig{Data: dir, NATSListen: "127.0.0.1:0", NATSListenAuth: natsAuth}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, embedded)
	e, _ := populate(t, embedded.Store)
	out, err := tool(t, "verify", "--data", dir)
	wantClean(t, out, err)
	f.set(t, "events", e.ID, map[string]any{"tickets_sold": 1})
	out, err = tool(t, "verify", "--data", dir)
	wantNotClean(t, out, err, "tickets_sold is 1 and 2 people hold a place")
	if _, err := tool(t, "verify", "--data", dir, "--repair"); err == nil || !strings.Contains(err.Error(), "--nats-url") {
		t.Fatalf("error is %v", err)
	}
	out, err = tool(t, "verify", "--data", dir, "--repair", "--nats-url", withAuth(embedded.NATSURL()))
	wantClean(t, out, err)
	if !strings.Contains(out, "tickets_sold 1 -> 2") {
		t.Errorf("it printed\n%s", out)
	}
}

// storm lets three at a time register and cancel until over is called, 50 batches each at most: else whoever reads all of
// them takes longer each time. It counts the batches.
func storm(t *testing.T, s store.Seats, event store.ID, applied *atomic.Int64) (over func()) {
	ctx, stop := context.WithCancel(t.Context())
	var crowd sync.WaitGroup
	for range 3 {
		crowd.Go(func() {
			for n := 0; n < 50 && ctx.Err() == nil; n++ {
				var batch []store.SeatRequest
				for i := range 6 {
					r := store.SeatRequest{Kind: store.Register, EventID: event, UserID: store.NewID(), RequestID: "x", At: time.Now()}
					batch = append(batch, r)
					if i%2 == 0 {
						r.Kind, r.RequestID = store.Cancel, "y"
						batch = append(batch, r)
					}
				}
				if _, err := s.Apply(t.Context(), batch); err != nil {
					t.Error(err)
					return
				}
				applied.Add(1)
			}
		})
	}
	return func() {
		stop()
		crowd.Wait()
	}
}

// TestVerifyWhileServing: under a storm of people who come and go, the proof finds nothing,
// however often it is repeated.
func TestVerifyWhileServing(t *testing.T) {
	for kind, open := range map[string]func(testing.TB) *fixture{"sqlite": sqliteFixture, "mongodb": mongoFixture} {
		t.Run(kind, func(t *testing.T) {
			f := open(t)
			s := f.open(t)
			closeAtEnd(t, s)
			e, _ := populate(t, s)
			var applied atomic.Int64
			for n := 0; n < 20 || applied.Load() < 50; n++ {
				over := storm(t, s, e.ID, &applied)
				var out, log system.Log
				err := run(t.Context(), process.Env{Args: append([]string{"verify"}, f.flags...), Stdout: &out, Stderr: &log})
				over()
				if err != nil {
					t.Fatalf("%v\n%s", err, out.String())
				}
			}
		})
	}
}
