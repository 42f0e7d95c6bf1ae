package identity

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/foreign"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
)

// foreignPerson is somebody whom an issuer has proven, under a name of their own.
func foreignPerson(p Profile) Person {
	return Person{ID: foreign.ID("https://a.example", store.NewID().Hex()), Proof: store.ProofOIDC, Scopes: OtherScopes, Profile: p}
}

// openOthers opens a database and a guard of it, which notes people.
func openOthers(t *testing.T) (st *sqlitestore.Store, open func() *Guard) {
	t.Helper()
	st, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	conn, err := messages.Connect(testenv.StartNATS(t).URL(), "api", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	link := messages.Link{Conn: conn, Namespace: messages.Namespace{Prefix: messages.DefaultPrefix, Database: st.DatabaseID()}}
	return st, func() *Guard {
		t.Helper()
		noter := NewNoter(st, zerolog.Nop())
		t.Cleanup(noter.Close)
		g, err := Open(t.Context(), st, link, Config{Others: st, Noter: noter})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(g.Close)
		return g
	}
}

// TestPeopleOfOthersAreBarred: by a lock and by an erasure, within 5 s and for ever, in a process that runs
// and in one that starts later; and linked by an operator, in both ways.
func TestPeopleOfOthersAreBarred(t *testing.T) {
	st, open := openOthers(t)
	running := open()
	now := time.Now().UTC().Truncate(time.Millisecond)
	locked, erased, linked := foreignPerson(Profile{Name: "Lo"}), foreignPerson(Profile{Name: "Er"}), foreignPerson(Profile{Name: "Li"})
	for _, p := range []Person{locked, erased} {
		if got, err := running.Settle(p); err != nil || got != p {
			t.Fatalf("before: %+v, %v", got, err)
		}
		testenv.Eventually(t, 5*time.Second, "they are noted", func() error { _, err := st.User(t.Context(), p.ID); return err })
	}
	ada := store.User{ID: store.NewID(), Name: "Ada", Email: "ada@example.org", PasswordHash: "x", CreatedAt: now}
	if err := st.CreateUser(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
	within5s := func(what string, p Person, want store.ID) {
		t.Helper()
		began := time.Now()
		for name, g := range map[string]*Guard{"a running process": running, "one that starts later": open()} {
			testenv.Eventually(t, 5*time.Second-time.Since(began), what+" in "+name, func() error {
				switch got, err := g.Settle(p); {
				case want.IsZero() && err == nil:
					return errors.New("they are believed")
				case want.IsZero() && !errors.Is(err, ErrEnded), !want.IsZero() && err != nil:
					return err
				case got.ID != want:
					return errors.New("it is somebody else: " + got.ID.Hex())
				}
				return nil
			})
		}
	}
	if _, err := st.LockUser(t.Context(), locked.ID, now); err != nil {
		t.Fatal(err)
	}
	within5s("locked", locked, store.ID{})
	if _, err := st.UnlockUser(t.Context(), locked.ID); err != nil {
		t.Fatal(err)
	}
	within5s("unlocked", locked, locked.ID)
	if err := st.EraseUser(t.Context(), erased.ID, now); err != nil {
		t.Fatal(err)
	}
	within5s("erased", erased, store.ID{})

	link := func(user store.ID) {
		t.Helper()
		if err := st.LinkIdentity(t.Context(), foreign.Link{ID: linked.ID, UserID: user, ChangedAt: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	link(ada.ID)
	within5s("linked", linked, ada.ID)
	if _, err := st.EndTokens(t.Context(), ada.ID, time.Now()); err != nil { // a new password of hers ends nothing of theirs
		t.Fatal(err)
	}
	within5s("still linked", linked, ada.ID)
	link(store.ID{})
	within5s("unlinked", linked, linked.ID)
	link(ada.ID)
	within5s("linked again", linked, ada.ID)
	if err := st.EraseUser(t.Context(), ada.ID, now.Add(-1000*time.Hour)); err != nil { // long ago, for one that starts later
		t.Fatal(err)
	}
	if g := open(); g != nil {
		if got, err := g.Settle(linked); err == nil {
			t.Errorf("who leads to somebody who was erased is %+v", got)
		}
	}
}

// TestWhoIsNoted: with a name, and with an address that is proven and nobody else's; once, and never again
// after an erasure.
func TestWhoIsNoted(t *testing.T) {
	st, open := openOthers(t)
	g := open()
	now := time.Now().UTC()
	taken := store.User{ID: store.NewID(), Name: "Ada", Email: "ada@example.org", PasswordHash: "x", CreatedAt: now}
	if err := st.CreateUser(t.Context(), taken); err != nil {
		t.Fatal(err)
	}
	note := func(p Profile) store.User {
		t.Helper()
		who := foreignPerson(p)
		if _, err := g.Settle(who); err != nil {
			t.Fatal(err)
		}
		var u store.User
		testenv.Eventually(t, 5*time.Second, "they are noted", func() (err error) { u, err = st.User(t.Context(), who.ID); return err })
		return u
	}
	for name, c := range map[string]struct {
		Profile
		name, email string // email "": none
	}{
		"a name and an address":         {Profile{"Bob", "Bob@Example.org"}, "Bob", "Bob@example.org"},
		"an address of somebody else's": {Profile{"Not Ada", " ADA@example.org"}, "Not Ada", ""},
		"nothing":                       {Profile{}, "-", ""},
		"no name":                       {Profile{"\u202eevil", "c@example.org"}, "-", "c@example.org"},
		"a name too long":               {Profile{strings.Repeat("a", 201), ""}, "-", ""},
		"no address":                    {Profile{"Eve", "eve@"}, "Eve", ""},
	} {
		u := note(c.Profile)
		if c.email == "" {
			c.email = store.FreedEmail(u.ID)
		}
		if u.Name != c.name || u.Email != c.email || u.EmailProvenAt.IsZero() != (c.email == store.FreedEmail(u.ID)) || u.PasswordHash != "" {
			t.Errorf("%s: %+v", name, u)
		}
	}
	if u, err := st.User(t.Context(), taken.ID); err != nil || u.Email != "ada@example.org" {
		t.Errorf("who had the address: %+v, %v", u, err)
	}
	gone := note(Profile{Name: "Gone"})
	if err := st.EraseUser(t.Context(), gone.ID, now); err != nil {
		t.Fatal(err)
	}
	noter := &Noter{people: st}
	if err := noter.note(t.Context(), []noted{{gone.ID, Profile{Name: "Back"}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := st.User(t.Context(), gone.ID); !errors.Is(err, store.ErrUserNotFound) {
		t.Errorf("who was erased is noted again: %v", err)
	}
	key := foreignPerson(Profile{Name: "Key"})
	key.Proof = store.ProofKey
	if _, err := g.Settle(key); err != nil {
		t.Fatal(err)
	}
	if len(g.noter.queue) != 0 || g.noter.seen.Contains(key.ID) {
		t.Error("whom a key stands for is noted")
	}
}

func TestScopes(t *testing.T) {
	for text, want := range map[string]Scopes{"read": ScopeRead, "organize,read": ScopeRead | ScopeOrganize, " register  register ": ScopeRegister} {
		if got, err := ParseScopes(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", " ,", "account", "log_in", "Read", "read;register", "read *"} {
		if got, err := ParseScopes(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}
