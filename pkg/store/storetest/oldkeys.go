package storetest

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/eventio/eventio/pkg/store"
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
		users[i] = createUser(t, s)
		users[i].Email = email
		set(users[i].ID, email, strings.ToLower(email))
	}
	return func(s store.Store, kept []store.KeptKey) {
		t.Helper()
		got := make(map[store.ID]store.ID)
		for _, k := range kept {
			got[k.User] = k.Other
			if !strings.Contains(k.String(), k.Other.Hex()) {
				t.Errorf("it says %s", k)
			}
		}
		want := map[store.ID]store.ID{users[1].ID: users[2].ID, users[5].ID: users[4].ID}
		if len(kept) != len(want) || !maps.Equal(got, want) {
			t.Errorf("kept are %v, want %v", got, want)
		}
		for i, email := range emails { // what its owner has always typed leads to each account
			for _, typed := range []string{email, strings.ToUpper(email), " " + email} {
				if u, err := s.UserByEmail(Context(t), typed); err != nil || u.ID != users[i].ID {
					t.Errorf("%+q leads to %s, %v, want %s", typed, u.ID.Hex(), err, users[i].ID.Hex())
				}
			}
		}
		for typed, i := range map[string]int{"b@xn--bcher-kva.example": 3, "\u00e9@xn--bcher-kva.example": 4, "JOS\u00c9@example.org": 2} {
			if u, err := s.UserByEmail(Context(t), typed); err != nil || u.ID != users[i].ID {
				t.Errorf("%+q leads to %s, %v, want %s", typed, u.ID.Hex(), err, users[i].ID.Hex())
			}
		}
		// Another name changes no key.
		renamed := users[1]
		renamed.Name = "Jos\u00e9"
		if err := s.EditUser(Context(t), renamed); err != nil {
			t.Error(err)
		}
		if u, err := s.UserByEmail(Context(t), emails[1]); err != nil || u.ID != users[1].ID {
			t.Errorf("with another name it is %s, %v", u.ID.Hex(), err)
		}
	}
}

// Kept gathers what a migrator tells of keys.
func Kept(t *testing.T, m store.Migrator) (all []store.KeptKey) {
	t.Helper()
	for k, err := range m.KeptKeys(Context(t)) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, k)
	}
	return slices.Clip(all)
}
