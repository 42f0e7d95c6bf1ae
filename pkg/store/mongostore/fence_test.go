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

// deed is a request for a seat, and what it is told when nothing is in its way.
type deed struct {
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

// apply applies one request within a limit.
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

// story is a change that stays in flight, and what is asked about the same event meanwhile:
// each answer would be overtaken by the change.
type story struct {
	name string
	// tell prepares an event in s and returns the change, and the questions with the answers
	// that they get when the change is stored.
	tell func(t *testing.T, s *Store) (change []store.SeatRequest, questions []deed)
}

func stories() []story {
	return []story{
		{"a_seat_given_back_is_asked_for", func(t *testing.T, s *Store) ([]store.SeatRequest, []deed) {
			e := storetest.NewEvent(t, s, 1).ID
			holder, other := store.NewID(), register(e, store.NewID())
			wantOutcome(t, s, register(e, holder), store.Registered)
			return []store.SeatRequest{cancel(e, holder), other}, []deed{{other, store.Registered}}
		}},
		{"a_seat_taken_is_given_back", func(t *testing.T, s *Store) ([]store.SeatRequest, []deed) {
			e, user := storetest.NewEvent(t, s, 1).ID, store.NewID()
			return []store.SeatRequest{register(e, user)}, []deed{{cancel(e, user), store.Cancelled}}
		}},
		{"a_seat_taken_is_asked_for_again", func(t *testing.T, s *Store) ([]store.SeatRequest, []deed) {
			e := storetest.NewEvent(t, s, 1).ID
			wish := register(e, store.NewID())
			return []store.SeatRequest{wish}, []deed{{wish, store.Registered}}
		}},
		{"a_seat_taken_leaves_none_for_others", func(t *testing.T, s *Store) ([]store.SeatRequest, []deed) {
			e := storetest.NewEvent(t, s, 1).ID
			return []store.SeatRequest{register(e, store.NewID())}, []deed{{register(e, store.NewID()), store.SoldOut}}
		}},
		{"a_raised_capacity_is_used", func(t *testing.T, s *Store) ([]store.SeatRequest, []deed) {
			e, two := storetest.NewEvent(t, s, 1).ID, int64(2)
			wantOutcome(t, s, register(e, store.NewID()), store.Registered)
			return []store.SeatRequest{edit(e, store.Edit{Version: 1, Capacity: &two})}, []deed{
				{edit(e, store.Edit{Version: 1}), store.VersionMismatch},
				{register(e, store.NewID()), store.Registered},
			}
		}},
		{"a_cancelled_event_takes_nobody", func(t *testing.T, s *Store) ([]store.SeatRequest, []deed) {
			e := storetest.NewEvent(t, s, 1).ID
			wantOutcome(t, s, register(e, store.NewID()), store.Registered)
			return []store.SeatRequest{edit(e, store.Edit{Version: store.AnyVersion, Cancel: true})}, []deed{
				{register(e, store.NewID()), store.EventCancelled},
				{edit(e, store.Edit{Version: store.AnyVersion, Cancel: true}), store.Edited},
			}
		}},
		{"a_waiting_list_moves_up", func(t *testing.T, s *Store) ([]store.SeatRequest, []deed) {
			e := storetest.NewEvent(t, s, 1)
			yes := true
			wantOutcome(t, s, edit(e.ID, store.Edit{Version: store.AnyVersion, Waitlist: &yes}), store.Edited)
			holder, waits := store.NewID(), register(e.ID, store.NewID())
			wantOutcome(t, s, register(e.ID, holder), store.Registered)
			wantOutcome(t, s, waits, store.Waitlisted)
			again := register(e.ID, waits.UserID)
			return []store.SeatRequest{cancel(e.ID, holder)}, []deed{
				{waits, store.Registered}, {again, store.AlreadyRegistered},
				{cancel(e.ID, holder), store.Cancelled}, {register(e.ID, store.NewID()), store.Waitlisted},
			}
		}},
	}
}

// told is a story that was prepared.
type told struct {
	story
	change    []store.SeatRequest
	questions []deed
}

// begin prepares all the stories in s.
func begin(t *testing.T, s *Store) []*told {
	t.Helper()
	var all []*told
	for _, story := range stories() {
		change, questions := story.tell(t, s)
		all = append(all, &told{story: story, change: change, questions: questions})
	}
	return all
}

// atOnce does something for all the stories at the same time: more of them than t.Parallel would let
// run on a machine with few processors, because all they do is wait.
func atOnce(t *testing.T, all []*told, do func(t *testing.T, s *told)) {
	t.Helper()
	var running sync.WaitGroup
	for _, s := range all {
		running.Go(func() { t.Run(s.name, func(t *testing.T) { do(t, s) }) })
	}
	running.Wait()
}

// TestNoAnswerIsOvertaken tells stories in which a write is on its way on three nodes.
func TestNoAnswerIsOvertaken(t *testing.T) {
	set := testenv.StartReplicaSet(t, 1000) // the first election comes after that
	must(t, set.SetElectionTimeout(10_000)) // MongoDB's own: no election comes in the way
	t.Run("while_no_majority_confirms", func(t *testing.T) { noMajority(t, set) })
	t.Run("a_sign_up_when_the_primary_steps_down", func(t *testing.T) { steppedDown(t, set) })
	t.Run("by_a_deposed_primary", func(t *testing.T) { deposedPrimary(t, set) })
}

// noMajority: while both secondaries are frozen the primary has commits that a majority has
// not. Nothing definite may be told about their events, whatever is asked, and afterwards the
// answers agree with what is stored in the end.
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
	atOnce(t, all, func(t *testing.T, st *told) {
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
	atOnce(t, all, func(t *testing.T, st *told) {
		for _, q := range append([]deed{{SeatRequest: st.change[len(st.change)-1]}}, st.questions...) {
			got, err := apply(t, s, 20*time.Second, q.SeatRequest)
			must(t, err)
			stays(t, s, q.SeatRequest, got)
		}
	})
}

// steppedDown: an address is taken by a sign-up that no majority has confirmed, and then the
// primary gives up. Its successor may not have that sign-up, so nobody may be told that the
// address is taken.
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

// stays wants that an answer which was told is true in the store.
func stays(t *testing.T, s *Store, req store.SeatRequest, told store.Outcome) {
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

// TestALateCommitDoesNotOvertakeAnAnswer: a commit that the network delivers late, after its
// caller was told that the outcome is not known, has no effect any more once somebody else was
// told something definite about its event.
func TestALateCommitDoesNotOvertakeAnAnswer(t *testing.T) {
	mongod := testenv.StartMongo(t)
	fast := open(t, mongod.URI(), "fast")
	atOnce(t, begin(t, fast), func(t *testing.T, st *told) {
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
		stays(t, fast, st.questions[last].SeatRequest, answers[last])
	})
}

// written is what the last write has left in an event.
func written(t *testing.T, s *Store, event store.ID) store.Event {
	t.Helper()
	e, err := s.Event(t.Context(), event)
	must(t, err)
	return e
}

// deposedPrimary: a primary that was frozen while another one was elected
// wakes up and believes for a moment that it still leads. What it is asked then it must not
// answer from its past.
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

	must(t, testenv.Freeze(old))
	testenv.Eventually(t, 30*time.Second, "elect another primary", func() error {
		_, err := set.Primary()
		if err != nil {
			err = errors.Join(err, secondaries[0].Command(bson.D{{Key: "replSetStepUp", Value: 1}}))
		}
		return err
	})
	wantOutcome(t, whole, cancel(event, holder), store.Cancelled)
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

// laterEvent creates an event with one place, as soon as a new primary takes it.
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
