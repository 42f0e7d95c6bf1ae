package identity

import (
	"context"
	"errors"
	"iter"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/apikeys"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
)

// TestAPIKeysHaveAForm: what a scanner of secrets looks for, and what a typing mistake does not have.
func TestAPIKeysHaveAForm(t *testing.T) {
	form := regexp.MustCompile(`^eventio_[0-9A-Za-z]{49}$`)
	seen := make(map[string]bool)
	for range 1000 {
		text, _ := NewAPIKey()
		if !form.MatchString(text) || len(text) != keyLength || seen[text] || checksum(text[:keyLength-keyCheck]) != text[keyLength-keyCheck:] {
			t.Fatalf("a key is %s", text)
		}
		seen[text] = true
	}
}

// readings counts how often a store is read for keys, and can keep a reading back.
type readings struct {
	*sqlitestore.Store
	mu    sync.Mutex
	count int
}

func (r *readings) APIKeysSince(ctx context.Context, since time.Time) iter.Seq2[apikeys.Key, error] {
	r.mu.Lock()
	r.count++
	r.mu.Unlock()
	return r.Store.APIKeysSince(ctx, since)
}

func (r *readings) read() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

// TestAPIKeysReadTheStoreRarely: a known key costs no reading, however often; a crowd with keys that nobody has made shares one;
// a key that was made elsewhere is good at once; one that is ended, expired, or of somebody who is locked or erased is not.
func TestAPIKeysReadTheStoreRarely(t *testing.T) {
	db, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	st := &readings{Store: db}
	keys, err := OpenAPIKeys(t.Context(), st, Config{RefreshEvery: time.Hour, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(keys.Close)
	now := time.Now().UTC().Truncate(time.Millisecond)
	create := func(owner store.ID, expires time.Time) (string, apikeys.Key) {
		t.Helper()
		text, hash := NewAPIKey()
		k := apikeys.Key{ID: store.NewID(), OwnerID: owner, Hash: hash, Name: "shop", Scopes: "read register", CreatedAt: now, ExpiresAt: expires}
		if err := db.CreateAPIKey(t.Context(), k); err != nil {
			t.Fatal(err)
		}
		return text, k
	}
	user := store.User{ID: store.NewID(), Name: "Ada", Email: "ada@example.org", PasswordHash: "x", CreatedAt: now}
	if err := db.CreateUser(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	owner := user.ID
	text, k := create(owner, now.Add(time.Hour))
	for range 100 {
		p, err := keys.Check(text)
		if err != nil || p != (Person{ID: owner, Proof: store.ProofKey, Scopes: ScopeRead | ScopeRegister, KeyID: k.ID, ExpiresAt: k.ExpiresAt}) {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	if n := st.read(); n != 2 { // at the start, and for the first
		t.Errorf("the store was read %d times", n)
	}
	before := st.read()
	var crowd sync.WaitGroup
	for range 50 {
		crowd.Go(func() {
			unknown, _ := NewAPIKey()
			if _, err := keys.Check(unknown); !errors.Is(err, ErrInvalid) {
				t.Errorf("nobody's key: %v", err)
			}
		})
	}
	crowd.Wait()
	if n := st.read() - before; n > 3 {
		t.Errorf("the store was read %d times for a crowd", n)
	}
	for _, wrong := range []string{keyPrefix, text + "x", text[:len(text)-1], "eventio_" + text} {
		if _, err := keys.Check(wrong); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	if past, _ := create(owner, now.Add(-time.Minute)); true {
		if _, err := keys.Check(past); !errors.Is(err, ErrExpired) {
			t.Errorf("one that has expired: %v", err)
		}
	}
	if _, err := db.LockUser(t.Context(), owner, now); err != nil {
		t.Fatal(err)
	}
	other, err := OpenAPIKeys(t.Context(), db, Config{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	if _, err := other.Check(text); !errors.Is(err, ErrEnded) {
		t.Errorf("of somebody who is locked: %v", err)
	}
	keys.Close()
	all := make(map[store.ID]apikeys.Key)
	for k, err := range db.APIKeysSince(t.Context(), time.Time{}) {
		if err != nil {
			t.Fatal(err)
		}
		all[k.ID] = k
	}
	if used := all[k.ID].LastUsedAt; time.Since(used) > 2*time.Minute {
		t.Errorf("it was used at %v", used)
	}
	// Who has waited for a process that ends gets no answer that could be wrong.
	if late, _ := create(store.NewID(), now.Add(time.Hour)); true {
		if _, err := keys.Check(late); !errors.Is(err, ErrUnsettled) {
			t.Errorf("after Close: %v", err)
		}
	}
}

// TestEndedKeysAreForgotten: a key that was made for years takes no memory for years when it is ended.
func TestEndedKeysAreForgotten(t *testing.T) {
	now := time.Now()
	k := &APIKeys{keys: make(map[[32]byte]*knownKey), byID: make(map[store.ID]*knownKey)}
	for i, end := range []time.Time{{}, now.Add(-apikeys.Kept - time.Second), now.Add(-apikeys.Kept + time.Minute)} {
		k.learn(apikeys.Key{ID: store.NewID(), Hash: [32]byte{byte(i)}, Scopes: "read", ExpiresAt: now.AddDate(2, 0, 0), EndedAt: end})
	}
	k.learn(apikeys.Key{ID: store.NewID(), Hash: [32]byte{9}, Scopes: "read", ExpiresAt: now.Add(-apikeys.Kept - time.Second), EndedAt: now})
	k.forget(now)
	if k.find([32]byte{0}) == nil || k.find([32]byte{1}) != nil || k.find([32]byte{2}) == nil || k.find([32]byte{9}) != nil || len(k.byID) != 2 {
		t.Errorf("%d keys are known: %v", len(k.byID), k.keys)
	}
}
