package people

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

func testAccounts(t *testing.T, target storetest.Target) {
	t.Run("sessions", func(t *testing.T) { testSessions(t, target) })
	t.Run("locks", func(t *testing.T) { testLocks(t, target) })
	t.Run("edit", func(t *testing.T) { testEditUser(t, target) })
	t.Run("extended sessions", func(t *testing.T) { testExtendedSessions(t, target) })
	t.Run("erase", func(t *testing.T) { testErase(t, target) })
	t.Run("retention", func(t *testing.T) { testRetention(t, target) })
}

func newSession(u store.User, created time.Time) store.Session {
	return store.Session{
		ID: store.NewID(), UserID: u.ID, PasswordVersion: u.PasswordVersion, Client: "Firefox", CreatedAt: created, ExpiresAt: created.Add(time.Hour),
	}
}

func testSessions(t *testing.T, target storetest.Target) {
	s, again := target.Store, target.Again(t)
	ada, eve := createUser(t, s), createUser(t, s)
	current := time.Now().UTC().Truncate(time.Millisecond)
	first, second, past := newSession(ada, current), newSession(ada, current), newSession(ada, current.Add(-2*time.Hour))
	for _, session := range []store.Session{first, second, past, first} {
		if err := s.CreateSession(storetest.Context(t), session); err != nil {
			t.Fatal(err)
		}
	}
	wantSessions := func(want ...store.Session) {
		t.Helper()
		got, err := again.UserSessions(storetest.Context(t), ada.ID, current)
		if err != nil || len(got) != len(want) {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("got %+v, want %+v", got[i], want[i])
			}
		}
	}
	wantSessions(second, first) // the newest first, and none that has expired
	ended := func(since time.Time) map[store.ID]store.EndedSession {
		t.Helper()
		found := make(map[store.ID]store.EndedSession)
		for e, err := range again.EndedSessions(storetest.Context(t), since) {
			if err != nil {
				t.Fatal(err)
			}
			found[e.ID] = e
		}
		return found
	}
	if got := ended(time.Time{}); len(got) != 0 {
		t.Fatalf("%+v have ended", got)
	}
	// Somebody else's session cannot be ended, and one that nobody has stored is stored as ended.
	if err := s.EndSession(storetest.Context(t), store.Session{ID: second.ID, UserID: eve.ID}); err != nil {
		t.Fatal(err)
	}
	wantSessions(second, first)
	unknown := newSession(ada, current)
	for _, session := range []store.Session{{ID: first.ID, UserID: ada.ID}, first, unknown, {ID: store.NewID(), UserID: ada.ID}} {
		if err := s.EndSession(storetest.Context(t), session); err != nil {
			t.Fatal(err)
		}
	}
	wantSessions(second)
	got := ended(current.Add(-time.Minute))
	if len(got) != 2 || !got[first.ID].ExpiresAt.Equal(first.ExpiresAt) || !got[unknown.ID].ExpiresAt.Equal(unknown.ExpiresAt) {
		t.Fatalf("ended are %+v, want %v and %v", got, first.ID, unknown.ID)
	}
	history := make(map[store.ID]store.Session)
	for session, err := range again.SessionHistory(storetest.Context(t), ada.ID) {
		if err != nil {
			t.Fatal(err)
		}
		if at := session.EndedAt; at != got[session.ID].EndedAt {
			t.Errorf("%v was ended at %v", session.ID, at)
		}
		session.EndedAt = time.Time{}
		history[session.ID] = session
	}
	if len(history) != 4 || history[first.ID] != first || history[past.ID] != past || history[second.ID] != second {
		t.Fatalf("the history is %+v", history)
	}
	at := got[unknown.ID].EndedAt
	if distance := time.Since(at).Abs(); distance > time.Minute {
		t.Fatalf("it ended at %v", at)
	}
	if later := ended(at); len(later) == 0 {
		t.Fatal("who reads on from the last end misses it")
	}
	if later := ended(at.Add(time.Millisecond)); len(later) != 0 {
		t.Fatalf("after the last end there is %+v", later)
	}
}

// testExtendedSessions checks that a session that is renewed lives longer, in the list and after it
// was ended, and that one that was ended stays so.
func testExtendedSessions(t *testing.T, target storetest.Target) {
	s, again := target.Store, target.Again(t)
	ada, eve := createUser(t, s), createUser(t, s)
	current := time.Now().UTC().Truncate(time.Millisecond)
	session, unknown := newSession(ada, current.Add(-50*time.Minute)), newSession(ada, current)
	if err := s.CreateSession(storetest.Context(t), session); err != nil {
		t.Fatal(err)
	}
	extend := func(v store.Session, want bool) {
		t.Helper()
		if alive, err := s.ExtendSession(storetest.Context(t), v); err != nil || alive != want {
			t.Fatalf("it goes on: %t, %v, want %t", alive, err, want)
		}
	}
	later := session
	later.ExpiresAt = session.ExpiresAt.Add(time.Hour)
	extend(later, true)
	extend(session, true) // an earlier end, from a process that was slow, moves nothing
	foreign := later
	foreign.UserID, foreign.ExpiresAt = eve.ID, later.ExpiresAt.Add(time.Hour)
	extend(foreign, false)
	extend(unknown, true)
	got, err := again.UserSessions(storetest.Context(t), ada.ID, session.ExpiresAt)
	if err != nil || len(got) != 2 || got[0] != unknown || got[1] != later {
		t.Fatalf("got %+v, %v, want %+v and %+v", got, err, unknown, later)
	}
	end := later
	end.ExpiresAt = later.ExpiresAt.Add(24 * time.Hour)
	if err := s.EndSession(storetest.Context(t), end); err != nil {
		t.Fatal(err)
	}
	extend(later, false)
	// Processes must go on knowing of it for as long as a renewed token may live.
	found := false
	for e, err := range again.EndedSessions(storetest.Context(t), time.Time{}) {
		if err != nil {
			t.Fatal(err)
		}
		found = found || e.ID == session.ID && e.ExpiresAt.Equal(end.ExpiresAt)
	}
	if !found {
		t.Fatalf("%v has not ended until %v", session.ID, end.ExpiresAt)
	}
	if _, err := s.ForgetKeys(storetest.Context(t)); err != nil {
		t.Fatal(err)
	}
	extend(later, false)
}

// wantRevoked fails unless the revocations say that the version of a user is the lowest that counts.
func wantRevoked(t *testing.T, s store.Users, id store.ID, version int64) {
	t.Helper()
	for r, err := range s.Revocations(storetest.Context(t), storetest.Now()) {
		if err != nil {
			t.Fatal(err)
		}
		if r.UserID == id {
			if r.PasswordVersion != version || !r.ChangedAt.Equal(storetest.Now()) {
				t.Fatalf("the revocation is %+v, want version %d", r, version)
			}
			return
		}
	}
	t.Fatalf("no revocation of %s", id.Hex())
}

func testLocks(t *testing.T, target storetest.Target) {
	s, again := target.Store, target.Again(t)
	ada := createUser(t, s)
	u, err := s.EndTokens(storetest.Context(t), ada.ID, storetest.Now())
	if err != nil || u.PasswordVersion != 1 || !u.PasswordChangedAt.Equal(storetest.Now()) || u.PasswordHash != ada.PasswordHash {
		t.Fatalf("got %+v, %v", u, err)
	}
	wantUser(t, again, u)
	wantRevoked(t, again, ada.ID, 1)
	// A hash that was read before must not bring the old version back.
	if err := s.SetPassword(storetest.Context(t), ada, changed(ada, "new", storetest.Now())); !errors.Is(err, store.ErrPasswordChanged) {
		t.Fatalf("a password is changed on an old version: %v", err)
	}
	for range 2 { // twice is once
		locked, err := s.LockUser(storetest.Context(t), ada.ID, storetest.Now())
		if err != nil || !locked.LockedAt.Equal(storetest.Now()) || locked.PasswordVersion != 2 {
			t.Fatalf("got %+v, %v", locked, err)
		}
		wantUser(t, again, locked)
	}
	wantRevoked(t, again, ada.ID, 2)
	for range 2 {
		open, err := s.UnlockUser(storetest.Context(t), ada.ID)
		if err != nil || !open.LockedAt.IsZero() || open.PasswordVersion != 2 {
			t.Fatalf("got %+v, %v", open, err)
		}
		wantUser(t, again, open)
	}
	nobody := store.NewID()
	_, ended := s.EndTokens(storetest.Context(t), nobody, storetest.Now())
	_, locked := s.LockUser(storetest.Context(t), nobody, storetest.Now())
	_, unlocked := s.UnlockUser(storetest.Context(t), nobody)
	for _, err := range []error{ended, locked, unlocked, s.EditUser(storetest.Context(t), storetest.NewUser("x@example.org"))} {
		if !errors.Is(err, store.ErrUserNotFound) {
			t.Errorf("of nobody: %v, want ErrUserNotFound", err)
		}
	}
}

func testEditUser(t *testing.T, target storetest.Target) {
	s := target.Store
	ada, eve := createUser(t, s), createUser(t, s)
	ada.Name, ada.Email = "Countess", "Countess."+ada.Email
	wish := ada
	wish.PasswordHash, wish.PasswordVersion, wish.LockedAt = "other", 7, storetest.Now() // must not count
	for range 2 {
		if err := s.EditUser(storetest.Context(t), wish); err != nil {
			t.Fatal(err)
		}
		wantUser(t, target.Again(t), ada)
	}
	proven, err := s.ProveEmail(storetest.Context(t), ada.ID, ada.Email, storetest.Now())
	if err != nil {
		t.Fatal(err)
	}
	ada.EmailProvenAt, ada.Name, ada.Email = storetest.Now(), "Ada", strings.ToUpper(ada.Email) // the same mailbox
	for _, change := range []string{"", "another."} {
		ada.Email = change + ada.Email
		if change != "" {
			ada.EmailProvenAt = time.Time{}
		}
		wish := ada
		wish.EmailProvenAt = proven.EmailProvenAt.Add(time.Hour) // must not count
		if err := s.EditUser(storetest.Context(t), wish); err != nil {
			t.Fatal(err)
		}
		wantUser(t, target.Again(t), ada)
	}
	taken := ada
	taken.Email = eve.Email
	if err := s.EditUser(storetest.Context(t), taken); !errors.Is(err, store.ErrEmailTaken) {
		t.Fatalf("the address of another: %v", err)
	}
	wantUser(t, s, ada)
	wantUser(t, s, eve)
}

func testErase(t *testing.T, target storetest.Target) {
	s, again := target.Store, target.Again(t)
	ada, eve := createUser(t, s), createUser(t, s)
	kept, left := storetest.NewEvent(t, s, 2), storetest.NewEvent(t, s, 2)
	register := func(u store.User, e store.Event) store.SeatRequest {
		req := storetest.NewRequest(e.ID)
		req.UserID = u.ID
		storetest.WantOutcomes(t, storetest.MustApply(t, s, req), store.Registered)
		return req
	}
	register(ada, kept)
	hers := register(eve, kept)
	storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewCancel(register(ada, left))), store.Cancelled)
	if err := s.CreateSession(storetest.Context(t), newSession(ada, storetest.Now())); err != nil {
		t.Fatal(err)
	}
	if at, err := s.ErasedAt(storetest.Context(t), ada.ID); err != nil || !at.IsZero() {
		t.Fatalf("erased at %v, %v", at, err)
	}
	for i := range 2 { // twice is once
		if err := s.EraseUser(storetest.Context(t), ada.ID, storetest.Now().Add(time.Duration(i)*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := again.User(storetest.Context(t), ada.ID); !errors.Is(err, store.ErrUserNotFound) {
		t.Errorf("by id: %v", err)
	}
	if _, err := again.UserByEmail(storetest.Context(t), ada.Email); !errors.Is(err, store.ErrUserNotFound) {
		t.Errorf("by address: %v", err)
	}
	if sessions, err := again.UserSessions(storetest.Context(t), ada.ID, storetest.Now()); err != nil || len(sessions) != 0 {
		t.Errorf("sessions: %v, %v", sessions, err)
	}
	if at, err := again.ErasedAt(storetest.Context(t), ada.ID); err != nil || !at.Equal(storetest.Now()) {
		t.Errorf("erased at %v, %v", at, err)
	}
	wantRevoked(t, again, ada.ID, store.ErasedVersion)
	roster := storetest.Check(t, again, kept.ID)
	if len(roster) != 2 || roster[0].UserID != ada.ID || roster[0].RequestID != store.ErasedRequest || len(roster[0].Past) != 0 ||
		roster[1].RequestID != hers.RequestID {
		t.Errorf("the roster is %+v", roster)
	}
	var events []store.ID
	for r, err := range again.UserRegistrations(storetest.Context(t), ada.ID, store.ID{}, 0) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, r.Event.ID)
	}
	if len(events) != 1 || events[0] != kept.ID {
		t.Errorf("what was given up is still there: %v", events)
	}
	fresh := storetest.NewUser(ada.Email) // the address is free again
	if err := s.CreateUser(storetest.Context(t), fresh); err != nil {
		t.Error(err)
	}
	wantUser(t, s, eve)
	// The seat can still be given up by its number, as an organizer does.
	storetest.WantOutcomes(t, storetest.MustApply(t, s, store.SeatRequest{Kind: store.Cancel, EventID: kept.ID, UserID: ada.ID, RequestID: "organizer", At: storetest.Now()}), store.Cancelled)
	storetest.Check(t, s, kept.ID)
}

func testRetention(t *testing.T, target storetest.Target) {
	s := target.Store
	if _, err := s.ForgetCancelled(storetest.Context(t), storetest.Now().Add(time.Minute), 100); err != nil { // of the tests before
		t.Fatal(err)
	}
	event := storetest.NewWaitlistEvent(t, s, 2)
	stays, goes, late, back := storetest.NewRequest(event.ID), storetest.NewRequest(event.ID), storetest.NewRequest(event.ID), storetest.NewRequest(event.ID)
	storetest.WantOutcomes(t, storetest.MustApply(t, s, stays, goes, late, back), store.Registered, store.Registered, store.Waitlisted, store.Waitlisted)
	gone, gone2, returned := storetest.NewCancel(goes), storetest.NewCancel(late), storetest.NewCancel(back)
	gone2.At = storetest.Now().Add(time.Hour)
	again := back
	again.RequestID = "again"
	noted := storetest.NewCancel(storetest.NewRequest(event.ID))
	noted.Keyed = true // finds nothing to cancel, and is remembered
	storetest.WantOutcomes(t, storetest.MustApply(t, s, gone, gone2, returned, again, noted),
		store.Cancelled, store.Cancelled, store.Cancelled, store.Registered, store.Cancelled)
	before := storetest.ReadEvent(t, s, event.ID)
	forget := func(at time.Time, limit, want int) {
		t.Helper()
		if n, err := s.ForgetCancelled(storetest.Context(t), at, limit); err != nil || n != want {
			t.Fatalf("%d are forgotten, %v, want %d", n, err, want)
		}
	}
	forget(storetest.Now(), 10, 0)
	forget(storetest.Now().Add(time.Minute), 1, 1)
	forget(storetest.Now().Add(time.Minute), 10, 1)
	forget(storetest.Now().Add(time.Minute), 10, 0)
	if after := storetest.ReadEvent(t, s, event.ID); !after.Equal(before) {
		t.Fatalf("the event changes from %+v to %+v", before, after)
	}
	if roster := storetest.Check(t, s, event.ID); len(roster) != 2 || roster[0].UserID != stays.UserID || roster[1].UserID != back.UserID || !roster[1].CancelledAt.IsZero() {
		t.Fatalf("the roster is %+v", roster)
	}
	// The later one is remembered still, the earlier one is a stranger again, with a new number.
	results := storetest.MustApply(t, target.Again(t), late, goes)
	storetest.WantOutcomes(t, results, store.RegistrationCancelled, store.Waitlisted)
	if n := results[1].Registration.Number; n != before.LastNumber+1 {
		t.Fatalf("the new number is %d, want %d", n, before.LastNumber+1)
	}
	storetest.Check(t, s, event.ID)
	if _, err := s.ForgetKeys(storetest.Context(t)); err != nil {
		t.Fatal(err)
	}
}
