package worker_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/leases"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/worker"
)

var errNotYet = errors.New("not yet")

const leaseLength = 300 * time.Millisecond

// applied is a batch that a store has applied.
type applied struct {
	by      string
	asked   time.Time
	done    time.Time
	batch   []store.SeatRequest
	results []store.SeatResult
}

// logged is a store that notes what one worker applies.
type logged struct {
	store.Seats
	by  string
	log *appliedLog
}

type appliedLog struct {
	mu  sync.Mutex
	all []applied
}

func (l logged) Apply(ctx context.Context, batch []store.SeatRequest) ([]store.SeatResult, error) {
	asked := time.Now()
	results, err := l.Seats.Apply(ctx, batch)
	l.log.mu.Lock()
	defer l.log.mu.Unlock()
	l.log.all = append(l.log.all, applied{l.by, asked, time.Now(), batch, results})
	return results, err
}

// find returns the batches with a result like that, in order.
func (l *appliedLog) find(like func(store.SeatRequest, store.SeatResult) bool) (found []applied) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.all {
		for i, res := range a.results {
			if like(a.batch[i], res) {
				found = append(found, a)
				break
			}
		}
	}
	return found
}

func outcome(o store.Outcome) func(store.SeatRequest, store.SeatResult) bool {
	return func(_ store.SeatRequest, res store.SeatResult) bool { return res.Outcome == o }
}

// sale is a sold-out event of some seats over a worker that grants leases, and other workers that join.
type sale struct {
	*site
	log     appliedLog
	event   store.ID
	holders []store.SeatRequest
}

func newSale(t *testing.T, seats int) *sale {
	s := &sale{site: newSite(t, worker.Config{}, pass)}
	s.site.stop() // its store and its requester are used, with workers that note what they apply
	s.event = storetest.NewEvent(t, s.store, int64(seats)).ID
	s.holders = storetest.NewRequests(s.event, seats)
	storetest.MustApply(t, s.store, s.holders...)
	return s
}

// join starts a worker and returns how it is stopped.
func (s *sale) join(by string, lease time.Duration) (stop func()) {
	s.t.Helper()
	w := worker.New(s.connect(by), logged{s.store, by, &s.log}, worker.Config{SoldOutLease: lease}, zerolog.Nop())
	if err := w.Start(); err != nil {
		s.t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		if err := w.Stop(ctx); err != nil {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(stop)
	testenv.Eventually(s.t, limit, "be ready", func() error { return w.Ready(s.t.Context()) })
	return stop
}

// register asks for a seat of somebody new, with a lease.
func (s *sale) register() messages.SeatReply {
	wanted := storetest.NewRequest(s.event)
	return s.requester.Request(s.t.Context(), messages.SeatRequest{
		Kind: messages.KindRegister, RequestID: wanted.RequestID, EventID: s.event, UserID: wanted.UserID, Lease: true,
	}, time.Now().Add(limit)).Reply
}

// grant has a lease granted.
func (s *sale) grant() {
	s.t.Helper()
	if got := s.register(); got.Outcome != store.SoldOut || got.LeaseMillis != leaseLength.Milliseconds() || got.LastNumber != storetest.ReadEvent(s.t, s.store, s.event).LastNumber {
		s.t.Fatalf("a lease is refused: %+v", got)
	}
}

// cancel gives up the seat of a holder.
func (s *sale) cancel(holder int, patience time.Duration) messages.Outcome {
	return s.requester.Request(s.t.Context(), messages.SeatRequest{
		Kind: messages.KindCancel, RequestID: "cancel", EventID: s.event, UserID: s.holders[holder].UserID,
	}, time.Now().Add(patience)).Reply.Outcome
}

// wantWaited wants that what frees a seat was applied when the leases had ended which a batch before it was told of.
func (s *sale) wantWaited(after applied) applied {
	s.t.Helper()
	freed := s.log.find(func(req store.SeatRequest, res store.SeatResult) bool { return res.Outcome == store.Cancelled })
	if len(freed) == 0 {
		s.t.Fatal("nobody has given up a seat")
	}
	if waited := freed[0].asked.Sub(after.done); waited < leaseLength {
		s.t.Errorf("a seat is free %s after the last lease was granted", waited)
	}
	return freed[0]
}

// TestASeatIsFreeWhenLeasesHaveEnded: a cancellation waits for them, whoever registers meanwhile is refused and gets no lease, and
// then the seat is to be had.
func TestASeatIsFreeWhenLeasesHaveEnded(t *testing.T) {
	s := newSale(t, 2)
	s.join("a", leaseLength)
	s.grant()
	granted := s.log.find(outcome(store.SoldOut))[0]
	cancelled := make(chan messages.Outcome, 1)
	go func() { cancelled <- s.cancel(0, limit) }()
	testenv.Eventually(t, limit, "be put aside", func() error { return s.seen(store.LeaseOut) })
	if got := s.register(); got.Outcome != store.SoldOut || got.LeaseMillis != 0 {
		t.Errorf("meanwhile somebody is told %+v", got)
	}
	if got := <-cancelled; got != store.Cancelled {
		t.Fatalf("a seat is given up: %s", got)
	}
	s.wantWaited(granted)
	if got := s.register(); got.Outcome != store.Registered {
		t.Errorf("the seat that is free: %+v", got)
	}
	s.grant()
	s.cancel(1, limit)
	storetest.Check(t, s.store, s.event)
}

// TestACancellationAfterTheStormWaitsForNothing: the worker that granted the last lease knows that it has ended.
func TestACancellationAfterTheStormWaitsForNothing(t *testing.T) {
	s := newSale(t, 1)
	s.join("a", leaseLength)
	s.grant()
	granted := s.log.find(outcome(store.SoldOut))[0]
	testenv.Eventually(t, limit, "be over", func() error {
		if time.Since(granted.done) < leases.Wait(store.MaxLease) {
			return errNotYet
		}
		return nil
	})
	if got := s.cancel(0, limit); got != store.Cancelled || len(s.log.find(outcome(store.LeaseOut))) > 0 {
		t.Errorf("%s, after %d waits", got, len(s.log.find(outcome(store.LeaseOut))))
	}
}

// TestManyWaitTogether: those who give up seats while leases are out are applied in one batch.
func TestManyWaitTogether(t *testing.T) {
	s := newSale(t, 5)
	s.join("a", leaseLength)
	s.grant()
	var crowd sync.WaitGroup
	for i := range s.holders {
		crowd.Go(func() {
			if got := s.cancel(i, limit); got != store.Cancelled {
				t.Errorf("holder %d: %s", i, got)
			}
		})
	}
	crowd.Wait()
	if freed := s.log.find(outcome(store.Cancelled)); len(freed) != 1 {
		t.Errorf("they are applied in %d batches", len(freed))
	}
}

// TestAnotherWorkerWaitsForTheWholeLease: one that did not grant it counts from when it has learned of it, whether the one that did
// lives or not.
func TestAnotherWorkerWaitsForTheWholeLease(t *testing.T) {
	s := newSale(t, 1)
	stop := s.join("a", leaseLength)
	s.grant()
	stop()
	s.join("b", leaseLength)
	if got := s.cancel(0, limit); got != store.Cancelled {
		t.Fatalf("it is %s", got)
	}
	aside := s.log.find(outcome(store.LeaseOut))
	if len(aside) == 0 || aside[0].by != "b" {
		t.Fatalf("nobody waits: %+v", aside)
	}
	s.wantWaited(aside[0])
}

// TestTwoWorkersWaitForEachOther: one grants while another is asked to free the seat, and no lease is out when it does.
func TestTwoWorkersWaitForEachOther(t *testing.T) {
	s := newSale(t, 1)
	s.join("a", leaseLength)
	s.join("b", leaseLength)
	a, b := logged{s.store, "a", &s.log}, logged{s.store, "b", &s.log}
	asks := func() store.SeatRequest {
		r := storetest.NewRequest(s.event)
		r.Lease = leaseLength
		return r
	}
	first := storetest.MustApply(t, a, asks())[0]
	cancel := storetest.NewCancel(s.holders[0])
	cancel.LeasesEnded = first.LeasesGranted
	second := storetest.MustApply(t, a, asks())[0] // before b, which believes that the first was the last
	results, err := b.Apply(t.Context(), []store.SeatRequest{cancel})
	if err != nil || results[0].Outcome != store.LeaseOut || results[0].LeasesGranted != second.LeasesGranted {
		t.Errorf("it is %+v, %v", results, err)
	}
	if got := s.register(); got.LeaseMillis != 0 {
		t.Errorf("somebody is told of a lease while they end: %+v", got)
	}
	if got := s.cancel(0, limit); got != store.Cancelled {
		t.Errorf("it is %s", got)
	}
	s.wantWaited(s.log.find(func(_ store.SeatRequest, res store.SeatResult) bool { return res.LeasesGranted == second.LeasesGranted })[0])
}

// TestWhoHasNoTimeToWaitIsToldInTime, and nothing has changed.
func TestWhoHasNoTimeToWaitIsToldInTime(t *testing.T) {
	s := newSale(t, 1)
	s.join("a", leaseLength)
	s.grant()
	const patience = 350 * time.Millisecond
	asked := time.Now()
	if got := s.cancel(0, patience); got != messages.OutcomeOverloaded || time.Since(asked) > patience {
		t.Errorf("%s after %s", got, time.Since(asked))
	}
	if e := storetest.ReadEvent(t, s.store, s.event); e.TicketsSold != 1 || !e.LeasesEnding {
		t.Errorf("the event is %+v", e)
	}
	if got := s.cancel(0, limit); got != store.Cancelled {
		t.Errorf("who comes again with more time: %s", got)
	}
}

// TestStopAnswersWhoWaitsForLeases, by applying what they asked for.
func TestStopAnswersWhoWaitsForLeases(t *testing.T) {
	s := newSale(t, 1)
	stop := s.join("a", leaseLength)
	s.grant()
	cancelled := make(chan messages.Outcome, 1)
	go func() { cancelled <- s.cancel(0, limit) }()
	testenv.Eventually(t, limit, "be put aside", func() error { return s.seen(store.LeaseOut) })
	stop()
	if got := <-cancelled; got != store.Cancelled {
		t.Errorf("it is %s", got)
	}
}

// TestNobodyGrantsByDefault, whoever asks; who is not asked grants nothing either.
func TestNobodyGrantsByDefault(t *testing.T) {
	s := newSale(t, 1)
	s.join("a", 0)
	if got := s.register(); got.Outcome != store.SoldOut || got.LeaseMillis != 0 {
		t.Errorf("it is %+v", got)
	}
	if e := storetest.ReadEvent(t, s.store, s.event); e.LeasesGranted != 0 {
		t.Errorf("%d are granted", e.LeasesGranted)
	}
}

// seen fails until a batch had an outcome.
func (s *sale) seen(o store.Outcome) error {
	if len(s.log.find(outcome(o))) == 0 {
		return errNotYet
	}
	return nil
}
