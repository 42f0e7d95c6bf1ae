package people

import (
	"errors"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/foreign"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// identities is a store that knows people of others.
type identities interface {
	store.Store
	foreign.Identities
}

func testIdentities(t *testing.T, target storetest.Target) {
	s, again := target.Store.(identities), target.Again(t).(identities)
	ctx := storetest.Context(t)
	ada, eve := createUser(t, s), createUser(t, s)
	at := time.Now().UTC().Truncate(time.Millisecond)
	first, second := foreign.ID("https://a.example", store.NewID().Hex()), foreign.ID("https://b.example", store.NewID().Hex())
	link := func(id, user store.ID, at time.Time) {
		t.Helper()
		for range 2 { // it may be repeated
			if err := s.LinkIdentity(ctx, foreign.Link{ID: id, UserID: user, ChangedAt: at}); err != nil {
				t.Fatal(err)
			}
		}
	}
	links := func(since time.Time) map[store.ID]foreign.Link {
		t.Helper()
		found := make(map[store.ID]foreign.Link)
		for l, err := range again.IdentityLinks(ctx, since) {
			if err != nil {
				t.Fatal(err)
			}
			found[l.ID] = l
		}
		return found
	}
	wantOf := func(user store.ID, want ...store.ID) {
		t.Helper()
		slices.SortFunc(want, func(a, b store.ID) int { return slices.Compare(a[:], b[:]) })
		if got, err := again.LinksOf(ctx, user); err != nil || !slices.Equal(got, want) {
			t.Fatalf("linked with %s: %v, %v, want %v", user.Hex(), got, err, want)
		}
	}
	link(first, ada.ID, at.Add(-time.Minute))
	link(second, ada.ID, at)
	wantOf(ada.ID, first, second)
	if got := links(at); len(got) != 1 || got[second] != (foreign.Link{ID: second, UserID: ada.ID, ChangedAt: at}) {
		t.Fatalf("since the second one: %+v", got)
	}
	link(first, eve.ID, at.Add(time.Minute))
	link(second, store.ID{}, at.Add(time.Minute))
	wantOf(ada.ID)
	wantOf(eve.ID, first)
	if got := links(at.Add(time.Minute)); len(got) != 2 || got[first].UserID != eve.ID || !got[second].UserID.IsZero() {
		t.Fatalf("after changes: %+v", got)
	}
	err := s.LinkIdentity(ctx, foreign.Link{ID: second, UserID: store.NewID(), ChangedAt: at})
	if !errors.Is(err, store.ErrUserNotFound) {
		t.Errorf("a link with nobody: %v", err)
	}

	collect := func(ids iter.Seq2[store.ID, error]) (all []store.ID) {
		t.Helper()
		for id, err := range ids {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, id)
		}
		return all
	}
	if got := collect(again.LockedUsers(ctx)); slices.Contains(got, ada.ID) {
		t.Errorf("locked: %v", got)
	}
	if _, err := s.LockUser(ctx, ada.ID, at); err != nil {
		t.Fatal(err)
	}
	if got := collect(again.LockedUsers(ctx)); !slices.Contains(got, ada.ID) || slices.Contains(got, eve.ID) {
		t.Errorf("locked: %v", got)
	}
	if _, err := s.UnlockUser(ctx, ada.ID); err != nil {
		t.Fatal(err)
	}
	if got := collect(again.LockedUsers(ctx)); slices.Contains(got, ada.ID) {
		t.Errorf("unlocked: %v", got)
	}
	if err := s.EraseUser(ctx, eve.ID, at.Add(-1000*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := collect(again.ErasedUsers(ctx)); !slices.Contains(got, eve.ID) || slices.Contains(got, ada.ID) {
		t.Errorf("erased: %v", got)
	}
	wantOf(eve.ID, first) // who leads to nobody stays barred
}

// testNotedPeople: whom others have proven are stored once, and nobody gets the address of somebody else.
func testNotedPeople(t *testing.T, target storetest.Target) {
	s, again := target.Store.(identities), target.Again(t).(identities)
	ctx := storetest.Context(t)
	at := time.Now().UTC().Truncate(time.Millisecond)
	person := func(name string) store.User {
		id := foreign.ID("https://a.example", store.NewID().Hex())
		return store.User{ID: id, Name: name, Email: id.Hex() + "@example.org", EmailProvenAt: at, CreatedAt: at}
	}
	local, known, erased := createUser(t, s), person("known"), person("erased")
	note := func(people ...store.User) {
		t.Helper()
		for range 2 { // it may be repeated
			if err := s.NotePeople(ctx, people); err != nil {
				t.Fatal(err)
			}
		}
	}
	note()
	note(known, erased)
	if err := s.EraseUser(ctx, erased.ID, at); err != nil {
		t.Fatal(err)
	}
	renamed := known
	renamed.Name = "renamed"
	fresh, thief, first, twin := person("fresh"), person("thief"), person("first"), person("twin")
	thief.Email = local.Email
	twin.Email = first.Email // of two issuers, in one batch
	nobody := foreign.WithFreedEmail(person("without an address"))
	squatted := foreign.WithFreedEmail(person("whose other address is taken, too"))
	squatter := storetest.NewUser(squatted.Email)
	if err := s.CreateUser(ctx, squatter); err != nil {
		t.Fatal(err)
	}
	note(squatted, fresh, renamed, erased, thief, first, twin, nobody)
	if got, err := again.User(ctx, squatted.ID); !errors.Is(err, store.ErrUserNotFound) {
		t.Errorf("whose address of all is taken is %+v, %v", got, err)
	}
	for _, want := range []store.User{local, known, fresh, foreign.WithFreedEmail(thief), first, foreign.WithFreedEmail(twin), nobody} {
		if got, err := again.User(ctx, want.ID); err != nil || got != want {
			t.Errorf("%s is %+v, %v, want %+v", want.Name, got, err, want)
		}
	}
	if got, err := again.User(ctx, erased.ID); !errors.Is(err, store.ErrUserNotFound) {
		t.Errorf("who was erased is %+v, %v", got, err)
	}
}
