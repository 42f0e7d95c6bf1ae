package people

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

func createUser(t *testing.T, s store.Users) store.User {
	t.Helper()
	u := storetest.NewUser(store.NewID().Hex() + "@example.org")
	if err := s.CreateUser(storetest.Context(t), u); err != nil {
		t.Fatal(err)
	}
	return u
}

func wantUser(t *testing.T, s store.Store, want store.User) {
	t.Helper()
	byID, err := s.User(storetest.Context(t), want.ID)
	if err != nil || byID != want {
		t.Fatalf("by id: got %+v, %v; want %+v", byID, err, want)
	}
	byEmail, err := s.UserByEmail(storetest.Context(t), want.Email)
	if err != nil || byEmail != want {
		t.Fatalf("by address: got %+v, %v; want %+v", byEmail, err, want)
	}
}

// changed returns a user after a change of the password.
func changed(u store.User, hash string, at time.Time) store.User {
	u.PasswordHash, u.PasswordChangedAt = hash, at
	u.PasswordVersion++
	return u
}

func testUsers(t *testing.T, target storetest.Target) {
	s := target.Store
	ada := storetest.NewUser("Ada@Example.org")
	if err := s.CreateUser(storetest.Context(t), ada); err != nil {
		t.Fatal(err)
	}
	for _, spelling := range []string{"Ada@Example.org", "ada@example.org", " ADA@EXAMPLE.ORG\t"} {
		t.Run("found by "+spelling, func(t *testing.T) {
			got, err := s.UserByEmail(storetest.Context(t), spelling)
			if err != nil || got != ada {
				t.Fatalf("got %+v, %v; want %+v", got, err, ada)
			}
		})
		t.Run("taken for "+spelling, func(t *testing.T) {
			if err := s.CreateUser(storetest.Context(t), storetest.NewUser(spelling)); !errors.Is(err, store.ErrEmailTaken) {
				t.Fatalf("error is %v, want ErrEmailTaken", err)
			}
		})
	}
	for first, other := range map[string]string{
		"jos\u00e9@example.org": "JOSE\u0301@example.org", "b@b\u00fccher.example": "b@xn--bcher-kva.example", "c@xn--mnchen-3ya.example": "c@m\u00fcnchen.example",
	} {
		t.Run("two forms of "+first, func(t *testing.T) {
			u := storetest.NewUser(first)
			if err := s.CreateUser(storetest.Context(t), u); err != nil {
				t.Fatal(err)
			}
			if got, err := s.UserByEmail(storetest.Context(t), other); err != nil || got != u {
				t.Fatalf("got %+v, %v; want %+v", got, err, u)
			}
			if err := s.CreateUser(storetest.Context(t), storetest.NewUser(other)); !errors.Is(err, store.ErrEmailTaken) {
				t.Fatalf("error is %v, want ErrEmailTaken", err)
			}
		})
	}
	t.Run("an unknown address is not found", func(t *testing.T) {
		if _, err := s.UserByEmail(storetest.Context(t), "nobody@example.org"); !errors.Is(err, store.ErrUserNotFound) {
			t.Fatalf("error is %v, want ErrUserNotFound", err)
		}
	})
	t.Run("of 50 sign-ups at once with one address exactly one succeeds", func(t *testing.T) {
		handles := []store.Store{s, target.Again(t)}
		var created atomic.Int64
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				switch err := handles[i%2].CreateUser(storetest.Context(t), storetest.NewUser("crowd@example.org")); {
				case err == nil:
					created.Add(1)
				case !errors.Is(err, store.ErrEmailTaken):
					t.Errorf("error is %v, want ErrEmailTaken", err)
				}
			})
		}
		wg.Wait()
		if created.Load() != 1 {
			t.Fatalf("%d sign-ups succeeded", created.Load())
		}
	})
}

// testPasswords checks that a password changes only if it is still the one that was read, and that
// revocations can be read.
func testPasswords(t *testing.T, target storetest.Target) {
	t.Run("user", func(t *testing.T) { testUser(t, target) })
	t.Run("password", func(t *testing.T) { testPassword(t, target) })
	t.Run("revocations", func(t *testing.T) { testRevocations(t, target) })
}

func testUser(t *testing.T, target storetest.Target) {
	wantUser(t, target.Again(t), createUser(t, target.Store))
	if _, err := target.Store.User(storetest.Context(t), store.NewID()); !errors.Is(err, store.ErrUserNotFound) {
		t.Fatalf("an unknown id: error is %v, want ErrUserNotFound", err)
	}
}

func testPassword(t *testing.T, target storetest.Target) {
	s := target.Store
	ada, other := createUser(t, s), createUser(t, s)
	t.Run("a change is read back and touches nobody else", func(t *testing.T) {
		after := changed(ada, "second", storetest.Now())
		request := after
		request.Name, request.Email = "Eve", "eve@example.org" // must not count
		if err := s.SetPassword(storetest.Context(t), ada, request); err != nil {
			t.Fatal(err)
		}
		wantUser(t, target.Again(t), after)
		wantUser(t, s, other)
		ada = after
	})
	t.Run("a hash can be renewed without a new version", func(t *testing.T) {
		after := ada
		after.PasswordHash = "second, hashed anew"
		if err := s.SetPassword(storetest.Context(t), ada, after); err != nil {
			t.Fatal(err)
		}
		wantUser(t, s, after)
		fresh := other
		fresh.PasswordHash = "first, hashed anew"
		if err := s.SetPassword(storetest.Context(t), other, fresh); err != nil {
			t.Fatal(err)
		}
		wantUser(t, s, fresh) // still without a time of change
		ada = after
	})
	t.Run("a change of what is not there any more is refused", func(t *testing.T) {
		stale := ada
		stale.PasswordHash = "first"
		if err := s.SetPassword(storetest.Context(t), stale, changed(stale, "third", storetest.Now())); !errors.Is(err, store.ErrPasswordChanged) {
			t.Fatalf("error is %v, want ErrPasswordChanged", err)
		}
		wantUser(t, s, ada)
	})
	t.Run("an unknown user is not found", func(t *testing.T) {
		nobody := storetest.NewUser("nobody@example.org")
		if err := s.SetPassword(storetest.Context(t), nobody, changed(nobody, "x", storetest.Now())); !errors.Is(err, store.ErrUserNotFound) {
			t.Fatalf("error is %v, want ErrUserNotFound", err)
		}
	})
	t.Run("of 20 changes at once from the same password exactly one succeeds", func(t *testing.T) {
		handles := []store.Store{s, target.Again(t)}
		var done atomic.Int64
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				switch err := handles[i%2].SetPassword(storetest.Context(t), ada, changed(ada, store.NewID().Hex(), storetest.Now())); {
				case err == nil:
					done.Add(1)
				case !errors.Is(err, store.ErrPasswordChanged):
					t.Errorf("error is %v, want ErrPasswordChanged", err)
				}
			})
		}
		wg.Wait()
		if done.Load() != 1 {
			t.Fatalf("%d changes succeeded", done.Load())
		}
	})
}

func testRevocations(t *testing.T, target storetest.Target) {
	s := target.Store
	createUser(t, s) // never changed: never listed
	before := len(storetest.Collect(t, s.Revocations(storetest.Context(t), time.Time{})))
	want := make(map[store.ID]store.Revocation)
	day := 24 * time.Hour
	for i := range 3 {
		u := createUser(t, s)
		after := changed(u, "new", storetest.Now().Add(time.Duration(i+10)*day))
		if err := s.SetPassword(storetest.Context(t), u, after); err != nil {
			t.Fatal(err)
		}
		want[u.ID] = store.Revocation{UserID: u.ID, PasswordVersion: 1, ChangedAt: after.PasswordChangedAt}
	}
	if got := storetest.Collect(t, s.Revocations(storetest.Context(t), time.Time{})); len(got) != before+3 {
		t.Fatalf("since ever: %d, want %d", len(got), before+3)
	}
	for _, c := range []struct {
		name  string
		since time.Time
		want  int
	}{
		{"all three", storetest.Now().Add(10 * day), 3},
		{"the last two", storetest.Now().Add(11 * day), 2},
		{"from exactly the last one", storetest.Now().Add(12 * day), 1},
		{"after the last one", storetest.Now().Add(12*day + time.Millisecond), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := storetest.Collect(t, target.Again(t).Revocations(storetest.Context(t), c.since))
			if len(got) != c.want {
				t.Fatalf("got %+v, want %d", got, c.want)
			}
			for _, r := range got {
				if r != want[r.UserID] {
					t.Errorf("got %+v, want %+v", r, want[r.UserID])
				}
			}
		})
	}
}
