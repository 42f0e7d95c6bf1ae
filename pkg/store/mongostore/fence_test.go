package mongostore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// question is a request about an event, and the outcome that it has when the change of its scenario
// is stored.
type question struct {
	store.SeatRequest
	want store.Outcome
}

func register(event, user store.ID) store.SeatRequest {
	return store.SeatRequest{Kind: store.Register, EventID: event, UserID: user, RequestID: store.NewID().Hex(), At: time.Now()}
}

func cancel(event, user store.ID) store.SeatRequest {
	return store.SeatRequest{Kind: store.Cancel, EventID: event, UserID: user, RequestID: store.NewID().Hex(), At: time.Now()}
}

func edit(event store.ID, e store.Edit) store.SeatRequest {
	return store.SeatRequest{Kind: store.EditEvent, EventID: event, RequestID: store.NewID().Hex(), At: time.Now(), Edit: &e}
}

// apply applies a batch within a time limit and returns the outcome of its last request.
func apply(t *testing.T, s *Store, limit time.Duration, batch ...store.SeatRequest) (store.Outcome, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	results, err := s.Apply(ctx, batch)
	if err != nil {
		return "", err
	}
	return results[len(results)-1].Outcome, nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantOutcome(t *testing.T, s *Store, req store.SeatRequest, want store.Outcome) {
	t.Helper()
	if got, err := apply(t, s, 20*time.Second, req); err != nil || got != want {
		t.Fatalf("%s: %s, %v; want %s", req.Kind, got, err, want)
	}
}

// scenario is a change that is not stored yet, and what is asked about its event meanwhile. Every
// answer that does not wait for the change would be overtaken by it.
type scenario struct {
	name string
	// prepare creates an event in s and returns the change, and the questions with the answers
	// that they get when the change is stored.
	prepare func(t *testing.T, s *Store) (change []store.SeatRequest, questions []question)
}

func scenarios() []scenario {
	return []scenario{
		{"a_seat_given_back_is_asked_for", func(t *testing.T, s *Store) ([]store.SeatRequest, []question) {
			e := storetest.NewEvent(t, s, 1).ID
			holder, other := store.NewID(), register(e, store.NewID())
			wantOutcome(t, s, register(e, holder), store.Registered)
			return []store.SeatRequest{cancel(e, holder), other}, []question{{other, store.Registered}}
		}},
		{"a_seat_taken_is_given_back", func(t *testing.T, s *Store) ([]store.SeatRequest, []question) {
			e, user := storetest.NewEvent(t, s, 1).ID, store.NewID()
			return []store.SeatRequest{register(e, user)}, []question{{cancel(e, user), store.Cancelled}}
		}},
		{"a_seat_taken_is_asked_for_again", func(t *testing.T, s *Store) ([]store.SeatRequest, []question) {
			e := storetest.NewEvent(t, s, 1).ID
			request := register(e, store.NewID())
			return []store.SeatRequest{request}, []question{{request, store.Registered}}
		}},
		{"a_seat_taken_leaves_none_for_others", func(t *testing.T, s *Store) ([]store.SeatRequest, []question) {
			e := storetest.NewEvent(t, s, 1).ID
			return []store.SeatRequest{register(e, store.NewID())}, []question{{register(e, store.NewID()), store.SoldOut}}
		}},
		{"a_raised_capacity_is_used", func(t *testing.T, s *Store) ([]store.SeatRequest, []question) {
			e, two := storetest.NewEvent(t, s, 1).ID, int64(2)
			wantOutcome(t, s, register(e, store.NewID()), store.Registered)
			return []store.SeatRequest{edit(e, store.Edit{Version: 1, Capacity: &two})}, []question{
				{edit(e, store.Edit{Version: 1}), store.VersionMismatch},
				{register(e, store.NewID()), store.Registered},
			}
		}},
		{"a_cancelled_event_takes_nobody", func(t *testing.T, s *Store) ([]store.SeatRequest, []question) {
			e := storetest.NewEvent(t, s, 1).ID
			wantOutcome(t, s, register(e, store.NewID()), store.Registered)
			return []store.SeatRequest{edit(e, store.Edit{Version: store.AnyVersion, Cancel: true})}, []question{
				{register(e, store.NewID()), store.EventCancelled},
				{edit(e, store.Edit{Version: store.AnyVersion, Cancel: true}), store.Edited},
			}
		}},
		{"a_waiting_list_moves_up", func(t *testing.T, s *Store) ([]store.SeatRequest, []question) {
			e := storetest.NewEvent(t, s, 1)
			yes := true
			wantOutcome(t, s, edit(e.ID, store.Edit{Version: store.AnyVersion, Waitlist: &yes}), store.Edited)
			holder, waits := store.NewID(), register(e.ID, store.NewID())
			wantOutcome(t, s, register(e.ID, holder), store.Registered)
			wantOutcome(t, s, waits, store.Waitlisted)
			again := register(e.ID, waits.UserID)
			return []store.SeatRequest{cancel(e.ID, holder)}, []question{
				{waits, store.Registered}, {again, store.AlreadyRegistered},
				{cancel(e.ID, holder), store.Cancelled}, {register(e.ID, store.NewID()), store.Waitlisted},
			}
		}},
	}
}

// prepared is a scenario whose event is created.
type prepared struct {
	scenario
	change    []store.SeatRequest
	questions []question
}

// begin prepares all scenarios in s.
func begin(t *testing.T, s *Store) []*prepared {
	t.Helper()
	var all []*prepared
	for _, scenario := range scenarios() {
		change, questions := scenario.prepare(t, s)
		all = append(all, &prepared{scenario: scenario, change: change, questions: questions})
	}
	return all
}

// atOnce calls do for all scenarios at the same time: for more of them than t.Parallel would on a
// machine with few processors, because all they do is wait.
func atOnce(t *testing.T, all []*prepared, do func(t *testing.T, s *prepared)) {
	t.Helper()
	var running sync.WaitGroup
	for _, s := range all {
		running.Go(func() { t.Run(s.name, func(t *testing.T) { do(t, s) }) })
	}
	running.Wait()
}

// TestNoAnswerIsOvertaken checks on three nodes that no definite answer is given while a write
// about the same event is on its way.
func TestNoAnswerIsOvertaken(t *testing.T) {
	set := testenv.StartReplicaSet(t, 1000) // the first election comes after that
	must(t, set.SetElectionTimeout(10_000)) // MongoDB's own: no election comes in the way
	t.Run("a_reader_of_the_record_when_the_primary_steps_down", func(t *testing.T) { stepDownUnderAReader(t, set) })
	t.Run("while_no_majority_confirms", func(t *testing.T) { noMajority(t, set) })
	t.Run("a_lease_while_no_majority_confirms", func(t *testing.T) { leasesWithoutAMajority(t, set) })
	t.Run("a_sign_up_when_the_primary_steps_down", func(t *testing.T) { steppedDown(t, set) })
	t.Run("by_a_deposed_primary", func(t *testing.T) { deposedPrimary(t, set) })
}

// noMajority checks that nothing definite is answered while both secondaries are frozen, so that
// the primary has commits that a majority has not; and that the answers afterwards agree with what
// is stored.
func noMajority(t *testing.T, set *testenv.ReplicaSet) {
	s := open(t, set.URI(), "a")
	all := begin(t, s)
	secondaries, err := set.Secondaries()
	must(t, err)
	must(t, testenv.Freeze(secondaries...))
	defer func() { must(t, testenv.Thaw(secondaries...)) }()
	address := store.NewID().Hex() + "@example.org"
	for range 2 {
		if err := signUp(t, s, time.Second, address); err == nil || errors.Is(err, store.ErrEmailTaken) {
			t.Errorf("a sign-up that no majority confirms is told %v", err)
		}
	}
	atOnce(t, all, func(t *testing.T, st *prepared) {
		if got, err := apply(t, s, time.Second, st.change...); err == nil {
			t.Fatalf("the change is told %s although no majority has it", got)
		}
		for _, q := range st.questions {
			if got, err := apply(t, s, 500*time.Millisecond, q.SeatRequest); err == nil {
				t.Errorf("%s is told %s although no majority confirms it", q.Kind, got)
			}
		}
	})
	must(t, testenv.Thaw(secondaries...))
	must(t, set.Settle()) // a machine that is slow may have had an election
	if err := signUp(t, s, 20*time.Second, address); !errors.Is(err, store.ErrEmailTaken) {
		t.Errorf("an address that was taken is told %v", err)
	}
	atOnce(t, all, func(t *testing.T, st *prepared) {
		for _, q := range append([]question{{SeatRequest: st.change[len(st.change)-1]}}, st.questions...) {
			got, err := apply(t, s, 20*time.Second, q.SeatRequest)
			must(t, err)
			wantTrue(t, s, q.SeatRequest, got)
		}
	})
}

// steppedDown checks that nobody is told that an address is taken by a sign-up which no majority
// has confirmed, when the primary steps down: its successor may not have that sign-up.
func steppedDown(t *testing.T, set *testenv.ReplicaSet) {
	s := open(t, set.URI(), "a")
	primary, err := set.Primary()
	must(t, err)
	secondaries, err := set.Secondaries()
	must(t, err)
	direct, err := connect(primary.URI()+"&directConnection=true&appName=direct", zerolog.Nop())
	must(t, err)
	admin := direct.client.Database("admin")
	must(t, testenv.Freeze(secondaries...))
	defer func() { must(t, testenv.Thaw(secondaries...)) }()
	address := store.NewID().Hex() + "@example.org"
	if err := signUp(t, s, time.Second, address); err == nil {
		t.Fatal("a sign-up is told although no majority has it")
	}
	told := make(chan error, 1)
	go func() { told <- signUp(t, direct, 20*time.Second, address) }()
	testenv.Eventually(t, 5*time.Second, "wait for a majority", func() error {
		var now struct{ Inprog []bson.M }
		err := admin.RunCommand(t.Context(), bson.D{{Key: "currentOp", Value: 1}, {Key: "command.insert", Value: "users"}, {Key: "appName", Value: "direct"}}).Decode(&now)
		if err == nil && len(now.Inprog) == 0 {
			err = errors.New("no sign-up is under way")
		}
		return err
	})
	must(t, admin.RunCommand(t.Context(), bson.D{{Key: "replSetStepDown", Value: 5}, {Key: "force", Value: true}}).Err())
	if err := <-told; err == nil || errors.Is(err, store.ErrEmailTaken) || errors.Is(err, store.ErrNothingStored) {
		t.Errorf("a sign-up under an address whose fate is open is told %v", err)
	}
	must(t, direct.Close())
	must(t, testenv.Thaw(secondaries...))
	testenv.Eventually(t, 30*time.Second, "elect a secondary before the election time-out", func() error {
		return errors.Join(secondaries[0].Command(bson.D{{Key: "replSetStepUp", Value: 1}}), set.Settle())
	})
}

func signUp(t *testing.T, s *Store, limit time.Duration, address string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	return s.CreateUser(ctx, store.User{ID: store.NewID(), Email: address, CreatedAt: time.Now()})
}

// wantTrue checks that the store agrees with an outcome that was answered.
func wantTrue(t *testing.T, s *Store, req store.SeatRequest, told store.Outcome) {
	t.Helper()
	if req.UserID.IsZero() {
		return
	}
	_, err := s.Registration(t.Context(), req.EventID, req.UserID)
	if err != nil && !errors.Is(err, store.ErrRegistrationNotFound) {
		t.Fatal(err)
	}
	var there bool
	switch told {
	case store.Registered, store.AlreadyRegistered, store.Waitlisted, store.AlreadyWaitlisted:
		there = true
	}
	if there != (err == nil) {
		t.Errorf("%s was told %s, and the registration is there: %v", req.Kind, told, err == nil)
	}
	if broken, err := storetest.Broken(t.Context(), s, req.EventID); err != nil || len(broken) > 0 {
		t.Errorf("broken promises: %q, %v", broken, err)
	}
}

// TestALateCommitDoesNotOvertakeAnAnswer checks that a commit which the network delivers late has
// no effect, when something definite was answered about its event since its own caller was told
// that the outcome is unknown.
func TestALateCommitDoesNotOvertakeAnAnswer(t *testing.T) {
	mongod := testenv.StartMongo(t)
	fast := open(t, mongod.URI(), "fast")
	atOnce(t, begin(t, fast), func(t *testing.T, st *prepared) {
		proxy := testenv.StartMongoProxy(t, mongod)
		slow, err := connect(proxy.URI(), zerolog.Nop())
		must(t, err)
		// Its worker is cut off: it cannot end the transaction either.
		held := proxy.Hold("commitTransaction", "abortTransaction")
		gaveUp := make(chan error)
		go func() {
			_, err := apply(t, slow, 200*time.Millisecond, st.change...)
			gaveUp <- err
		}()
		<-held
		var answers []store.Outcome
		for _, q := range st.questions {
			// The server ends an open transaction after two seconds.
			got, err := apply(t, fast, 20*time.Second, q.SeatRequest)
			must(t, err)
			answers = append(answers, got)
		}
		before := written(t, fast, st.change[0].EventID)
		if err := <-gaveUp; err == nil {
			t.Fatal("the change is told although its commit has not arrived")
		}
		must(t, slow.Close())
		proxy.Release()
		proxy.Wait()
		if after := written(t, fast, st.change[0].EventID); !after.Equal(before) {
			t.Errorf("after the answers %v the event moves from %+v to %+v", answers, before, after)
		}
		last := len(st.questions) - 1
		wantTrue(t, fast, st.questions[last].SeatRequest, answers[last])
	})
}

// written returns an event as the last write has left it.
func written(t *testing.T, s *Store, event store.ID) store.Event {
	t.Helper()
	e, err := s.Event(t.Context(), event)
	must(t, err)
	return e
}

// deposedPrimary checks that a primary which was frozen while another one was elected, and which
// believes for a moment after it wakes up that it still leads, does not answer from its old state.
func deposedPrimary(t *testing.T, set *testenv.ReplicaSet) {
	whole := open(t, set.URI(), "whole")
	must(t, set.Settle())
	old, err := set.Primary()
	must(t, err)
	secondaries, err := set.Secondaries()
	must(t, err)
	// It must not notice by its own heartbeats what this test is about.
	direct, err := connect(old.URI()+"&directConnection=true&heartbeatFrequencyMS=60000&connectTimeoutMS=20000", zerolog.Nop())
	must(t, err)
	event := storetest.NewEvent(t, whole, 1).ID
	holder, other := store.NewID(), register(event, store.NewID())
	wantOutcome(t, whole, register(event, holder), store.Registered)
	wantOutcome(t, direct, other, store.SoldOut) // also warms its connections up
	lease := granted(t, direct, event)
	other.Lease = time.Second // it asks for another one, which a deposed primary must not tell either

	must(t, testenv.Freeze(old))
	testenv.Eventually(t, 30*time.Second, "elect another primary", func() error {
		return secondaries[0].Command(bson.D{{Key: "replSetStepUp", Value: 1}})
	})
	must(t, set.Replaced(old))
	wantOutcome(t, whole, cancel(event, holder), store.LeaseOut) // its successor knows what it has granted
	wantOutcome(t, whole, knowing(cancel(event, holder), lease), store.Cancelled)
	unheardOf := register(laterEvent(t, whole), store.NewID())
	type answer struct {
		outcome store.Outcome
		err     error
	}
	const asked = minPool
	answers := make(chan answer, asked)
	for i := range asked { // what waits in its sockets when it wakes up
		req := other
		if i%2 == 0 {
			req = unheardOf
		}
		go func() {
			outcome, err := apply(t, direct, 2*time.Second, req)
			answers <- answer{outcome, err}
		}()
	}
	testenv.Eventually(t, 5*time.Second, "ask the frozen primary", func() error {
		if n := direct.client.NumberSessionsInProgress(); n < asked {
			return fmt.Errorf("%d of %d requests are under way", n, asked)
		}
		return nil
	})
	must(t, testenv.Thaw(old))
	for range asked {
		if a := <-answers; a.err == nil {
			t.Errorf("a deposed primary tells %s", a.outcome)
		}
	}
	wantOutcome(t, whole, other, store.Registered)
	wantOutcome(t, whole, unheardOf, store.Registered)
	must(t, direct.Close())
}

// laterEvent creates an event with one seat, as soon as a new primary takes it.
func laterEvent(t *testing.T, s *Store) store.ID {
	t.Helper()
	var e store.Event
	testenv.Eventually(t, 40*time.Second, "create an event", func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		e = store.Event{ID: store.NewID(), Title: "later", Capacity: 1, CreatedAt: time.Now()}
		return s.CreateEvent(ctx, e)
	})
	return e.ID
}
