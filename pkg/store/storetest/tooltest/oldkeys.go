package tooltest

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/schema"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// OldKeys creates users with the addresses and keys that versions before store.EmailKey followed
// text.Address have left, some of which are one address by now. set stores an address and a key
// without any check. The returned function checks what the migration has made of them.
func OldKeys(t *testing.T, s store.Store, set func(id store.ID, email, key string)) (check func(store.Store, []store.KeptKey)) {
	t.Helper()
	emails := []string{
		"plain@example.org",
		"jose\u0301@example.org", "jos\u00e9@example.org", // the second one has the new key already
		"b@B\u00fccher.example",                                     // alone, and gets a new one
		"e\u0301@b\u00fccher.example", "\u00c9@b\u00fccher.example", // neither has the new key
		"\ufb01@example.org", // is no address any more, and keeps its key
	}
	users := make([]store.User, len(emails))
	for i, email := range emails {
		users[i] = createdUser(t, s)
		users[i].Email = email
		set(users[i].ID, email, strings.ToLower(email))
	}
	return func(s store.Store, kept []store.KeptKey) {
		t.Helper()
		got := make(map[store.ID]store.ID)
		for _, k := range kept {
			got[k.User] = k.Other
			if !strings.Contains(k.String(), k.User.Hex()) || !strings.Contains(k.String(), k.Other.Hex()) {
				t.Errorf("it says %s", k)
			}
		}
		want := map[store.ID]store.ID{users[1].ID: users[2].ID, users[5].ID: users[4].ID}
		if len(kept) != len(want) || !maps.Equal(got, want) {
			t.Errorf("kept are %v, want %v", got, want)
		}
		for i, email := range emails { // what its owner has always typed leads to each account
			for _, typed := range []string{email, strings.ToUpper(email), " " + email} {
				if u, err := s.UserByEmail(storetest.Context(t), typed); err != nil || u.ID != users[i].ID {
					t.Errorf("%+q leads to %s, %v, want %s", typed, u.ID.Hex(), err, users[i].ID.Hex())
				}
			}
		}
		for typed, i := range map[string]int{"b@xn--bcher-kva.example": 3, "\u00e9@xn--bcher-kva.example": 4, "JOS\u00c9@example.org": 2} {
			if u, err := s.UserByEmail(storetest.Context(t), typed); err != nil || u.ID != users[i].ID {
				t.Errorf("%+q leads to %s, %v, want %s", typed, u.ID.Hex(), err, users[i].ID.Hex())
			}
		}
		// Another name changes no key.
		renamed := users[1]
		renamed.Name = "Jos\u00e9"
		if err := s.EditUser(storetest.Context(t), renamed); err != nil {
			t.Error(err)
		}
		if u, err := s.UserByEmail(storetest.Context(t), emails[1]); err != nil || u.ID != users[1].ID {
			t.Errorf("with another name it is %s, %v", u.ID.Hex(), err)
		}
	}
}

// LateKeys checks what becomes of users whom a process of the version before creates after the migration:
// nobody else gets their addresses, and SettleKeys gives them the new keys, unless another user has them.
func LateKeys(t *testing.T, s store.Store, m schema.Migrator, set func(id store.ID, email, key string)) {
	t.Helper()
	late := func(email string) store.User {
		u := createdUser(t, s)
		u.Email = email
		set(u.ID, email, email)
		return u
	}
	alone := late("late@b\u00fccher.example")
	if err := s.CreateUser(storetest.Context(t), storetest.NewUser(alone.Email)); !errors.Is(err, store.ErrEmailTaken) {
		t.Errorf("another user signs up with the address: %v", err)
	}
	other := createdUser(t, s)
	other.Email = alone.Email
	if err := s.EditUser(storetest.Context(t), other); !errors.Is(err, store.ErrEmailTaken) {
		t.Errorf("another user changes to the address: %v", err)
	}
	first := storetest.NewUser("two@xn--bcher-kva.example")
	if err := s.CreateUser(storetest.Context(t), first); err != nil {
		t.Fatal(err)
	}
	second := late("two@b\u00fccher.example")
	kept := func() (of []store.ID) {
		for _, k := range Kept(t, m) {
			of = append(of, k.User)
		}
		return of
	}
	if got := kept(); !slices.Contains(got, second.ID) || slices.Contains(got, alone.ID) {
		t.Errorf("kept are %v", got)
	}
	wantEmail := func(typed string, want store.User) {
		t.Helper()
		if u, err := s.UserByEmail(storetest.Context(t), typed); err != nil || u.ID != want.ID {
			t.Errorf("%+q leads to %s, %v, want %s", typed, u.ID.Hex(), err, want.ID.Hex())
		}
	}
	wantEmail("late@xn--bcher-kva.example", alone)
	wantEmail(second.Email, second)
	wantEmail(first.Email, first)
	// Who proves the address has it alone.
	at := storetest.Now().Add(time.Hour)
	got, err := s.ProveEmail(storetest.Context(t), second.ID, second.Email, at)
	if err != nil || got.EmailProvenAt != at {
		t.Fatalf("%+v, %v", got, err)
	}
	wantEmail(first.Email, second)
	wantEmail(store.FreedEmail(first.ID), first)
	// An address is freed by the form that its user has.
	third := storetest.NewUser("three@xn--bcher-kva.example")
	if err := s.CreateUser(storetest.Context(t), third); err != nil {
		t.Fatal(err)
	}
	fourth := late("three@b\u00fccher.example")
	if u, err := s.FreeEmail(storetest.Context(t), fourth.Email, at); err != nil || u.ID != fourth.ID {
		t.Errorf("freed is %s, %v, want %s", u.ID.Hex(), err, fourth.ID.Hex())
	}
	// The key is free when the other one is gone.
	fifth := late("Three@b\u00fccher.example")
	set(fifth.ID, fifth.Email, strings.ToLower(fifth.Email))
	if got := kept(); !slices.Contains(got, fifth.ID) {
		t.Errorf("kept are %v", got)
	}
	if err := s.EraseUser(storetest.Context(t), third.ID, at); err != nil {
		t.Fatal(err)
	}
	if got := kept(); slices.Contains(got, fifth.ID) {
		t.Errorf("kept are %v", got)
	}
	wantEmail(third.Email, fifth)
}

// Kept gathers what a migrator tells of keys.
func Kept(t *testing.T, m schema.Migrator) (all []store.KeptKey) {
	t.Helper()
	for k, err := range m.SettleKeys(storetest.Context(t)) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, k)
	}
	return slices.Clip(all)
}

func createdUser(t *testing.T, s store.Users) store.User {
	t.Helper()
	u := storetest.NewUser(store.NewID().Hex() + "@example.org")
	if err := s.CreateUser(storetest.Context(t), u); err != nil {
		t.Fatal(err)
	}
	return u
}
