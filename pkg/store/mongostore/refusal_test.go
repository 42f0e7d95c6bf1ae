package mongostore

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// TestARefusalIsNeverStale checks that a seat which one process gives back, or an organizer adds,
// is given at once by another process that has just refused.
func TestARefusalIsNeverStale(t *testing.T) {
	uri := testenv.MongoDB(t)
	here, there := open(t, uri, "a"), open(t, uri, "b")
	event := storetest.NewEvent(t, here, 1)
	apply := func(s *Store, req store.SeatRequest, want store.Outcome) {
		t.Helper()
		results, err := s.Apply(t.Context(), []store.SeatRequest{req})
		if err != nil || results[0].Outcome != want {
			t.Fatalf("%s: %v, %v, want %s", req.Kind, results, err, want)
		}
	}
	holder := storetest.NewRequest(event.ID)
	apply(here, holder, store.Registered)
	for i := range 50 {
		apply(there, storetest.NewRequest(event.ID), store.SoldOut)
		if i%2 == 0 {
			apply(here, store.SeatRequest{Kind: store.Cancel, EventID: event.ID, UserID: holder.UserID, RequestID: store.NewID().Hex()}, store.Cancelled)
		} else {
			capacity := int64(i/2 + 2)
			apply(here, store.SeatRequest{Kind: store.EditEvent, EventID: event.ID, RequestID: store.NewID().Hex(),
				Edit: &store.Edit{Version: store.AnyVersion, Capacity: &capacity}}, store.Edited)
		}
		holder = storetest.NewRequest(event.ID)
		apply(there, holder, store.Registered)
	}
}

// TestARefusalCostsOneReadAndOneWrite checks that a batch which changes nothing needs no
// transaction.
func TestARefusalCostsOneReadAndOneWrite(t *testing.T) {
	s := open(t, testenv.MongoDB(t), "a")
	event := storetest.NewEvent(t, s, 1)
	if _, err := s.Apply(t.Context(), storetest.NewRequests(event.ID, 1)); err != nil {
		t.Fatal(err)
	}
	const batches = 200
	before := commands(t, s)
	for range batches {
		results, err := s.Apply(t.Context(), storetest.NewRequests(event.ID, 20))
		if err != nil || results[0].Outcome != store.SoldOut {
			t.Fatal(results, err)
		}
	}
	// The driver's own heartbeats are among them.
	if n := commands(t, s) - before; n < 2*batches || n > batches*5/2 {
		t.Errorf("%d batches of refusals took %d commands", batches, n)
	}
}

// commands returns how many commands the server has got since it started.
func commands(t *testing.T, s *Store) (sum int64) {
	t.Helper()
	counters := opcounters(t, s)
	for _, kind := range []string{"insert", "query", "update", "delete", "getmore", "command"} {
		n, ok := counters[kind]
		if !ok {
			t.Fatalf("the server does not count %s", kind)
		}
		sum += n
	}
	return sum
}

// opcounters returns how many operations the server has run since it started, by kind. The server
// counts statements of one command one by one.
func opcounters(t *testing.T, s *Store) map[string]int64 {
	t.Helper()
	var status struct {
		Opcounters bson.M `bson:"opcounters"`
	}
	if err := s.client.Database("admin").RunCommand(t.Context(), bson.D{{Key: "serverStatus", Value: 1}}).Decode(&status); err != nil {
		t.Fatal(err)
	}
	counters := make(map[string]int64)
	for kind, value := range status.Opcounters {
		switch n := value.(type) { // beside counters there are documents
		case int32:
			counters[kind] = int64(n)
		case int64:
			counters[kind] = n
		}
	}
	return counters
}
