package lists

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

func testRoster(t *testing.T, target storetest.Target) {
	s := target.Store
	event, other := storetest.NewEvent(t, s, 100), storetest.NewEvent(t, s, 100)
	if got := storetest.Check(t, s, event.ID); len(got) != 0 {
		t.Fatalf("a new event has %v", got)
	}
	if got := storetest.Collect(t, s.Roster(storetest.Context(t), store.NewID(), 0, math.MaxInt64, 0)); len(got) != 0 {
		t.Fatalf("an unknown event has %v", got)
	}
	var want []store.Registration
	for range 3 {
		for _, r := range storetest.MustApply(t, s, append(storetest.NewRequests(event.ID, 4), storetest.NewRequest(other.ID))...)[:4] {
			want = append(want, r.Registration)
		}
	}
	for _, c := range []struct {
		name           string
		after, through int64
		limit          int
		first, until   int
	}{
		{"whole", 0, math.MaxInt64, 0, 0, 12},
		{"first page", 0, 12, 5, 0, 5},
		{"second page", 5, 12, 5, 5, 10},
		{"last page", 10, 12, 5, 10, 12},
		{"after the end", 12, 12, 5, 12, 12},
		{"through a number", 2, 7, 0, 2, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := storetest.Collect(t, s.Roster(storetest.Context(t), event.ID, c.after, c.through, c.limit))
			if !sameRegistrations(got, want[c.first:c.until]) {
				t.Fatalf("got %+v, want %+v", got, want[c.first:c.until])
			}
		})
	}
	storetest.Check(t, s, event.ID)
	storetest.Check(t, s, other.ID)
}

func testLookups(t *testing.T, target storetest.Target) {
	s := target.Store
	event := storetest.NewEvent(t, s, 2)
	request := storetest.NewRequest(event.ID)
	seat := storetest.MustApply(t, s, request)[0].Registration
	t.Run("a registration is read back", func(t *testing.T) {
		if got, err := target.Again(t).Registration(storetest.Context(t), event.ID, request.UserID); err != nil || !got.Equal(seat) {
			t.Fatalf("got %+v, %v; want %+v", got, err, seat)
		}
	})
	for name, key := range map[string][2]store.ID{
		"of another user": {event.ID, store.NewID()}, "of another event": {store.NewID(), request.UserID},
	} {
		t.Run("a registration "+name+" is not found", func(t *testing.T) {
			if _, err := s.Registration(storetest.Context(t), key[0], key[1]); !errors.Is(err, store.ErrRegistrationNotFound) {
				t.Fatalf("error is %v, want ErrRegistrationNotFound", err)
			}
		})
	}
	t.Run("registrations are read together", func(t *testing.T) {
		other := storetest.NewEvent(t, s, 3)
		first, gone, elsewhere := storetest.NewRequest(other.ID), storetest.NewRequest(other.ID), storetest.NewRequest(other.ID)
		elsewhere.UserID = request.UserID
		seats := storetest.MustApply(t, s, first, gone, elsewhere)
		storetest.MustApply(t, s, storetest.NewCancel(gone))
		want := map[store.RegistrationID]store.Registration{
			{EventID: event.ID, UserID: request.UserID}: seat,
			{EventID: other.ID, UserID: first.UserID}:   seats[0].Registration,
			{EventID: other.ID, UserID: request.UserID}: seats[2].Registration,
		}
		ids := []store.RegistrationID{
			{EventID: other.ID, UserID: gone.UserID}, {EventID: event.ID, UserID: first.UserID}, {EventID: store.NewID(), UserID: store.NewID()},
		}
		for id := range want {
			ids = append(ids, id)
		}
		got, err := target.Again(t).RegistrationsByID(storetest.Context(t), ids)
		if err != nil || len(got) != len(want) {
			t.Fatalf("got %+v, %v; want %+v", got, err, want)
		}
		for id, r := range want {
			if !got[id].Equal(r) {
				t.Errorf("got %+v, want %+v", got[id], r)
			}
		}
	})
	ada := storetest.NewUser("ada@example.org")
	if err := s.CreateUser(storetest.Context(t), ada); err != nil {
		t.Fatal(err)
	}
	t.Run("a user is read by id", func(t *testing.T) {
		if got, err := target.Again(t).User(storetest.Context(t), ada.ID); err != nil || got != ada {
			t.Fatalf("got %+v, %v; want %+v", got, err, ada)
		}
		if _, err := s.User(storetest.Context(t), store.NewID()); !errors.Is(err, store.ErrUserNotFound) {
			t.Fatalf("error is %v, want ErrUserNotFound", err)
		}
	})
	t.Run("an id that exists is not written twice", func(t *testing.T) {
		for name, err := range map[string]error{
			"user":  s.CreateUser(storetest.Context(t), store.User{ID: ada.ID, Name: "Eve", Email: "eve@example.org", PasswordHash: "x", CreatedAt: storetest.Now()}),
			"event": s.CreateEvent(storetest.Context(t), event),
		} {
			if err == nil {
				t.Errorf("%s: a second one was accepted", name)
			}
		}
		if got := fmt.Sprint(storetest.Check(t, s, event.ID)); got != fmt.Sprint([]store.Registration{seat}) {
			t.Errorf("roster is %s", got)
		}
	})
}

func testUserRegistrations(t *testing.T, target storetest.Target) {
	s := target.Store
	user := store.NewID()
	var want []store.ID
	for i := range 7 {
		event := storetest.NewWaitlistEvent(t, s, 1)
		request := storetest.NewRequest(event.ID)
		request.UserID = user
		if i%2 == 1 { // the user has cancelled
			storetest.MustApply(t, s, storetest.NewRequest(event.ID))
		}
		storetest.MustApply(t, s, request)
		if i == 3 {
			storetest.MustApply(t, s, storetest.NewCancel(request))
			if _, err := s.Registration(storetest.Context(t), event.ID, user); !errors.Is(err, store.ErrRegistrationNotFound) {
				t.Fatalf("a cancelled registration: %v", err)
			}
			continue
		}
		r, err := s.Registration(storetest.Context(t), event.ID, user)
		if err != nil || r.UserID != user || r.EventID != event.ID || storetest.ReadEvent(t, s, event.ID).Confirmed(r) != (i%2 == 0) {
			t.Fatalf("registration %d is %+v, %v", i, r, err)
		}
		want = append([]store.ID{event.ID}, want...)
	}
	var got []store.ID
	var before store.ID
	cancelled := 0
	for {
		page := storetest.Collect(t, s.UserRegistrations(storetest.Context(t), user, before, 4))
		for _, h := range page {
			if h.Registration.EventID != h.Event.ID || h.Registration.UserID != user || h.Event.Title == "" {
				t.Fatalf("holding is %+v", h)
			}
			before = h.Event.ID
			if h.Registration.Cancelled {
				cancelled++
				continue
			}
			got = append(got, h.Event.ID)
		}
		if len(page) < 4 {
			break
		}
	}
	if !slices.Equal(got, want) || cancelled != 1 {
		t.Fatalf("got %v and %d cancelled, want %v and 1", got, cancelled, want)
	}
	if got := storetest.Collect(t, s.UserRegistrations(storetest.Context(t), store.NewID(), store.ID{}, 0)); len(got) != 0 {
		t.Fatalf("a stranger holds %v", got)
	}
	if _, err := s.Position(storetest.Context(t), store.NewID(), 1); !errors.Is(err, store.ErrEventNotFound) {
		t.Fatalf("a position in an unknown event: %v", err)
	}
}

// testManyUserRegistrations checks that a long list is whole and in order, however many are wanted of it.
func testManyUserRegistrations(t *testing.T, target storetest.Target) {
	s := target.Store
	user := store.NewID()
	var batch []store.SeatRequest
	var want []store.ID
	for range 430 {
		r := storetest.NewRequest(storetest.NewEvent(t, s, 1).ID)
		r.UserID = user
		batch, want = append(batch, r), append(want, r.EventID)
	}
	storetest.MustApply(t, s, batch...)
	slices.Reverse(want)
	for _, limit := range []int{0, 1, 100, 101, 299, 300, 430, 1000} {
		most := len(want)
		if limit > 0 {
			most = min(limit, most)
		}
		for _, wanted := range []int{most, min(most, 3), min(most, 100), min(most, 101)} {
			var got []store.ID
			for r, err := range s.UserRegistrations(storetest.Context(t), user, store.ID{}, limit) {
				if err != nil || r.Registration.EventID != r.Event.ID || r.Registration.UserID != user {
					t.Fatalf("%+v, %v", r, err)
				}
				if got = append(got, r.Event.ID); len(got) == wanted && wanted < most {
					break
				}
			}
			if !slices.Equal(got, want[:wanted]) {
				t.Errorf("with the limit %d: %d registrations, want %d", limit, len(got), wanted)
			}
		}
	}
}

func sameRegistrations(a, b []store.Registration) bool {
	return slices.EqualFunc(a, b, store.Registration.Equal)
}

// testUserLists checks that each list is that of UserRegistrations, or told to be cut, or behind that, and that none is when there is
// room for all.
func testUserLists(t *testing.T, target storetest.Target) {
	s := target.Store
	var events []store.ID
	for range 9 {
		events = append(events, storetest.NewWaitlistEvent(t, s, 4).ID)
	}
	lengths := []int{0, 1, 9, 3, 0, 5, 9, 2}
	users, all := make([]store.ID, len(lengths)), 0
	for i, n := range lengths {
		users[i], all = store.NewID(), all+n
		for _, event := range events[:n] {
			r := storetest.NewRequest(event)
			r.UserID = users[i]
			storetest.MustApply(t, s, r)
			if n == 5 { // who has left is in the list, too
				storetest.MustApply(t, s, storetest.NewCancel(r))
			}
		}
	}
	for most := range all + 3 {
		asked := users[:len(users)-most%3]
		got, err := target.Again(t).UserLists(storetest.Context(t), asked, most)
		if err != nil {
			t.Fatal(err)
		}
		told, rows := got.Read, 0
		for i, user := range asked {
			want := storetest.Collect(t, s.UserRegistrations(storetest.Context(t), user, store.ID{}, 0))
			rows += len(want)
			list, whole := got.Whole[user]
			told += len(list)
			if whole && (len(list) != lengths[i] || user == got.Cut || !slices.EqualFunc(list, want, func(a, b store.UserRegistration) bool {
				return a.Registration.Equal(b.Registration) && a.Event.ID == b.Event.ID && a.Event.Revision == b.Event.Revision && a.Event.Title == b.Event.Title
			})) {
				t.Errorf("at most %d: user %d has %d registrations, want %d: %+v", most, i, len(list), lengths[i], list)
			}
		}
		if fits := rows <= most; fits != got.Cut.IsZero() || fits != (len(got.Whole) == len(asked)) || fits && told != rows || !fits && told != most+1 {
			t.Errorf("at most %d of %d registrations: %d of %d lists with %d, cut %s", most, rows, len(got.Whole), len(asked), told, got.Cut.Hex())
		}
	}
}
