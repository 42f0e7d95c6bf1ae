package identity

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/foreign"
)

const (
	// DefaultRefresh with readLimit keeps the promise that a changed password ends the
	// earlier tokens on every API process within 5 s, also when NATS loses the hint to read.
	DefaultRefresh = 3 * time.Second
	readLimit      = 1500 * time.Millisecond
	// longestRead is the most time that a reading gets after others ran out of theirs.
	longestRead = 4 * readLimit

	// hintPause is the least time from a reading that a message on NATS has caused to the next one
	// of that kind. Whoever may publish there can cause one for each of these pauses, and no more.
	hintPause = 250 * time.Millisecond

	// clockSkew is how far the clocks of API processes may be apart before a revocation is
	// missed by the periodic reading or forgotten too early.
	clockSkew = time.Hour
	// keepFor is how long a revocation is needed: as long as a token signed just before it
	// may live.
	keepFor = MaxLifetime + leeway + clockSkew
)

// Config has a Guard's settings. The zero value works.
type Config struct {
	// Keys sign and verify. Empty: the key in the store, made when there is none.
	Keys Keys
	// Lifetime is that of the tokens it signs: above 0, at most MaxLifetime. Default
	// DefaultLifetime.
	Lifetime time.Duration
	// RefreshEvery is the pause between two readings of the revocations. Default
	// DefaultRefresh; more than 3 s breaks the promise of 5 s.
	RefreshEvery time.Duration
	// Others tells who is linked, locked or erased, which Settle must know when there are proofs beside
	// our tokens. nil: there are none.
	Others foreign.Identities
	// Noter notes the people of other issuers, and stays the caller's. nil: nobody does.
	Noter *Noter
	Log   zerolog.Logger
}

// Store keeps the key that all processes share, and tells whose tokens are revoked: a store.Store does.
type Store interface {
	store.Keys
	Revocations(ctx context.Context, since time.Time) iter.Seq2[store.Revocation, error]
	EndedSessions(ctx context.Context, since time.Time) iter.Seq2[store.EndedSession, error]
}

// Guard signs tokens and believes them, until they expire or are revoked. It is safe for
// concurrent use.
type Guard struct {
	keys     Keys
	verifier Verifier
	lifetime time.Duration
	log      zerolog.Logger
	store    Store         // nil: alone
	link     messages.Link // zero: alone

	sampledLog zerolog.Logger // one line a second, for lines that a hostile sender can cause

	sub    *nats.Subscription
	cancel context.CancelFunc
	hinted chan struct{} // gets a value when the store may have a new revocation
	done   chan struct{} // closed when the reading has ended

	people foreign.Identities // nil: nobody is proven but by our tokens
	noter  *Noter

	mu      sync.RWMutex // guards revoked and others
	revoked map[store.ID]revocation
	others  others
	ended   endedSessions

	sessionsRead cursor // of the goroutine that reads

	readAt atomic.Int64 // when the revocations were read last, in ns since 1970
	stats  *stats
}

type revocation struct {
	lowest   int64 // password version that still counts
	forgetAt time.Time
}

// Alone makes a guard with a random key that nobody else knows and without a store: its
// tokens are good in this process only.
func Alone() *Guard {
	key := newKey()
	return newGuard(Keys{signing: key.ID, secrets: map[string][]byte{key.ID: key.Secret}}, Config{})
}

// Open gets the keys, reads the revocations and goes on learning of new ones until Close.
// The link's namespace is that of st. st and the connection stay the caller's.
func Open(ctx context.Context, st Store, link messages.Link, config Config) (*Guard, error) {
	if config.Lifetime < 0 || config.Lifetime > MaxLifetime {
		return nil, fmt.Errorf("a token lifetime of %v is not above 0 and at most %v", config.Lifetime, MaxLifetime)
	}
	keys := config.Keys
	if keys.Empty() {
		var err error
		if keys, err = SharedKeys(ctx, st); err != nil {
			return nil, err
		}
	}
	g := newGuard(keys, config)
	g.store, g.link = st, link
	// Listen first, then read: what happens between the two is not lost.
	// Whoever may publish on NATS can forge a revocation, so what it says is read from the store.
	sub, err := messages.SubscribeRevocations(link, func(messages.Revocation) { g.hint() }, func(err error) {
		g.sampledLog.Error().Err(err).Msg("a revocation cannot be read")
	})
	if err != nil {
		return nil, err
	}
	g.sub = sub
	started := time.Now()
	if g.people != nil {
		err = g.readErased(ctx)
	}
	if err == nil {
		err = g.read(ctx, started.Add(-keepFor))
	}
	if err != nil {
		_ = sub.Unsubscribe() // the connection may be gone; so is the subscription then
		return nil, err
	}
	every := config.RefreshEvery
	if every <= 0 {
		every = DefaultRefresh
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	g.cancel = cancel
	go g.refresh(running, started, every)
	return g, nil
}

// SharedKeys returns the key that all API processes over st share, and makes it when there
// is none.
func SharedKeys(ctx context.Context, st Store) (Keys, error) {
	key, err := st.SigningKey(ctx, newKey())
	if err != nil {
		return Keys{}, err
	}
	return keysOf(key)
}

func newGuard(keys Keys, config Config) *Guard {
	if config.Lifetime == 0 {
		config.Lifetime = DefaultLifetime
	}
	g := &Guard{
		keys: keys, verifier: NewVerifier(keys, time.Now), lifetime: config.Lifetime, log: config.Log,
		sampledLog: config.Log.Sample(&zerolog.BurstSampler{Burst: 1, Period: time.Second}),
		hinted:     make(chan struct{}, 1), done: make(chan struct{}), revoked: make(map[store.ID]revocation), people: config.Others, noter: config.Noter,
		others: others{make(map[store.ID]store.ID), make(map[store.ID]struct{}), make(map[store.ID]struct{}), time.Time{}},
	}
	g.readAt.Store(time.Now().UnixNano())
	g.stats = newStats(g)
	return g
}

// Close ends the learning, and returns when nothing of it runs. It may come twice. The
// guard goes on verifying with what it knows.
func (g *Guard) Close() {
	if g.cancel == nil {
		return
	}
	_ = g.sub.Unsubscribe() // the connection may be gone; so is the subscription then
	g.cancel()
	<-g.done
}

// Lifetime is that of the tokens which Sign makes.
func (g *Guard) Lifetime() time.Duration { return g.lifetime }

// Sign makes a token for p.
func (g *Guard) Sign(p Person) (token string, expires time.Time, err error) {
	return g.keys.Mint(p, time.Now(), g.lifetime)
}

// Renew makes a token that takes the place of that of p, in the same session and with the same
// LoginAt: what needs a fresh proof of the password goes on needing one.
func (g *Guard) Renew(p Person) (token string, expires time.Time, err error) {
	return g.keys.mint(p, time.Now(), g.lifetime)
}

// Check returns who the token speaks for, or an error that matches ErrInvalid.
func (g *Guard) Check(token string) (Person, error) {
	p, err := g.verifier.Verify(token)
	if err != nil {
		return Person{}, err
	}
	g.mu.RLock()
	r, revoked := g.revoked[p.ID]
	g.mu.RUnlock()
	if revoked && p.PasswordVersion < r.lowest || g.ended.has(p.SessionID) {
		return Person{}, ErrEnded
	}
	return p, nil
}

// Revoke ends the earlier tokens of a user whose new version is stored already: here
// at once, and in all other processes as fast as they can be told.
func (g *Guard) Revoke(r store.Revocation) {
	g.learn(r)
	if g.link.Conn == nil {
		return
	}
	err := messages.PublishRevocation(g.link, messages.Revocation{
		UserID: r.UserID, PasswordVersion: r.PasswordVersion, ChangedAt: r.ChangedAt,
	})
	if err != nil {
		g.log.Warn().Err(err).Str("user_id", r.UserID.Hex()).Msg("other API processes learn of a revocation from the store")
	}
}

// learn takes a revocation in, unless a later one is known.
func (g *Guard) learn(r store.Revocation) {
	g.mu.Lock()
	defer g.mu.Unlock()
	known := g.revoked[r.UserID]
	if r.PasswordVersion > known.lowest {
		g.revoked[r.UserID] = revocation{r.PasswordVersion, r.ChangedAt.Add(keepFor)}
	}
	if r.PasswordVersion == store.ErasedVersion && g.people != nil {
		g.others.erased[r.UserID] = struct{}{}
	}
}

// hint has the store read soon.
func (g *Guard) hint() {
	select {
	case g.hinted <- struct{}{}:
	default: // it will be read
	}
}

// read learns what the store has since then.
func (g *Guard) read(ctx context.Context, since time.Time) error {
	begun := time.Now()
	for r, err := range g.store.Revocations(ctx, since) {
		if err != nil {
			return fmt.Errorf("read the revocations: %w", err)
		}
		g.learn(r)
	}
	if g.people != nil {
		if err := g.readOthers(ctx); err != nil {
			return err
		}
	}
	err := g.readSessions(ctx)
	if err == nil {
		g.readAt.Store(begun.UnixNano())
	}
	return err
}

// refresh reads what is new every so often and after each hint, last having begun at last, until
// ctx ends.
func (g *Guard) refresh(ctx context.Context, last time.Time, every time.Duration) {
	defer close(g.done)
	tick := time.NewTicker(every)
	defer tick.Stop()
	failing, limit := false, readLimit
	hinted, pause := g.hinted, (<-chan time.Time)(nil)
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause:
			hinted, pause = g.hinted, nil
			continue
		case <-hinted:
			hinted, pause = nil, time.After(hintPause)
		case <-tick.C:
		}
		began := time.Now()
		limited, cancel := context.WithTimeout(ctx, limit)
		err := g.read(limited, last.Add(-clockSkew))
		limit = nextLimit(limit, limited)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			last = began
			if failing {
				g.log.Info().Msg("revocations are read again")
			}
		case !failing: // said once, not every few seconds
			g.log.Error().Err(err).Msg("revocations cannot be read: a password that is changed at another process ends no earlier tokens at this one")
		}
		if failing = err != nil; failing {
			g.stats.failures.Inc()
		}
		g.forget(began)
	}
}

// nextLimit returns how long the next reading may take after one that was given limit, whose context has not been cancelled. It is
// twice as long after one that ran out of time, up to longestRead: else what is too much for one reading would never be read.
func nextLimit(limit time.Duration, reading context.Context) time.Duration {
	if reading.Err() != nil {
		return min(2*limit, longestRead)
	}
	return readLimit
}

// forget drops what has no token left to end.
func (g *Guard) forget(now time.Time) {
	g.ended.forget(now)
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, r := range g.revoked {
		if now.After(r.forgetAt) {
			delete(g.revoked, id)
		}
	}
}
