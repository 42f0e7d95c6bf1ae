package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

const lease = 300 * time.Millisecond

// asking returns a Register of somebody new that asks for a lease.
func asking(event store.ID) store.SeatRequest {
	r := storetest.NewRequest(event)
	r.Lease = lease
	return r
}

// soldOut returns an event of which both seats are sold, to users whose registrations come too.
func soldOut() (store.Event, []store.Registration) {
	e := newEvent(2)
	e.TicketsSold, e.LastNumber, e.ConfirmedThrough = 2, 2, 2
	var rows []store.Registration
	for n := range int64(2) {
		rows = append(rows, store.Registration{EventID: e.ID, UserID: store.NewID(), Number: n + 1, RequestID: "r"})
	}
	return e, rows
}

// decide decides about an event with these registrations, where all who ask have proven their addresses.
func decide(e store.Event, rows []store.Registration, batch ...store.SeatRequest) ([]store.SeatResult, []store.Change) {
	state := store.EventState{Event: e, Registrations: make(map[store.ID]store.Registration), Proven: make(map[store.ID]bool)}
	for _, req := range batch {
		state.Proven[req.UserID] = true
	}
	for _, r := range rows {
		state.Registrations[r.UserID] = r
	}
	return store.Decide(map[store.ID]store.EventState{e.ID: state}, batch)
}

// TestWhoIsGrantedALease: who is refused as sold out, asks for it, and only where the batch changes nothing else and no other
// answer may be due before the lease ends.
func TestWhoIsGrantedALease(t *testing.T) {
	now := storetest.Now()
	for name, c := range map[string]struct {
		event func(*store.Event)
		batch func(e store.Event, rows []store.Registration) []store.SeatRequest
		want  time.Duration // of the first request
		ms    int64         // of the event afterwards
	}{
		"who is refused":       {want: lease, ms: 300},
		"who does not ask":     {batch: func(e store.Event, _ []store.Registration) []store.SeatRequest { return storetest.NewRequests(e.ID, 2) }},
		"a longer one is out":  {event: func(e *store.Event) { e.LeasesGranted, e.LeaseMillis = 7, 900 }, want: lease, ms: 900},
		"a shorter one is out": {event: func(e *store.Event) { e.LeasesGranted, e.LeaseMillis = 7, 100 }, want: lease, ms: 300},
		"leases are ending":    {event: func(e *store.Event) { e.LeasesGranted, e.LeaseMillis, e.LeasesEnding = 7, 100, true }, ms: 100},
		"a seat is free":       {event: func(e *store.Event) { e.Capacity = 3 }, ms: 0},
		"people wait":          {event: func(e *store.Event) { e.Waiting, e.LastNumber = 1, 3 }},
		"a waiting list":       {event: func(e *store.Event) { e.Waitlist = true }},
		"proven addresses":     {event: func(e *store.Event) { e.RequiresProvenEmail = true }},
		"it is closed":         {event: func(e *store.Event) { e.ClosesAt = now }},
		"it is not open":       {event: func(e *store.Event) { e.OpensAt = now.Add(time.Hour) }},
		"it is cancelled":      {event: func(e *store.Event) { e.CancelledAt = now }},
		"it closes soon":       {event: func(e *store.Event) { e.ClosesAt = now.Add(5*time.Millisecond + time.Microsecond) }, want: 5 * time.Millisecond, ms: 5},
		"it closes at once":    {event: func(e *store.Event) { e.ClosesAt = now.Add(time.Microsecond) }},
		"far too long": {batch: func(e store.Event, _ []store.Registration) []store.SeatRequest {
			r := asking(e.ID)
			r.Lease = time.Hour
			return []store.SeatRequest{r}
		}, want: store.MaxLease, ms: 1000},
		"somebody's key is remembered": {batch: func(e store.Event, rows []store.Registration) []store.SeatRequest {
			again := storetest.WithKey(storetest.NewRequest(e.ID))
			again.UserID = rows[0].UserID
			return []store.SeatRequest{asking(e.ID), again}
		}},
		"another is put aside later": {event: func(e *store.Event) { e.LeasesGranted, e.LeaseMillis = 7, 100 }, ms: 100,
			batch: func(e store.Event, rows []store.Registration) []store.SeatRequest {
				return []store.SeatRequest{asking(e.ID), storetest.NewCancel(store.SeatRequest{EventID: e.ID, UserID: rows[0].UserID})}
			}},
		"somebody leaves later": {batch: func(e store.Event, rows []store.Registration) []store.SeatRequest {
			return []store.SeatRequest{asking(e.ID), storetest.NewCancel(store.SeatRequest{EventID: e.ID, UserID: rows[0].UserID})}
		}},
		"the batch knows that others have ended": {event: func(e *store.Event) { e.LeasesGranted, e.LeaseMillis, e.LeasesEnding = 7, 900, true }, want: lease, ms: 300,
			batch: func(e store.Event, _ []store.Registration) []store.SeatRequest {
				r := asking(e.ID)
				r.LeasesEnded = 7
				return []store.SeatRequest{r}
			}},
	} {
		e, rows := soldOut()
		if c.event != nil {
			c.event(&e)
		}
		batch := []store.SeatRequest{asking(e.ID), asking(e.ID)}
		if c.batch != nil {
			batch = c.batch(e, rows)
		}
		results, changes := decide(e, rows, batch...)
		after := e
		for _, ch := range changes {
			after = ch.After
		}
		granted := e.LeasesGranted
		if c.want > 0 {
			granted++ // one for the batch
			if r := results[0]; r.LastNumber != e.LastNumber || r.LeasesGranted != granted || r.Outcome != store.SoldOut || len(changes) != 1 || !changes[0].OnlyLeases() {
				t.Errorf("%s: the result is %+v, with changes %+v", name, r, changes)
			}
		}
		if results[0].Lease != c.want || after.LeasesGranted != granted || after.LeaseMillis != c.ms {
			t.Errorf("%s: granted %s, and the event has %d of at most %d ms; want %s, %d and %d", name,
				results[0].Lease, after.LeasesGranted, after.LeaseMillis, c.want, granted, c.ms)
		}
		if ending := slices.ContainsFunc(changes, func(c store.Change) bool { return c.After.LeasesEnding }); ending && results[0].Lease > 0 {
			t.Errorf("%s: it is granted while leases end", name)
		}
	}
}

// TestWhoWaitsForLeases: what may free a seat, or change who is refused and why, is not decided while leases are out, and what
// it changes is stored when they have ended. Registrations go on to be refused, wherever in the batch they are.
func TestWhoWaitsForLeases(t *testing.T) {
	e, rows := soldOut()
	e.LeasesGranted, e.LeaseMillis = 7, 250
	cancel := storetest.NewCancel(store.SeatRequest{EventID: e.ID, UserID: rows[0].UserID})
	stranger := storetest.WithKey(storetest.NewCancel(storetest.NewRequest(e.ID)))
	edit := storetest.NewEdit(e.ID, store.Edit{Version: store.AnyVersion, Title: new("T")})
	raise := storetest.NewEdit(e.ID, store.Edit{Version: store.AnyVersion, Capacity: new(int64(3))})
	ends := storetest.NewEdit(e.ID, store.Edit{Version: store.AnyVersion, Cancel: true})
	list := storetest.NewEdit(e.ID, store.Edit{Version: store.AnyVersion, Waitlist: new(true)})
	recount := store.SeatRequest{Kind: store.Recount, EventID: e.ID, RequestID: "recount", At: storetest.Now()}
	for name, req := range map[string]store.SeatRequest{
		"a cancellation": cancel, "one of somebody unknown": stranger, "an edit of a text": edit, "a larger capacity": raise,
		"the end of the event": ends, "a waiting list": list, "a recount": recount,
	} {
		first, second := asking(e.ID), asking(e.ID)
		for _, ended := range []int64{0, 6, 8, 7} {
			req.LeasesEnded = ended
			state := store.EventState{Event: e, Registrations: map[store.ID]store.Registration{rows[0].UserID: rows[0], rows[1].UserID: rows[1]}}
			if store.Recounts(e, []store.SeatRequest{req}) {
				state.Counts = &store.Counts{Confirmed: 2, LastNumber: 2}
			}
			results, changes := store.Decide(map[store.ID]store.EventState{e.ID: state}, []store.SeatRequest{first, req, second})
			if len(changes) != 1 {
				t.Fatalf("%s: %d changes", name, len(changes))
			}
			after := changes[0].After
			if ended == 7 {
				if results[1].Outcome == store.LeaseOut || after.LeaseMillis != 0 && req.Kind != store.Recount || after.LeasesEnding {
					t.Errorf("%s: when they have ended it is %s, the event %+v", name, results[1].Outcome, after)
				}
				if !changes[0].EndsRefusals() && req.Kind != store.Recount {
					t.Errorf("%s: nobody learns whom API processes have refused", name)
				}
				continue
			}
			if results[1].Outcome != store.LeaseOut || results[1].LeasesGranted != 7 || results[1].Lease != 250*time.Millisecond {
				t.Errorf("%s: while they are out it is %+v", name, results[1])
			}
			for _, i := range []int{0, 2} {
				if r := results[i]; r.Outcome != store.SoldOut || r.Lease != 0 || r.LeasesGranted != 7 {
					t.Errorf("%s: a registration beside it is %+v", name, r)
				}
			}
			want := e
			want.LeasesEnding = true
			if !after.Equal(want) || len(changes[0].Added)+len(changes[0].Replaced) > 0 || len(changes[0].Records()) > 0 {
				t.Errorf("%s: it changes %+v", name, changes[0])
			}
		}
	}
}

// TestASeatThatIsFreeWaitsForLeases: one that a worker of a version before has freed is given when the leases have ended.
func TestASeatThatIsFreeWaitsForLeases(t *testing.T) {
	for name, free := range map[string]func(*store.Event){
		"a seat":                        func(e *store.Event) { e.Capacity++ },
		"a place in a waiting list":     func(e *store.Event) { e.Waitlist = true },
		"a seat that others waited for": func(e *store.Event) { e.Capacity++; e.LeasesEnding = true },
	} {
		e, rows := soldOut()
		e.LeasesGranted, e.LeaseMillis = 7, 250
		free(&e)
		req := asking(e.ID)
		if results, changes := decide(e, rows, req); results[0].Outcome != store.LeaseOut || len(changes) > 1 || len(changes) == 1 && !changes[0].OnlyLeases() {
			t.Errorf("%s: %+v, %+v", name, results, changes)
		}
		req.LeasesEnded = 7
		if results, changes := decide(e, rows, req); results[0].Outcome != store.Registered && results[0].Outcome != store.Waitlisted || changes[0].After.LeaseMillis != 0 {
			t.Errorf("%s, when they have ended: %+v, %+v", name, results, changes)
		}
	}
}

// TestWhatWasSentBeforeLeasesEndedIsOvertaken: an API process may have refused the same request meanwhile, of which no worker knows.
func TestWhatWasSentBeforeLeasesEndedIsOvertaken(t *testing.T) {
	e, rows := soldOut()
	e.LeasesGranted, e.LeaseMillis = 7, 250
	cancel := storetest.NewCancel(store.SeatRequest{EventID: e.ID, UserID: rows[0].UserID})
	cancel.LeasesEnded = 7
	for sent, want := range map[time.Duration]store.Outcome{-time.Millisecond: store.Overtaken, time.Millisecond: store.Registered} {
		req := asking(e.ID)
		req.SentAt = cancel.At.Add(sent)
		results, _ := decide(e, rows, cancel, req)
		if results[0].Outcome != store.Cancelled || results[1].Outcome != want {
			t.Errorf("sent %s after the end: %+v", sent, results)
		}
	}
}

// TestLeasesOfOneEventEndAlone: what a batch knows of another event's leases says nothing of these.
func TestLeasesOfOneEventEndAlone(t *testing.T) {
	e, rows := soldOut()
	e.LeasesGranted, e.LeaseMillis = 7, 250
	other := e
	other.ID = store.NewID()
	cancel, known := storetest.NewCancel(store.SeatRequest{EventID: e.ID, UserID: rows[0].UserID}), storetest.NewCancel(store.SeatRequest{EventID: other.ID, UserID: store.NewID()})
	known.LeasesEnded = 7
	results, changes := store.Decide(map[store.ID]store.EventState{e.ID: {Event: e}, other.ID: {Event: other}}, []store.SeatRequest{known, cancel})
	if results[0].Outcome != store.Cancelled || results[1].Outcome != store.LeaseOut || len(changes) != 2 {
		t.Errorf("%+v, %+v", results, changes)
	}
}

// TestAChangeOfTheOpeningEndsRefusals, and so do leases that end, but no other change.
func TestAChangeOfTheOpeningEndsRefusals(t *testing.T) {
	e, _ := soldOut()
	leased, opened := e, e
	leased.LeasesGranted, leased.LeaseMillis = 1, 100
	opened.OpensAt = storetest.Now()
	for name, c := range map[string]struct {
		before, after store.Event
		want          bool
	}{
		"nothing": {e, e, false}, "a grant": {e, leased, false}, "leases stay": {leased, leased, false}, "leases end": {leased, e, true}, "the opening moves": {e, opened, true},
	} {
		if got := (store.Change{Before: c.before, After: c.after}).EndsRefusals(); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestWhoAsksForNoLeaseIsToldOfNone checks who learns of leases that are ending: who is refused and asked for one.
func TestWhoAsksForNoLeaseIsToldOfNone(t *testing.T) {
	e, rows := soldOut()
	e.LeaseMillis, e.LeasesGranted, e.LeasesEnding = 100, 3, true
	none := asking(e.ID)
	none.Lease = 0
	results, _ := decide(e, rows, none, asking(e.ID))
	for i, want := range []int64{0, 3} {
		if r := results[i]; r.Outcome != store.SoldOut || r.LeasesGranted != want || r.Lease != 0 {
			t.Errorf("request %d: %+v", i, r)
		}
	}
}
