package erasure_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/erasure"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// operator is who acts in these tests.
var operator = messages.Actor{Kind: messages.ActorOperator}

// queue applies seat requests to a store at once, as a worker does.
type queue struct {
	st     store.Seats
	refuse func(messages.SeatRequest) bool

	mu    sync.Mutex // guards asked
	asked []messages.SeatRequest
}

// Request implements erasure.Requester.
func (q *queue) Request(ctx context.Context, req messages.SeatRequest, _ time.Time) messages.Answer {
	q.mu.Lock()
	q.asked = append(q.asked, req)
	q.mu.Unlock()
	if q.refuse != nil && q.refuse(req) {
		return messages.Answer{Reply: messages.SeatReply{Outcome: messages.OutcomeOverloaded}, Cause: store.ErrUnavailable}
	}
	r := store.SeatRequest{Kind: store.Cancel, EventID: req.EventID, UserID: req.UserID, RequestID: req.RequestID, At: time.Now()}
	if req.Edit != nil {
		r.Kind, r.Edit = store.EditEvent, &store.Edit{Version: req.Edit.Version, Cancel: req.Edit.Cancel}
	}
	results, err := q.st.Apply(ctx, []store.SeatRequest{r})
	if err != nil {
		return messages.Answer{Reply: messages.SeatReply{Outcome: messages.OutcomeUnknown}, Cause: err}
	}
	return messages.Answer{Reply: messages.SeatReply{Outcome: results[0].Outcome}}
}

// person has more registrations and events than are read at once: of the even ones nothing is over.
func person(t *testing.T, st store.Store) (u store.User, upcoming, past, own []store.ID) {
	t.Helper()
	const many = 205
	u = storetest.NewUser("ada@example.org")
	if err := st.CreateUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	var register []store.SeatRequest
	for i := range 2 * many {
		e := storetest.NewEvent(t, st, 3)
		ends := time.Now().Add(time.Hour)
		if i%2 == 1 {
			ends = time.Now().Add(-time.Hour)
			past = append(past, e.ID)
		} else {
			upcoming = append(upcoming, e.ID)
		}
		register = append(register,
			store.SeatRequest{Kind: store.EditEvent, EventID: e.ID, RequestID: "hours", At: time.Now(), Edit: &store.Edit{
				Version: store.AnyVersion, StartsAt: new(ends.Add(-time.Minute)), EndsAt: &ends,
			}},
			store.SeatRequest{Kind: store.Register, EventID: e.ID, UserID: u.ID, RequestID: "hers", At: time.Now()})
	}
	if _, err := st.Apply(t.Context(), register); err != nil {
		t.Fatal(err)
	}
	for range many {
		e := store.Event{
			ID: store.NewID(), OrganizerID: u.ID, Title: "Hers", Capacity: 1, Version: 1,
			StartsAt: time.Now().Add(time.Hour), EndsAt: time.Now().Add(2 * time.Hour), CreatedAt: time.Now(),
		}
		if err := st.CreateEvent(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		own = append(own, e.ID)
	}
	return u, upcoming, past, own
}

func TestErase(t *testing.T) {
	st, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	u, upcoming, past, own := person(t, st)

	// A worker refuses one of the requests: the person is there still, and a repetition goes on.
	refused := &queue{st: st, refuse: func(r messages.SeatRequest) bool { return r.EventID == own[len(own)-1] }}
	told := make(map[store.ID]int)
	tell := func(event store.ID) { told[event]++ }
	err = erasure.Erase(t.Context(), st, refused, u.ID, operator, tell)
	if r, ok := errors.AsType[*erasure.ErrRefused](err); !ok || r.Answer.Reply.Outcome != messages.OutcomeOverloaded || !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("the error is %v", err)
	}
	if _, err := st.User(t.Context(), u.ID); err != nil {
		t.Fatal(err)
	}
	again := &queue{st: st}
	if err := erasure.Erase(t.Context(), st, again, u.ID, operator, tell); err != nil {
		t.Fatal(err)
	}
	if n := len(again.asked); n < 1 || n > 20 {
		t.Errorf("the repetition asked for %d changes", n)
	}
	for _, req := range append(refused.asked, again.asked...) {
		if req.Actor != operator || req.RequestID == "" || req.Kind == messages.KindEditEvent && !req.UserID.IsZero() {
			t.Fatalf("the request is %+v", req)
		}
	}
	if _, err := st.User(t.Context(), u.ID); !errors.Is(err, store.ErrUserNotFound) {
		t.Errorf("the user is %v", err)
	}
	for seats, events := range map[int64][]store.ID{0: upcoming, 1: past} {
		for _, id := range events {
			if e := storetest.ReadEvent(t, st, id); e.TicketsSold != seats || !e.CancelledAt.IsZero() {
				t.Fatalf("want %d seats taken: %+v", seats, e)
			}
		}
	}
	for _, id := range own {
		if e := storetest.ReadEvent(t, st, id); e.CancelledAt.IsZero() {
			t.Fatalf("her event goes on: %+v", e)
		}
		if told[id] != 1 {
			t.Errorf("of the end of her event %s is told %d times", id.Hex(), told[id])
		}
	}
	if len(told) != len(own) {
		t.Errorf("of %d events is told that they are cancelled, of which she had %d", len(told), len(own))
	}
	// Once more, as after an answer that was lost, there is nothing to do.
	late := &queue{st: st}
	if err := erasure.Erase(t.Context(), st, late, u.ID, operator, tell); err != nil || len(late.asked) > 0 {
		t.Errorf("%v, %+v", err, late.asked)
	}
}
