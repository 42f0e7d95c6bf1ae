package tooltest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/search"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/pkg/store/verify"
)

// Stored is a database that an earlier version of the program has written, and that this version has
// opened. All such databases, in testdata/vN of the adapters, have the same records: four users, of whom
// the last has changed the password; a sold-out event; one with two confirmed and two waiting
// registrations, one of these by a user who registered for the second time; one that was edited and
// cancelled, with a confirmed and a cancelled registration; one without registrations; an idempotency
// key; and a signing key.
type Stored struct {
	Store        store.Store
	VerifyReader verify.Reader
}

// storedID returns the id of a record of a Stored: 1 to 4 are users, 16 to 19 events.
func storedID(n byte) store.ID {
	return store.ID{0x6b, 0x05, 0x6f, 0x1d, 0, 0, 0, 0, 0, 0, 0, n}
}

// RunStored tests that all records of the earlier version are read and can be changed.
func RunStored(t *testing.T, target Stored) {
	s := target.Store
	full, line, off, empty := storedID(16), storedID(17), storedID(18), storedID(19)
	clean := func(t *testing.T) {
		ctx := storetest.Context(t)
		for err := range target.VerifyReader.CheckConstraints(ctx) {
			t.Error(err)
		}
		found := func(f verify.Finding) { t.Errorf("finding: %s", f.Text) }
		if n, err := verify.CheckUsers(target.VerifyReader.ReadUsers(ctx), found, nil); err != nil || n != 4 {
			t.Errorf("%d users, %v", n, err)
		}
		events := 0
		for id, err := range target.VerifyReader.ReadEventIDs(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			events++
			if e := checkEvent(t, target.VerifyReader, id); len(e.Findings) > 0 {
				t.Errorf("event %s: %+v", id.Hex(), e.Findings)
			}
		}
		if events != 4 {
			t.Errorf("%d events", events)
		}
	}
	t.Run("clean", clean)
	t.Run("people", func(t *testing.T) {
		u, err := s.UserByEmail(storetest.Context(t), "user2@example.org")
		if err != nil || u.ID != storedID(2) || u.Name != "Björn" {
			t.Errorf("%+v, %v", u, err)
		}
		var revoked []store.Revocation
		for r, err := range s.Revocations(storetest.Context(t), time.UnixMilli(0)) {
			if err != nil {
				t.Fatal(err)
			}
			revoked = append(revoked, r)
		}
		if len(revoked) != 1 || revoked[0].UserID != storedID(4) || revoked[0].PasswordVersion != 1 {
			t.Errorf("revocations are %+v", revoked)
		}
		err = s.CreateUser(storetest.Context(t), store.User{ID: store.NewID(), Name: "x", Email: "USER1@example.org", CreatedAt: time.Now()})
		if !errors.Is(err, store.ErrEmailTaken) {
			t.Errorf("a second user with an address: %v", err)
		}
	})
	t.Run("events", func(t *testing.T) {
		var titles []string
		for e, err := range search.All(storetest.Context(t), s, store.EventQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
			titles = append(titles, e.Title)
		}
		if want := []string{"Opening night", "Żurek für alle", "Called off, sadly", "Nobody yet"}; !slices.Equal(titles, want) {
			t.Errorf("events are %q, want %q", titles, want)
		}
		for word, want := range map[string]string{"zur": "Żurek für alle", "OPENING n": "Opening night", "ight": ""} {
			page, err := s.FindEvents(storetest.Context(t), store.EventQuery{Words: search.Words(word)})
			if err != nil || (len(page.Events) == 1) != (want != "") || want != "" && page.Events[0].Title != want {
				t.Errorf("%q finds %+v, %v; want %q", word, page.Events, err, want)
			}
		}
		e, err := s.Event(storetest.Context(t), off)
		if err != nil || e.CancelledAt.IsZero() || e.Version != 3 {
			t.Errorf("%+v, %v", e, err)
		}
	})
	t.Run("registrations", func(t *testing.T) {
		var roster []string
		for r, err := range s.Roster(storetest.Context(t), line, 0, 5, 0) {
			if err != nil {
				t.Fatal(err)
			}
			roster = append(roster, fmt.Sprintf("%d: user %d", r.Number, r.UserID[11]))
		}
		if want := []string{"2: user 2", "3: user 3", "4: user 4", "5: user 1"}; !slices.Equal(roster, want) {
			t.Errorf("the roster is %q, want %q", roster, want)
		}
		seat := func(kind store.Kind, event store.ID, user byte, key string) store.SeatRequest {
			return store.SeatRequest{Kind: kind, EventID: event, UserID: storedID(user), RequestID: key, At: time.Now()}
		}
		storetest.WantOutcomes(t, storetest.MustApply(t, s,
			seat(store.Register, full, 1, "request-1"), seat(store.Register, full, 1, "new"), seat(store.Register, full, 2, "new"),
			seat(store.Register, off, 1, "new"), seat(store.Register, empty, 1, "new"), seat(store.Register, line, 1, "request-3"),
			seat(store.Cancel, line, 2, "new"), seat(store.Register, line, 2, "newer"),
		),
			store.Registered, store.AlreadyRegistered, store.SoldOut,
			store.EventCancelled, store.Registered, store.RegistrationCancelled,
			store.Cancelled, store.Waitlisted,
		)
		storetest.Check(t, s, line)
	})
	t.Run("keys", func(t *testing.T) {
		claim := store.Claim{Key: store.Digest{1, 2, 3}, Fingerprint: store.Digest{4, 5, 6}, Resource: store.NewID(), Owner: store.NewID(), CreatedAt: time.Now()}
		if got, done, err := s.Begin(storetest.Context(t), claim, time.Second); err != nil || !done || got.Resource != storedID(1) {
			t.Errorf("%+v, %v, %v", got, done, err)
		}
		key, err := s.SigningKey(storetest.Context(t), store.SigningKey{ID: "another", Secret: []byte("x"), CreatedAt: time.Now()})
		if err != nil || key.ID != "first" || len(key.Secret) != 32 {
			t.Errorf("the signing key is %s, %v", key.ID, err)
		}
	})
	t.Run("clean in the end", clean)
}
