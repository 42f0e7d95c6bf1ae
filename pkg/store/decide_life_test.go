package store_test

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/proven"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// memory is the smallest store that there can be: it keeps what Decide says.
type memory struct {
	events map[store.ID]store.Event
	rows   map[store.ID]map[store.ID]store.Registration // by event, then user
	proven []store.ID                                   // users who have proven their addresses
}

func newMemory(events ...store.Event) *memory {
	m := &memory{events: make(map[store.ID]store.Event), rows: make(map[store.ID]map[store.ID]store.Registration)}
	for _, e := range events {
		m.events[e.ID] = e
		m.rows[e.ID] = make(map[store.ID]store.Registration)
	}
	return m
}

// load returns what Decide needs, and no more than its contract promises.
func (m *memory) load(batch []store.SeatRequest) map[store.ID]store.EventState {
	states := make(map[store.ID]store.EventState)
	for _, req := range batch {
		e, ok := m.events[req.EventID]
		if !ok {
			continue
		}
		if _, ok := states[e.ID]; !ok {
			line := m.line(e)
			n, named := store.Promotable(e, batch)
			state := store.EventState{Event: e, Registrations: make(map[store.ID]store.Registration)}
			if named {
				state.Waiting = slices.Clip(line[:n])
			} else {
				state.Last = store.LastWaiting{Count: n, Number: line[n-1].Number}
			}
			states[e.ID] = state
		}
		if r, ok := m.rows[e.ID][req.UserID]; ok {
			states[e.ID].Registrations[req.UserID] = r
		}
	}
	var asked []store.ID
	for _, user := range proven.Need(states, batch) {
		if slices.Contains(m.proven, user) {
			asked = append(asked, user)
		}
	}
	proven.Note(states, asked)
	return states
}

func (m *memory) line(e store.Event) []store.NumberedUser {
	var line []store.NumberedUser
	for _, r := range m.rows[e.ID] {
		if !r.Cancelled && !e.Confirmed(r) {
			line = append(line, store.NumberedUser{Number: r.Number, UserID: r.UserID})
		}
	}
	slices.SortFunc(line, func(a, b store.NumberedUser) int { return int(a.Number - b.Number) })
	return line
}

func (m *memory) apply(t testing.TB, batch []store.SeatRequest) []store.SeatResult {
	t.Helper()
	states := m.load(batch)
	results, changes := store.Decide(states, batch)
	if !reflect.DeepEqual(states, m.load(batch)) {
		t.Fatal("Decide has changed what it was given")
	}
	for _, c := range changes {
		if !c.Before.Equal(m.events[c.Before.ID]) || c.After.Revision != c.Before.Revision+1 {
			t.Fatalf("change is from %+v to %+v", c.Before, c.After)
		}
		m.events[c.After.ID] = c.After
		for _, r := range c.Added {
			if _, ok := m.rows[r.EventID][r.UserID]; ok {
				t.Fatalf("%+v is added and was there", r)
			}
			m.rows[r.EventID][r.UserID] = r
		}
		for _, r := range c.Replaced {
			if _, ok := m.rows[r.EventID][r.UserID]; !ok {
				t.Fatalf("%+v is replaced and was not there", r)
			}
			m.rows[r.EventID][r.UserID] = r
		}
	}
	return results
}

// check checks the guarantees for one event.
func (m *memory) check(t testing.TB, id store.ID) {
	t.Helper()
	e := m.events[id]
	var sold, waiting int64
	numbers := make(map[int64]bool)
	for _, r := range m.rows[id] {
		if r.Number < 1 || r.Number > e.LastNumber || numbers[r.Number] {
			t.Fatalf("number of %+v; the last is %d", r, e.LastNumber)
		}
		numbers[r.Number] = true
		switch {
		case r.Cancelled:
		case e.Confirmed(r):
			sold++
		default:
			waiting++
		}
	}
	if sold != e.TicketsSold || sold > e.Capacity || waiting != e.Waiting {
		t.Fatalf("%d hold a place and %d wait; the event is %+v", sold, waiting, e)
	}
	if waiting > 0 && sold < e.Capacity && e.CancelledAt.IsZero() {
		t.Fatalf("%d wait while %d of %d places are taken", waiting, sold, e.Capacity)
	}
}

func newEvent(capacity int64) store.Event {
	starts := storetest.Now().Add(24 * time.Hour) // after all hours that the tests draw
	return store.Event{ID: store.NewID(), Capacity: capacity, StartsAt: starts, EndsAt: starts.Add(time.Hour), Version: 1, Revision: 1}
}

func newCrowd(n int) []store.ID {
	crowd := make([]store.ID, n)
	for i := range crowd {
		crowd[i] = store.NewID()
	}
	return crowd
}

func TestRandomSequencesOfEveryKind(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		event := newEvent(rapid.Int64Range(1, 4).Draw(rt, "capacity"))
		crowd := newCrowd(7)
		event.OrganizerID = rapid.SampledFrom(crowd[:2]).Draw(rt, "organizer")
		event.StartsAt, event.EndsAt = storetest.Now().AddDate(1, 0, 0), storetest.Now().AddDate(1, 0, 1) // after all hours that are drawn
		model := storetest.NewModel(event.Capacity, event.StartsAt, event.EndsAt)
		model.Organizer = event.OrganizerID
		m := newMemory(event)
		m.proven, model.Proven = crowd[3:], crowd[3:]
		for range rapid.IntRange(1, 12).Draw(rt, "batches") {
			var batch []store.SeatRequest
			var want []store.Outcome
			for range rapid.IntRange(1, 8).Draw(rt, "size") {
				batch = append(batch, storetest.DrawRequest(rt, event.ID, crowd))
				want = append(want, model.Apply(batch[len(batch)-1]))
			}
			results := m.apply(t, batch)
			for i, res := range results {
				if res.Outcome != want[i] {
					rt.Fatalf("request %d of %+v is %s, want %s", i, batch, res.Outcome, want[i])
				}
			}
			m.check(t, event.ID)
			confirmed, line := m.lists(event.ID)
			if !slices.Equal(confirmed, model.Holders) || !slices.Equal(line, model.Line) {
				rt.Fatalf("%v hold a place and %v wait, the model has %v and %v", confirmed, line, model.Holders, model.Line)
			}
		}
	})
}

// lists returns the confirmed and the waiting registrations, by number.
func (m *memory) lists(id store.ID) (confirmed, line []storetest.Seat) {
	rows := slices.SortedFunc(maps.Values(m.rows[id]), func(a, b store.Registration) int { return int(a.Number - b.Number) })
	for _, r := range rows {
		seat := storetest.Seat{User: r.UserID, Request: r.RequestID, Number: r.Number}
		switch {
		case r.Cancelled:
		case m.events[id].Confirmed(r):
			confirmed = append(confirmed, seat)
		default:
			line = append(line, seat)
		}
	}
	return confirmed, line
}

// TestBatchesMayBeCutAnywhere checks that one batch over several events has the same outcomes as
// any two into which it is cut, and that requests of other events do not matter.
func TestBatchesMayBeCutAnywhere(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		events := []store.Event{newEvent(2), newEvent(3)}
		crowd := newCrowd(5)
		var batch []store.SeatRequest
		for range rapid.IntRange(1, 20).Draw(rt, "size") {
			event := rapid.SampledFrom([]store.ID{events[0].ID, events[1].ID, {1}}).Draw(rt, "event")
			batch = append(batch, storetest.DrawRequest(rt, event, crowd))
		}
		cut := rapid.IntRange(0, len(batch)).Draw(rt, "cut")
		whole, parts := newMemory(events...), newMemory(events...)
		got := whole.apply(t, batch)
		want := append(parts.apply(t, batch[:cut]), parts.apply(t, batch[cut:])...)
		// In parts there are more revisions.
		for _, results := range [][]store.SeatResult{got, want} {
			for i := range results {
				results[i].Registration.Revisions = nil
			}
		}
		for _, m := range []*memory{whole, parts} {
			for _, rows := range m.rows {
				for user, r := range rows {
					r.Revisions = nil
					rows[user] = r
				}
			}
		}
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(whole.rows, parts.rows) {
			rt.Fatalf("whole %+v, in parts %+v", got, want)
		}
		alone := newMemory(events[0])
		var only []store.SeatRequest
		for _, req := range batch {
			if req.EventID == events[0].ID {
				only = append(only, req)
			}
		}
		alone.apply(t, only)
		for user, r := range alone.rows[events[0].ID] {
			r.Revisions = nil
			alone.rows[events[0].ID][user] = r
		}
		if !reflect.DeepEqual(alone.rows[events[0].ID], whole.rows[events[0].ID]) {
			rt.Fatal("another event's requests have made a difference")
		}
	})
}

func TestACapacityAtItsEdges(t *testing.T) {
	for _, c := range []struct {
		name           string
		capacity, sold int64
		want           []store.Outcome
	}{
		{"none left", 5, 5, []store.Outcome{store.SoldOut, store.SoldOut}},
		{"one left", 5, 4, []store.Outcome{store.Registered, store.SoldOut}},
		{"all left", 2, 0, []store.Outcome{store.Registered, store.Registered}},
		{"a billion, all but one sold", 1e9, 1e9 - 1, []store.Outcome{store.Registered, store.SoldOut}},
		{"more sold than there are", 5, 6, []store.Outcome{store.SoldOut, store.SoldOut}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEvent(c.capacity)
			e.TicketsSold, e.LastNumber, e.ConfirmedThrough = c.sold, c.sold, c.sold
			batch := storetest.NewRequests(e.ID, 2)
			results, _ := store.Decide(map[store.ID]store.EventState{e.ID: {Event: e}}, batch)
			for i, want := range c.want {
				if results[i].Outcome != want {
					t.Errorf("request %d is %s, want %s", i, results[i].Outcome, want)
				}
			}
		})
	}
}

// TestNobodySlipsInBeforeTheLine checks that nobody gets a seat before those who wait, not even
// where a seat is free, which only a damaged event has while people wait.
func TestNobodySlipsInBeforeTheLine(t *testing.T) {
	e := newEvent(2)
	e.TicketsSold, e.Waiting, e.LastNumber, e.ConfirmedThrough, e.Waitlist = 1, 1, 2, 1, true
	results, _ := store.Decide(map[store.ID]store.EventState{e.ID: {Event: e, Waiting: []store.NumberedUser{{Number: 2}}}}, storetest.NewRequests(e.ID, 1))
	if results[0].Outcome != store.Waitlisted || results[0].Position != 2 {
		t.Errorf("the newcomer is %s at position %d", results[0].Outcome, results[0].Position)
	}
}

// TestWhoLeavesTheLineInTheSameBatchIsPassedOver checks that a registration which leaves the
// waiting list in a batch is not promoted by the same batch, although its number was loaded.
func TestWhoLeavesTheLineInTheSameBatchIsPassedOver(t *testing.T) {
	e := newEvent(1)
	e.Waitlist = true
	m := newMemory(e)
	people := storetest.NewRequests(e.ID, 4) // with one fewer all who wait would get a place
	m.apply(t, people)
	leave := func(of store.SeatRequest) store.SeatRequest {
		return store.SeatRequest{Kind: store.Cancel, EventID: e.ID, UserID: of.UserID, RequestID: "leave"}
	}
	m.apply(t, []store.SeatRequest{leave(people[1]), leave(people[0])})
	m.check(t, e.ID)
	if holders, line := m.lists(e.ID); len(holders) != 1 || holders[0].User != people[2].UserID || len(line) != 1 || line[0].User != people[3].UserID {
		t.Errorf("%v hold a place and %v wait", holders, line)
	}
}

func TestAContradictoryStateIsNotDecided(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a waiting list that was not loaded was taken for an empty one")
		}
	}()
	e := newEvent(1)
	e.TicketsSold, e.Waiting, e.LastNumber, e.ConfirmedThrough = 1, 5, 6, 1
	user := store.NewID()
	store.Decide(map[store.ID]store.EventState{e.ID: {
		Event: e, Registrations: map[store.ID]store.Registration{user: {EventID: e.ID, UserID: user, Number: 1, RequestID: "a"}},
	}}, []store.SeatRequest{{Kind: store.Cancel, EventID: e.ID, UserID: user, RequestID: "b", At: time.Now()}})
}
