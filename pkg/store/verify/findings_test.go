package verify

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// snapshots is a Reader of one event as it is told to be.
type snapshots struct {
	Reader
	Snapshot
}

func (s snapshots) ReadEvents(_ context.Context, ids []store.ID, look func(Snapshot) error) error {
	s.ID = ids[0]
	return look(s.Snapshot)
}

func sequence[T any](all []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range all {
			if !yield(v, nil) {
				return
			}
		}
	}
}

func user(n byte) store.ID { return store.ID{n} }

// wantFindings checks an event, and compares the texts of all findings without their subject. "!" stands before the
// text of one that can be repaired.
func wantFindings(t *testing.T, s Snapshot, want ...string) {
	t.Helper()
	id := store.ID{9}
	got, err := CheckEvent(t.Context(), snapshots{Snapshot: s}, id, nil)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	repairable := false
	for _, f := range got.Findings {
		text, ok := strings.CutPrefix(f.Text, "event "+id.Hex()+": ")
		if !ok {
			t.Errorf("a finding about something else: %s", f.Text)
		}
		if f.Repairable {
			text, repairable = "!"+text, true
		}
		texts = append(texts, text)
	}
	if !slices.Equal(texts, want) || got.Repairable() != repairable {
		t.Errorf("found %q, want %q", texts, want)
	}
}

// TestFindingsOfARoster has an event and its registrations with one thing wrong at a time, and at its bounds.
func TestFindingsOfARoster(t *testing.T) {
	hold := func(n int) string { return people(int64(n), "holds", "hold") }
	for name, c := range map[string]struct {
		change func(e *store.Event, rows []store.Registration) []store.Registration
		want   []string
	}{
		"nothing": {func(_ *store.Event, r []store.Registration) []store.Registration { return r }, nil},
		"nobody": {func(e *store.Event, r []store.Registration) []store.Registration {
			e.TicketsSold, e.LastNumber, e.ConfirmedThrough = 0, 0, 0
			return nil
		}, nil},
		"a number 0": {func(_ *store.Event, r []store.Registration) []store.Registration { r[0].Number = 0; return r },
			[]string{"user " + user(1).Hex() + " has the number 0; the first is 1"}},
		"a number twice": {func(_ *store.Event, r []store.Registration) []store.Registration { r[1].Number = 1; return r },
			[]string{"the number 1 is there twice, of users " + user(1).Hex() + " and " + user(2).Hex()}},
		"numbers that go back": {func(_ *store.Event, r []store.Registration) []store.Registration {
			r[1], r[2] = r[2], r[1]
			return r
		}, []string{"the number 2 comes after 3: the order of the list is broken"}},
		"a number above the last": {func(e *store.Event, r []store.Registration) []store.Registration { e.LastNumber = 2; return r },
			[]string{"!last_number is 2 and user " + user(3).Hex() + " has the number 3", "!confirmed_through is 3 and last_number is 2"}},
		"no user": {func(_ *store.Event, r []store.Registration) []store.Registration { r[1].UserID = store.ID{}; return r },
			[]string{"the registration with the number 2 has no user"}},
		"no request": {func(_ *store.Event, r []store.Registration) []store.Registration { r[1].RequestID = ""; return r },
			[]string{"the registration of user " + user(2).Hex() + " has no request_id or no registered_at"}},
		"no time": {func(_ *store.Event, r []store.Registration) []store.Registration {
			r[1].RegisteredAt = time.Time{}
			return r
		},
			[]string{"the registration of user " + user(2).Hex() + " has no request_id or no registered_at"}},
		"half cancelled": {func(_ *store.Event, r []store.Registration) []store.Registration {
			r[1].CancelledAt = time.Unix(2, 0)
			return r
		}, []string{"the registration of user " + user(2).Hex() + " has cancelled_at and is not cancelled"}},
		"cancelled ones": {func(e *store.Event, r []store.Registration) []store.Registration {
			r[0].Cancelled, r[2].Cancelled, r[2].CancelledAt = true, true, time.Unix(2, 0)
			e.TicketsSold = 1
			return r
		}, nil},
		"one waits for a full event": {func(e *store.Event, r []store.Registration) []store.Registration {
			e.Capacity, e.ConfirmedThrough, e.TicketsSold, e.Waiting = 2, 2, 2, 1
			return r
		}, nil},
		"one waits beside a free seat": {func(e *store.Event, r []store.Registration) []store.Registration {
			e.Capacity, e.ConfirmedThrough, e.TicketsSold, e.Waiting = 3, 2, 2, 1
			return r
		}, []string{"!1 person waits while 1 place is free"}},
		"two wait beside free seats": {func(e *store.Event, r []store.Registration) []store.Registration {
			e.Capacity, e.ConfirmedThrough, e.TicketsSold, e.Waiting = 3, 1, 1, 2
			return r
		}, []string{"!2 people wait while 2 places are free"}},
		"one waits for a cancelled event": {func(e *store.Event, r []store.Registration) []store.Registration {
			e.Capacity, e.ConfirmedThrough, e.TicketsSold, e.Waiting, e.CancelledAt = 3, 2, 2, 1, time.Unix(1, 0)
			return r
		}, nil},
		"the smallest event": {func(e *store.Event, r []store.Registration) []store.Registration {
			e.Capacity, e.TicketsSold, e.LastNumber, e.ConfirmedThrough = 1, 1, 1, 1
			return r[:1]
		}, nil},
		"no capacity": {func(e *store.Event, _ []store.Registration) []store.Registration {
			e.Capacity, e.TicketsSold, e.LastNumber, e.ConfirmedThrough = 0, 0, 0, 0
			return nil
		}, []string{"capacity is 0; an event has at least 1 place"}},
		"a full event": {func(e *store.Event, r []store.Registration) []store.Registration { e.Capacity = 3; return r }, nil},
		"an overbooked one": {func(e *store.Event, r []store.Registration) []store.Registration {
			e.Capacity, e.Waiting, e.ConfirmedThrough = 2, 1, 4
			return r
		}, []string{hold(3) + " a place and capacity is 2", "waiting is 1 and 0 people wait", "confirmed_through is 4 and last_number is 3"}},
		"too many sold": {func(e *store.Event, r []store.Registration) []store.Registration { e.TicketsSold = 4; return r },
			[]string{"!tickets_sold is 4 and 3 people hold a place"}},
		"too few sold, of one": {func(e *store.Event, r []store.Registration) []store.Registration { e.TicketsSold = 0; return r[2:] },
			[]string{"!tickets_sold is 0 and 1 person holds a place"}},
		"wrong waiting": {func(e *store.Event, r []store.Registration) []store.Registration { e.Waiting = 2; return r },
			[]string{"!waiting is 2 and 0 people wait"}},
		"last_number below 0": {func(e *store.Event, _ []store.Registration) []store.Registration {
			e.TicketsSold, e.LastNumber, e.ConfirmedThrough = 0, -1, 0
			return nil
		}, []string{"!last_number is -1"}},
		"confirmed_through below 0": {func(e *store.Event, _ []store.Registration) []store.Registration {
			e.TicketsSold, e.LastNumber, e.ConfirmedThrough = 0, 0, -1
			return nil
		}, []string{"!confirmed_through is -1"}},
		"confirmed_through above the last": {func(e *store.Event, r []store.Registration) []store.Registration { e.ConfirmedThrough = 4; return r },
			[]string{"!confirmed_through is 4 and last_number is 3"}},
		"no version": {func(e *store.Event, r []store.Registration) []store.Registration { e.Version = 0; return r },
			[]string{"version is 0 and revision 2"}},
		"more versions than revisions": {func(e *store.Event, r []store.Registration) []store.Registration { e.Version = 3; return r },
			[]string{"version is 3 and revision 2"}},
		"as many versions as revisions": {func(e *store.Event, r []store.Registration) []store.Registration { e.Version = 2; return r }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			e := store.Event{ID: store.ID{9}, Version: 1, Revision: 2, Capacity: 5, TicketsSold: 3, LastNumber: 3, ConfirmedThrough: 3}
			var rows []store.Registration
			for n := range byte(3) {
				rows = append(rows, store.Registration{UserID: user(n + 1), Number: int64(n) + 1, RequestID: "x", RegisteredAt: time.Unix(1, 0)})
			}
			rows = c.change(&e, rows)
			wantFindings(t, Snapshot{Event: e, Found: true, Registrations: sequence(rows)}, c.want...)
		})
	}
	e := store.Event{Version: 1, Revision: 1, Capacity: 1}
	wantFindings(t, Snapshot{Event: e, Found: true, Registrations: sequence[store.Registration](nil), StaleSearch: "its words"}, "!lists and searches do not find it by its words")
}

// TestFindingsThatAreListed checks that of one kind maxListed findings are listed, and the others counted.
func TestFindingsThatAreListed(t *testing.T) {
	for n, more := range map[int64]string{maxListed: "", maxListed + 1: "and 1 more of this kind (nobody)"} {
		e := full(n)
		e.Revision = 2
		var rows []store.Registration
		var want []string
		for i := range n {
			rows = append(rows, store.Registration{Number: i + 1, RequestID: "x", RegisteredAt: time.Unix(1, 0)})
			if i < maxListed {
				want = append(want, fmt.Sprintf("the registration with the number %d has no user", i+1))
			}
		}
		if more != "" {
			want = append(want, more)
		}
		wantFindings(t, Snapshot{Event: e, Found: true, Registrations: sequence(rows)}, want...)
	}
}

// TestAnEventThatIsNotThere checks what is said of registrations without their event, and of an event that cannot
// be read.
func TestAnEventThatIsNotThere(t *testing.T) {
	left := " (an import that was interrupted leaves such; run it again)"
	rows := []store.Registration{{UserID: user(1), Number: 1}, {UserID: user(2), Number: -4}}
	for n, want := range [][]string{nil, {"does not exist and has 1 registration" + left}, {"does not exist and has 2 registrations" + left}} {
		wantFindings(t, Snapshot{Registrations: sequence(rows[:n]), Changes: func(func(store.ChangeRecord, error) bool) { t.Error("its record is read") }}, want...)
	}
	for _, c := range []struct{ found, isUser, known bool }{{false, false, true}, {true, false, false}, {true, true, true}} {
		s := Snapshot{Found: c.found, OrganizerKnown: c.isUser, Registrations: sequence(rows)}
		if got, err := CheckEvent(t.Context(), snapshots{Snapshot: s}, store.ID{9}, nil); err != nil || got.OrganizerKnown != c.known || got.Registrations != 2 {
			t.Errorf("%+v: %+v, %v", c, got, err)
		}
	}
	damaged := snapshots{Snapshot: Snapshot{Damaged: fmt.Errorf("%w: event x: no title", store.ErrDamaged)}}
	got, err := CheckEvent(t.Context(), damaged, store.ID{9}, nil)
	if err != nil || !got.OrganizerKnown || got.ID != (store.ID{9}) || len(got.Findings) != 1 || got.Findings[0] != (Finding{Text: "event x: no title"}) {
		t.Errorf("%+v, %v", got, err)
	}
	broken := func(yield func(store.Registration, error) bool) { yield(store.Registration{}, context.Canceled) }
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	began := time.Now()
	if _, err := CheckEvent(ended, snapshots{Snapshot: Snapshot{Found: true, Registrations: broken}}, store.ID{9}, nil); !errors.Is(err, context.Canceled) || time.Since(began) > retryPause {
		t.Errorf("a read that is ended: %v after %v", err, time.Since(began))
	}
}

// TestHowOftenAReadIsTried checks that an event is read maxAttempts times at most, and once when nobody waits any more.
func TestHowOftenAReadIsTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := slices.Repeat([]error{errors.New("an election")}, maxAttempts)
		v := &views{event: full(1), rows: numbered(1), fail: failing[1:]}
		began := time.Now()
		if _, err := CheckEvent(t.Context(), v, v.event.ID, nil); err != nil || time.Since(began) != (maxAttempts-1)*retryPause {
			t.Errorf("the last try succeeds, and yet after %v: %v", time.Since(began), err)
		}
		v.fail = append(failing, errors.New("once more"))
		if _, err := CheckEvent(t.Context(), v, v.event.ID, nil); err == nil || len(v.fail) != 1 {
			t.Errorf("%v, and %d tries are left", err, len(v.fail))
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		v.fail = failing
		if _, err := CheckEvent(ended, v, v.event.ID, nil); err == nil || len(v.fail) != maxAttempts-1 {
			t.Errorf("nobody waits for it: %v, and %d tries are left", err, len(v.fail))
		}
	})
}

func TestProgressIsTheWhole(t *testing.T) {
	for n, want := range map[int64][]int{0: {0}, 999: {999}, 1000: {1000, 0}, 2500: {1000, 1000, 500}} {
		var got []int
		v := &views{event: full(n), rows: numbered(n)}
		if _, err := CheckEvent(t.Context(), v, v.event.ID, func(n int) { got = append(got, n) }); err != nil || !slices.Equal(got, want) {
			t.Errorf("%d registrations: %v, %v", n, got, err)
		}
	}
}

func TestFindingsOfUsers(t *testing.T) {
	sound := StoredUser{User: store.User{ID: user(1), Email: "a@example.org", PasswordHash: "$argon2id$x", CreatedAt: time.Unix(1, 0)}, EmailKey: "a@example.org"}
	other := sound
	other.ID, other.EmailKey, other.PasswordHash = user(2), "b@example.org", "" // who was imported has none
	change := func(f func(*StoredUser)) StoredUser {
		u := other
		f(&u)
		return u
	}
	for name, c := range map[string]struct {
		second StoredUser
		want   string
	}{
		"nothing":       {other, ""},
		"no address":    {change(func(u *StoredUser) { u.EmailKey = "" }), "user " + user(2).Hex() + ": has no e-mail address"},
		"one address":   {change(func(u *StoredUser) { u.EmailKey = sound.EmailKey }), "user " + user(2).Hex() + ": has the same e-mail address as user " + user(1).Hex()},
		"no id":         {change(func(u *StoredUser) { u.ID = store.ID{} }), "user " + store.ID{}.Hex() + ": has no id"},
		"a password":    {change(func(u *StoredUser) { u.PasswordHash = "hunter2" }), "user " + user(2).Hex() + ": has a password that is not stored as an argon2id hash, or as one of bcrypt or scrypt from an import"},
		"of bcrypt":     {change(func(u *StoredUser) { u.PasswordHash = "$2b$10$32bbCwk/n2KINy2RSnpgZuq2K4zW.3i/ao1EN/0NrtEVXwNQSmE2C" }), ""},
		"costly bcrypt": {change(func(u *StoredUser) { u.PasswordHash = "$2b$31$32bbCwk/n2KINy2RSnpgZuq2K4zW.3i/ao1EN/0NrtEVXwNQSmE2C" }), "user " + user(2).Hex() + ": has a password that is not stored as an argon2id hash, or as one of bcrypt or scrypt from an import"},
		"no creation":   {change(func(u *StoredUser) { u.CreatedAt = time.Time{} }), "user " + user(2).Hex() + ": has no created_at"},
		"two of these":  {change(func(u *StoredUser) { u.CreatedAt, u.EmailKey = time.Time{}, "" }), "user " + user(2).Hex() + ": has no e-mail address; user " + user(2).Hex() + ": has no created_at"},
	} {
		var found []string
		progress := 0
		n, err := CheckUsers(sequence([]StoredUser{sound, c.second}), func(f Finding) {
			if f.Repairable {
				t.Errorf("%s can be repaired", f.Text)
			}
			found = append(found, f.Text)
		}, func(n int) { progress += n })
		if got := strings.Join(found, "; "); err != nil || n != 2 || progress != 2 || got != c.want {
			t.Errorf("%s: %d users, progress %d, %q, %v", name, n, progress, got, err)
		}
	}
	bad := func(last error) iter.Seq2[StoredUser, error] {
		return func(yield func(StoredUser, error) bool) {
			if yield(StoredUser{}, fmt.Errorf("%w: user x", store.ErrDamaged)) && yield(sound, nil) {
				yield(StoredUser{}, last)
			}
		}
	}
	var found []Finding
	n, err := CheckUsers(bad(store.ErrUnavailable), func(f Finding) { found = append(found, f) }, nil)
	if n != 1 || !errors.Is(err, store.ErrUnavailable) || len(found) != 1 || found[0].Text != "user x" {
		t.Errorf("%d users, %+v, %v", n, found, err)
	}
	first := sound
	first.EmailKey = "" // is not the address of somebody before
	if _, err := CheckUsers(sequence([]StoredUser{first}), func(f Finding) {
		if !strings.HasSuffix(f.Text, "has no e-mail address") {
			t.Error(f.Text)
		}
	}, nil); err != nil {
		t.Error(err)
	}
}
