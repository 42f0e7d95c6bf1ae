package mongostore

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// leasing returns a request of somebody new who asks for a lease.
func leasing(event store.ID) store.SeatRequest {
	r := register(event, store.NewID())
	r.Lease = time.Second
	return r
}

// knowing returns a request whose worker knows that the leases up to one have ended.
func knowing(r store.SeatRequest, ended int64) store.SeatRequest {
	r.LeasesEnded = ended
	return r
}

// soldOut creates an event with one seat, which somebody holds.
func soldOut(t *testing.T, s *Store) (event, holder store.ID) {
	t.Helper()
	event, holder = storetest.NewEvent(t, s, 1).ID, store.NewID()
	wantOutcome(t, s, register(event, holder), store.Registered)
	return event, holder
}

// granted wants a lease and returns which it is.
func granted(t *testing.T, s *Store, event store.ID) int64 {
	t.Helper()
	results := storetest.MustApply(t, s, leasing(event))
	if results[0].Outcome != store.SoldOut || results[0].Lease != time.Second {
		t.Fatalf("no lease is granted: %+v", results[0])
	}
	return results[0].LeasesGranted
}

// TestWhomAnAPIProcessHasRefusedGetsNoSeatLate: an attempt that was sent while a lease was out may have been refused from memory, of
// which no worker knows. It gets no seat when the lease is over, whichever worker has ended it; one that is sent after that does.
func TestWhomAnAPIProcessHasRefusedGetsNoSeatLate(t *testing.T) {
	open := processesOf(t)
	for name, itself := range map[string]bool{"the worker granted it": true, "another granted it and has ended it": false} {
		t.Run(name, func(t *testing.T) {
			one, two := open(), open()
			e, holder := soldOut(t, one)
			grants := one
			if itself {
				grants = two
			}
			n := granted(t, grants, e)
			first := sentNow(register(e, store.NewID()))
			wantOutcome(t, one, knowing(cancel(e, holder), n), store.Cancelled)
			wantOutcome(t, two, first, store.Overtaken)
			wantOutcome(t, one, first, store.Overtaken)
			wantOutcome(t, two, sentNow(first), store.Registered)
		})
	}
}

// TestASeatThatAWorkerOfBeforeHasFreedWaitsForLeases: that one knows nothing of leases and frees it at once, which is why nobody
// grants by default. Workers of now give it to nobody before the leases have ended, and go by what is stored, not by what they remember.
func TestASeatThatAWorkerOfBeforeHasFreedWaitsForLeases(t *testing.T) {
	s := open(t, testenv.MongoDB(t), "a")
	e, holder := soldOut(t, s)
	n := granted(t, s, e)
	_, err := s.events.UpdateOne(t.Context(), bson.D{{Key: "_id", Value: e}},
		bson.D{{Key: "$inc", Value: bson.D{{Key: "tickets_sold", Value: -1}, {Key: "revision", Value: 1}, {Key: "fence", Value: 1}}}})
	must(t, err)
	_, err = s.registrations.UpdateOne(t.Context(), bson.D{{Key: "_id", Value: registrationKey{holder, e}}}, bson.D{{Key: "$set", Value: bson.D{{Key: "cancelled", Value: true}}}})
	must(t, err)
	next := register(e, store.NewID())
	wantOutcome(t, s, next, store.LeaseOut)
	wantOutcome(t, s, knowing(next, n), store.Registered)
	storetest.Check(t, s, e)
}

// TestAGrantIsComparedByItself: a grant that moved no fence, as of a program that has none, keeps a seat from being given on a state
// of before.
func TestAGrantIsComparedByItself(t *testing.T) {
	s := open(t, testenv.MongoDB(t), "a")
	e := storetest.NewEvent(t, s, 9).ID
	for range 2 { // the second time on the cached state
		wantOutcome(t, s, register(e, store.NewID()), store.Registered)
	}
	_, err := s.events.UpdateOne(t.Context(), bson.D{{Key: "_id", Value: e}},
		bson.D{{Key: "$inc", Value: bson.D{{Key: "leases_granted", Value: 1}}}, {Key: "$set", Value: bson.D{{Key: "lease_ms", Value: 1000}}}})
	must(t, err)
	wantOutcome(t, s, register(e, store.NewID()), store.LeaseOut)
}

// leasesWithoutAMajority checks that no lease is told, and no end of leases, while a majority cannot confirm it.
func leasesWithoutAMajority(t *testing.T, set *testenv.ReplicaSet) {
	s := open(t, set.URI(), "leases")
	grants, _ := soldOut(t, s)
	frees, holder := soldOut(t, s)
	n := granted(t, s, frees)
	secondaries, err := set.Secondaries()
	must(t, err)
	must(t, testenv.Freeze(secondaries...))
	defer func() { must(t, testenv.Thaw(secondaries...)) }()
	for _, req := range []store.SeatRequest{
		leasing(grants), leasing(grants), cancel(frees, holder), leasing(frees), knowing(cancel(frees, holder), n), knowing(register(frees, store.NewID()), n),
	} {
		if got, err := apply(t, s, time.Second, req); err == nil {
			t.Errorf("%s is told %s although no majority has it", req.Kind, got)
		}
	}
	must(t, testenv.Thaw(secondaries...))
	must(t, set.Settle())
	// What was stored in vain is a lease of which nobody was told: it is waited for all the same.
	last := granted(t, s, grants)
	results := storetest.MustApply(t, s, edit(grants, store.Edit{Version: store.AnyVersion, Title: new("x")}))
	if results[0].Outcome != store.LeaseOut || results[0].LeasesGranted != last {
		t.Errorf("an edit is told %+v", results[0])
	}
	storetest.Check(t, s, frees)
}
