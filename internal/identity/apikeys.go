package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/apikeys"
)

// A key of a program is keyPrefix, a random number of 256 bits, and the CRC-32 of what comes before, both in base 62. So people
// and scanners of leaked secrets recognize one, and one that was mistyped costs nothing.
const (
	keyPrefix  = "eventio_"
	keyDigits  = 43 // of 256 bits
	keyCheck   = 6  // of 32 bits
	keyBits    = 256
	keyBase    = 62
	keyLength  = len(keyPrefix) + keyDigits + keyCheck
	useEvery   = time.Minute // how often the last use of keys is written
	writeLimit = 5 * time.Second
)

// NewAPIKey makes a key of a program. It is shown once; the store gets its hash.
func NewAPIKey() (text string, hash [32]byte) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), keyBits))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	text = keyPrefix + base62(n, keyDigits)
	text += checksum(text)
	return text, sha256.Sum256([]byte(text))
}

func base62(n *big.Int, digits int) string {
	text := n.Text(keyBase)
	return strings.Repeat("0", digits-len(text)) + text
}

func checksum(text string) string {
	return base62(big.NewInt(int64(crc32.ChecksumIEEE([]byte(text)))), keyCheck)
}

// knownKey is a key as far as a process needs it. Only ended and used change.
type knownKey struct {
	id, owner store.ID
	scopes    Scopes
	expires   time.Time
	ended     atomic.Int64 // when, in ns since 1970; 0: it was not
	used      atomic.Int64 // when it was last used, in ns since 1970; 0: not since that was written
}

// APIKeys believes keys of programs. It knows all that the store has, and reads what was made or ended since, every so often
// and when somebody brings a key that it does not know: so no request with a known key reads the store, a key that was made
// at another process is good at once, and one that was ended is not for longer than Guard promises. It is safe for
// concurrent use.
type APIKeys struct {
	store    apikeys.Store
	log      zerolog.Logger
	cancel   context.CancelFunc
	done     chan struct{} // closed when the reading has ended
	wanted   chan struct{} // gets a value when somebody waits for a reading
	keysRead cursor        // of the goroutine that reads

	mu   sync.RWMutex // guards all below
	keys map[[32]byte]*knownKey
	byID map[store.ID]*knownKey
	next *reading // that begins after now; nil: nobody waits for one
}

// reading is one reading of the store, which some wait for.
type reading struct {
	done chan struct{}
	err  error // when done is closed
}

// OpenAPIKeys reads the keys of a store, and goes on reading until Close. config.RefreshEvery and Log count. st stays the caller's.
func OpenAPIKeys(ctx context.Context, st apikeys.Store, config Config) (*APIKeys, error) {
	k := &APIKeys{
		store: st, log: config.Log, done: make(chan struct{}), wanted: make(chan struct{}, 1),
		keys: make(map[[32]byte]*knownKey), byID: make(map[store.ID]*knownKey),
	}
	if err := k.read(ctx); err != nil {
		return nil, err
	}
	every := config.RefreshEvery
	if every <= 0 {
		every = DefaultRefresh
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	k.cancel = cancel
	go k.refresh(running, every)
	return k, nil
}

// Close writes when keys were last used, and returns when nothing of k runs. It may come twice. Keys that are known go on being
// believed.
func (k *APIKeys) Close() {
	k.cancel()
	<-k.done
}

// Owns implements Prover, by the prefix.
func (k *APIKeys) Owns(token string) bool { return strings.HasPrefix(token, keyPrefix) }

// Check implements Prover. One that is not known waits for a reading that begins by now; all who wait share it.
func (k *APIKeys) Check(token string) (Person, error) {
	body := len(token) - keyCheck
	if len(token) != keyLength || checksum(token[:body]) != token[body:] {
		return Person{}, fmt.Errorf("%w: a key that is mistyped", ErrInvalid)
	}
	hash := sha256.Sum256([]byte(token))
	known := k.find(hash)
	if known == nil {
		if err := k.await(); err != nil {
			return Person{}, fmt.Errorf("%w: %w", ErrUnsettled, err)
		}
		if known = k.find(hash); known == nil {
			return Person{}, fmt.Errorf("%w: a key that nobody has made", ErrInvalid)
		}
	}
	now := time.Now()
	switch {
	case known.ended.Load() != 0:
		return Person{}, ErrEnded
	case !now.Before(known.expires):
		return Person{}, ErrExpired
	}
	known.used.Store(now.UnixNano())
	return Person{ID: known.owner, Proof: store.ProofKey, Scopes: known.scopes, KeyID: known.id, ExpiresAt: known.expires}, nil
}

// Create stores a key. It is good at once here and elsewhere.
func (k *APIKeys) Create(ctx context.Context, key apikeys.Key) error {
	return k.store.CreateAPIKey(ctx, key)
}

// APIKeysOf returns the keys of a person that have not ended by now.
func (k *APIKeys) APIKeysOf(ctx context.Context, owner store.ID, now time.Time) ([]apikeys.Key, error) {
	return k.store.APIKeysOf(ctx, owner, now)
}

// End ends a key of a person: here at once, elsewhere when the store is next read. It reports whether there is one.
func (k *APIKeys) End(ctx context.Context, owner, id store.ID) (found bool, err error) {
	if found, err = k.store.EndAPIKey(ctx, owner, id); err != nil || !found {
		return false, err
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	if known := k.byID[id]; known != nil {
		known.ended.Store(time.Now().UnixNano())
	}
	return true, nil
}

func (k *APIKeys) find(hash [32]byte) *knownKey {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.keys[hash]
}

// await waits until the store was read by a reading that begins after now.
func (k *APIKeys) await() error {
	k.mu.Lock()
	if k.next == nil {
		k.next = &reading{done: make(chan struct{})}
	}
	r := k.next
	k.mu.Unlock()
	select {
	case k.wanted <- struct{}{}:
	default: // it is on its way
	}
	select {
	case <-r.done:
		return r.err
	case <-k.done:
		return context.Canceled
	}
}

// read learns what the store has since the last reading. It is for one goroutine.
func (k *APIKeys) read(ctx context.Context) error {
	changes := k.store.APIKeysSince(ctx, k.keysRead.since())
	if err := follow(&k.keysRead, changes, func(stored apikeys.Key) time.Time { return stored.ChangedAt }, k.learn); err != nil {
		return fmt.Errorf("read the keys of programs: %w", err)
	}
	return nil
}

// learn takes a key in. What has ended stays so.
func (k *APIKeys) learn(stored apikeys.Key) {
	scopes, err := ParseScopes(stored.Scopes)
	if err != nil {
		k.log.Warn().Err(err).Str("key_id", stored.ID.Hex()).Msg("a key has a scope that this version does not know, and does nothing here")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	known := k.byID[stored.ID]
	if known == nil {
		known = &knownKey{id: stored.ID, owner: stored.OwnerID, scopes: scopes, expires: stored.ExpiresAt}
		k.keys[stored.Hash], k.byID[stored.ID] = known, known
	}
	if !stored.EndedAt.IsZero() {
		known.ended.Store(stored.EndedAt.UnixNano())
	}
}

// refresh reads what is new every so often and when somebody waits, and writes which keys were used, until ctx ends.
func (k *APIKeys) refresh(ctx context.Context, every time.Duration) {
	defer close(k.done)
	defer k.writeUse(context.WithoutCancel(ctx))
	tick, use := time.NewTicker(every), time.NewTicker(useEvery)
	defer tick.Stop()
	defer use.Stop()
	failing, limit := false, readLimit
	wanted, pause := k.wanted, (<-chan time.Time)(nil)
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause:
			wanted, pause = k.wanted, nil
			continue
		case <-use.C:
			k.writeUse(ctx)
			k.forget(time.Now())
			continue
		case <-wanted:
			wanted, pause = nil, time.After(hintPause) // whoever brings keys that nobody has made gets no more readings than these
		case <-tick.C:
		}
		k.mu.Lock()
		r := k.next
		k.next = nil
		k.mu.Unlock()
		limited, cancel := context.WithTimeout(ctx, limit)
		err := k.read(limited)
		limit = nextLimit(limit, limited)
		cancel()
		if r != nil {
			r.err = err
			close(r.done)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && failing:
			k.log.Info().Msg("keys of programs are read again")
		case err != nil && !failing: // said once, not every few seconds
			k.log.Error().Err(err).Msg("keys of programs cannot be read: one that is ended at another process goes on at this one")
		}
		failing = err != nil
	}
}

// writeUse writes which keys were used since the last time. What cannot be written is tried again with the next.
func (k *APIKeys) writeUse(ctx context.Context) {
	used := make(map[store.ID]time.Time)
	k.mu.RLock()
	for id, known := range k.byID {
		if at := known.used.Swap(0); at != 0 {
			used[id] = time.Unix(0, at).UTC().Truncate(time.Minute)
		}
	}
	k.mu.RUnlock()
	if len(used) == 0 {
		return
	}
	limited, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	err := k.store.UseAPIKeys(limited, used)
	if err == nil {
		return
	}
	k.log.Warn().Err(err).Int("keys", len(used)).Msg("when keys were last used is not noted yet")
	k.mu.RLock()
	defer k.mu.RUnlock()
	for id, at := range used {
		if known := k.byID[id]; known != nil {
			known.used.CompareAndSwap(0, at.UnixNano())
		}
	}
}

// forget drops keys that have expired or were ended so long ago that the store has dropped them too.
func (k *APIKeys) forget(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for hash, known := range k.keys {
		end := known.expires
		if ended := known.ended.Load(); ended != 0 && ended < end.UnixNano() {
			end = time.Unix(0, ended)
		}
		if now.After(end.Add(apikeys.Kept)) {
			delete(k.keys, hash)
			delete(k.byID, known.id)
		}
	}
}
