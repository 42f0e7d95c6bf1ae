package store_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

func capacityEdit(event store.ID, capacity int64) store.SeatRequest {
	return store.SeatRequest{
		Kind: store.EditEvent, EventID: event, RequestID: store.NewID().Hex(),
		Edit: &store.Edit{Version: store.AnyVersion, Capacity: &capacity},
	}
}

// TestPromotable checks that Promotable counts as many numbers as can be needed, and none where
// none is.
func TestPromotable(t *testing.T) {
	e := store.Event{ID: store.NewID(), Capacity: 10, TicketsSold: 10, Waiting: 6}
	free := e
	free.TicketsSold = 4 // as an event whose counters are being mended
	many, more, long, spare := e, e, e, e
	many.Waiting, more.Waiting, long.Waiting, spare.Waiting = 10_000, 10_001, 30_000, 30_000
	spare.Capacity = 25_000
	request := func(kind store.Kind, event store.ID) store.SeatRequest {
		return store.SeatRequest{Kind: kind, EventID: event}
	}
	cancel, register := request(store.Cancel, e.ID), request(store.Register, e.ID)
	for name, c := range map[string]struct {
		event store.Event
		batch []store.SeatRequest
		want  int64
	}{
		"nothing for the event":              {e, []store.SeatRequest{request(store.Cancel, store.NewID())}, 0},
		"who comes in":                       {e, []store.SeatRequest{register}, 0},
		"one leaves":                         {e, []store.SeatRequest{cancel, register}, 1},
		"three leave":                        {e, []store.SeatRequest{cancel, cancel, cancel, request(store.Cancel, store.NewID())}, 3},
		"more leave than wait":               {e, []store.SeatRequest{cancel, cancel, cancel, cancel, cancel, cancel, cancel}, 6},
		"an edit makes some room":            {e, []store.SeatRequest{capacityEdit(e.ID, 13)}, 3},
		"an edit takes room away":            {e, []store.SeatRequest{capacityEdit(e.ID, 7)}, 0},
		"an edit leaves the capacity":        {e, []store.SeatRequest{{Kind: store.EditEvent, EventID: e.ID, Edit: &store.Edit{}}}, 0},
		"alone, it makes room for all":       {e, []store.SeatRequest{capacityEdit(e.ID, 16)}, 6},
		"alone, it makes room for more":      {e, []store.SeatRequest{capacityEdit(e.ID, 20)}, 6},
		"as many as the record names":        {many, []store.SeatRequest{capacityEdit(e.ID, 20_010)}, 10_000},
		"more than the record names":         {more, []store.SeatRequest{capacityEdit(e.ID, 20_011)}, 0},
		"more than are named, not all":       {long, []store.SeatRequest{capacityEdit(e.ID, 10_011)}, 10_001},
		"that many, and one leaves":          {long, []store.SeatRequest{capacityEdit(e.ID, 10_011), cancel}, 10_002},
		"alone, it makes room for all but 1": {e, []store.SeatRequest{capacityEdit(e.ID, 15)}, 5},
		"in two steps, room for all":         {e, []store.SeatRequest{capacityEdit(e.ID, 12), capacityEdit(e.ID, 20)}, 6},
		"with one who leaves, room for all":  {e, []store.SeatRequest{capacityEdit(e.ID, 20), cancel}, 6},
		"alone, and one leaves":              {free, []store.SeatRequest{cancel}, 6},
		"room for all of many, and one more": {more, []store.SeatRequest{capacityEdit(e.ID, 20_011), register}, 10_001},
		"a smaller capacity, seats are free": {spare, []store.SeatRequest{capacityEdit(e.ID, 20_000)}, 19_990},
		"and then another one":               {spare, []store.SeatRequest{capacityEdit(e.ID, 20_000), capacityEdit(e.ID, 11)}, 24_990},
		"a mistake is mended":                {spare, []store.SeatRequest{request(store.Recount, e.ID)}, 24_990},
		"one leaves whom many can follow":    {spare, []store.SeatRequest{cancel}, 24_991},
	} {
		got, named := store.Promotable(c.event, c.batch)
		if unnamed := got > 10_000 && len(c.batch) == 1; got != c.want || named == unnamed {
			t.Errorf("%s: %d, named: %v; want %d", name, got, named, c.want)
		}
	}
}

// TestTheLastOfManyIsEnough checks that an edit which promotes more people than are named decides the same
// on the number of the last of them as on all of them.
func TestTheLastOfManyIsEnough(t *testing.T) {
	const waiting, promoted = 30_000, 10_001
	e := newEvent(10)
	e.Waitlist, e.TicketsSold, e.Waiting, e.ConfirmedThrough, e.LastNumber = true, 10, waiting, 15, 15+2*waiting
	line := make([]store.NumberedUser, waiting)
	for i := range line {
		line[i] = store.NumberedUser{Number: int64(17 + 2*i), UserID: store.NewID()} // every other one has left
	}
	batch := []store.SeatRequest{capacityEdit(e.ID, 10+promoted)}
	if n, named := store.Promotable(e, batch); n != promoted || named {
		t.Fatalf("Promotable returns %d, %v", n, named)
	}
	wanted, want := store.Decide(map[store.ID]store.EventState{e.ID: {Event: e, Waiting: line}}, batch)
	results, changes := store.Decide(map[store.ID]store.EventState{
		e.ID: {Event: e, Last: store.LastWaiting{Count: promoted, Number: line[promoted-1].Number}},
	}, batch)
	if !reflect.DeepEqual(results, wanted) || !reflect.DeepEqual(changes, want) || changes[0].After.ConfirmedThrough != 15+2*promoted {
		t.Errorf("got %+v %+v, want %+v %+v", results, changes, wanted, want)
	}
}

// TestEditsOfABatchAreOne checks that two edits in a batch are stored as one, with the later value
// of each field.
func TestEditsOfABatchAreOne(t *testing.T) {
	e := newEvent(5)
	first, second := fullEdit("first", 6), fullEdit("second", 7)
	for name, c := range map[string]struct{ first, second, want *store.Edit }{
		"both have all":      {first, second, second},
		"the first has all":  {first, &store.Edit{Version: store.AnyVersion}, first},
		"the second has all": {&store.Edit{Version: store.AnyVersion}, second, second},
	} {
		_, changes := store.Decide(map[store.ID]store.EventState{e.ID: {Event: e}}, []store.SeatRequest{
			{Kind: store.EditEvent, EventID: e.ID, RequestID: "1", Edit: c.first},
			{Kind: store.EditEvent, EventID: e.ID, RequestID: "2", Edit: c.second},
		})
		want := *c.want
		want.Version = changes[0].Edit.Version // is compared, and not stored
		if len(changes) != 1 || !reflect.DeepEqual(*changes[0].Edit, want) {
			t.Errorf("%s: %+v", name, changes)
		}
		if after := changes[0].After; after.Version != e.Version+2 || after.Waitlist != *want.Waitlist || after.Capacity != *want.Capacity ||
			after.OpensAt != *want.OpensAt || after.ClosesAt != *want.ClosesAt || !after.CancelledAt.IsZero() {
			t.Errorf("%s: the event is %+v", name, after)
		}
	}
	// A cancellation stays one, whatever is edited with it.
	for _, edits := range [][]*store.Edit{{first, {Version: store.AnyVersion, Cancel: true}}, {{Version: store.AnyVersion, Cancel: true}, first}} {
		results, changes := store.Decide(map[store.ID]store.EventState{e.ID: {Event: e}}, []store.SeatRequest{
			{Kind: store.EditEvent, EventID: e.ID, RequestID: "1", Edit: edits[0], At: time.UnixMilli(1)},
			{Kind: store.EditEvent, EventID: e.ID, RequestID: "2", Edit: edits[1], At: time.UnixMilli(1)},
		})
		if !changes[0].Edit.Cancel || changes[0].After.CancelledAt.IsZero() {
			t.Errorf("%v, %+v", results, changes)
		}
	}
}

// fullEdit returns an edit that has every field but Cancel. It goes by reflection, so that a new
// field is in it too.
func fullEdit(text string, number int64) *store.Edit {
	e := &store.Edit{Version: store.AnyVersion}
	fields := reflect.ValueOf(e).Elem()
	for i := range fields.NumField() {
		switch p := fields.Field(i).Addr().Interface().(type) {
		case **string:
			*p = new(text + " " + fields.Type().Field(i).Name)
		case **int64:
			*p = &number
		case **bool:
			*p = new(number%2 == 1)
		case **time.Time:
			*p = new(time.UnixMilli(1000*number + int64(i)).UTC())
		}
	}
	e.EndsAt = new(e.EndsAt.Add(time.Second)) // after all others
	return e
}

// TestARepeatedRequestWritesNothing checks that a request which comes again gets the same outcome
// and is remembered once, also one that found a registration.
func TestARepeatedRequestWritesNothing(t *testing.T) {
	event := newEvent(5)
	m := newMemory(event)
	ask := store.SeatRequest{Kind: store.Register, EventID: event.ID, UserID: store.NewID(), RequestID: "first", Keyed: true, At: time.UnixMilli(1)}
	later := ask
	later.RequestID = "second"
	for _, step := range []struct {
		request store.SeatRequest
		want    store.Outcome
		writes  bool
	}{
		{ask, store.Registered, true},
		{ask, store.Registered, false},
		{later, store.AlreadyRegistered, true},
		{later, store.AlreadyRegistered, false},
		{ask, store.Registered, false},
	} {
		before := m.events[event.ID]
		res := m.apply(t, []store.SeatRequest{step.request})[0]
		if res.Outcome != step.want || (!m.events[event.ID].Equal(before)) != step.writes {
			t.Errorf("%s is told %s, written: %t", step.request.RequestID, res.Outcome, !m.events[event.ID].Equal(before))
		}
		if row := m.rows[event.ID][ask.UserID]; !res.Registration.Equal(row) {
			t.Errorf("%s is told of %+v, and the row is %+v", step.request.RequestID, res.Registration, row)
		}
	}
}

// TestNobodyToPromoteMovesNothing checks that a recount does not move ConfirmedThrough when nobody
// waits.
func TestNobodyToPromoteMovesNothing(t *testing.T) {
	e := newEvent(5)
	e.TicketsSold, e.ConfirmedThrough, e.LastNumber = 2, 2, 4 // 3 and 4 waited, and left
	_, changes := store.Decide(map[store.ID]store.EventState{e.ID: {Event: e}}, []store.SeatRequest{capacityEdit(e.ID, 6)})
	if after := changes[0].After; after.ConfirmedThrough != 2 || after.TicketsSold != 2 || after.Waiting != 0 {
		t.Errorf("the event is %+v", after)
	}
	recount := []store.SeatRequest{{Kind: store.Recount, EventID: e.ID, RequestID: "x"}}
	counts := &store.Counts{Confirmed: 2, LastNumber: 4}
	if results, changes := store.Decide(map[store.ID]store.EventState{e.ID: {Event: e, Counts: counts}}, recount); len(changes) != 0 {
		t.Errorf("a recount that finds all in order: %+v, %+v", results, changes)
	}
}

// TestAStateThatContradictsItself checks that Decide panics when an adapter has loaded too little.
func TestAStateThatContradictsItself(t *testing.T) {
	e := newEvent(2)
	e.TicketsSold, e.ConfirmedThrough, e.LastNumber, e.Waiting = 2, 2, 5, 3
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, "none of them is loaded") {
			t.Errorf("it panics with %q", text)
		}
	}()
	store.Decide(map[store.ID]store.EventState{e.ID: {Event: e}}, []store.SeatRequest{capacityEdit(e.ID, 3)})
}

// TestRecounts checks which batches need counts: those with a recount of the event, unless it waits for leases.
func TestRecounts(t *testing.T) {
	e, other := newEvent(1), newEvent(1)
	leased := e
	leased.LeasesGranted, leased.LeaseMillis = 3, 100
	batch := []store.SeatRequest{{Kind: store.Cancel, EventID: e.ID}, {Kind: store.Recount, EventID: other.ID}}
	recount := func(ended int64) []store.SeatRequest {
		return []store.SeatRequest{{Kind: store.Recount, EventID: e.ID, LeasesEnded: ended}}
	}
	for name, c := range map[string]struct {
		event store.Event
		batch []store.SeatRequest
		want  bool
	}{
		"a recount of another event":    {e, batch, false},
		"a recount":                     {other, batch, true},
		"leases are out":                {leased, recount(0), false},
		"earlier leases have ended":     {leased, recount(2), false},
		"the leases have ended":         {leased, recount(3), true},
		"a recount of an event of none": {e, recount(0), true},
	} {
		if got := store.Recounts(c.event, c.batch); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestWhoWasPromotedIsNotPromotedAgain checks that a seat which becomes free goes to a registration
// that waits, when an edit in the same batch has promoted all who waited before and two more have
// joined the waiting list since.
func TestWhoWasPromotedIsNotPromotedAgain(t *testing.T) {
	event := newEvent(1)
	event.Waitlist = true
	m := newMemory(event)
	crowd := newCrowd(4)
	register := func(user store.ID) store.SeatRequest {
		return store.SeatRequest{Kind: store.Register, EventID: event.ID, UserID: user, RequestID: user.Hex()}
	}
	m.apply(t, []store.SeatRequest{register(crowd[0]), register(crowd[1])})
	m.apply(t, []store.SeatRequest{
		capacityEdit(event.ID, 2), register(crowd[2]), register(crowd[3]),
		{Kind: store.Cancel, EventID: event.ID, UserID: crowd[0], RequestID: "away"},
	})
	m.check(t, event.ID)
	if _, line := m.lists(event.ID); len(line) != 1 || line[0].User != crowd[3] {
		t.Errorf("%+v wait, and the event is %+v", line, m.events[event.ID])
	}
}

// TestDatabaseIDOf checks that other parts make another id, also when they read alike one after the
// other.
func TestDatabaseIDOf(t *testing.T) {
	seen := make(map[string]string)
	for name, parts := range map[string][]string{
		"none": {}, "an empty one": {""}, "one": {"ab"}, "another": {"ac"}, "two": {"a", "b"}, "two in other places": {"", "ab"},
		"in another order": {"b", "a"}, "with what is written between": {"1:a"},
	} {
		bytes := make([][]byte, len(parts))
		for i, part := range parts {
			bytes[i] = []byte(part)
		}
		id := store.DatabaseIDOf(bytes...)
		if other, taken := seen[id]; taken {
			t.Errorf("%s has the id of %s", name, other)
		}
		seen[id] = name
		if len(id) != 20 || strings.Trim(id, "0123456789abcdef") != "" || id != store.DatabaseIDOf(bytes...) {
			t.Errorf("%s: %q", name, id)
		}
	}
}
