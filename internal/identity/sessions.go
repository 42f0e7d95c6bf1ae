package identity

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// endedSessions are the sessions that were ended before their time. It is safe for concurrent use,
// and the zero value has none.
type endedSessions struct {
	mu       sync.RWMutex
	forgetAt map[store.ID]time.Time
}

// has reports whether a session has ended. Tokens without a session have none that could.
func (e *endedSessions) has(id store.ID) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	_, ended := e.forgetAt[id]
	return ended
}

// add takes a session in. The zero id is that of tokens without a session, which have no such end.
func (e *endedSessions) add(s store.EndedSession) {
	if s.ID.IsZero() {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.forgetAt == nil {
		e.forgetAt = make(map[store.ID]time.Time)
	}
	e.forgetAt[s.ID] = s.ExpiresAt.Add(leeway + clockSkew)
}

// forget drops those whose tokens have all expired.
func (e *endedSessions) forget(now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, at := range e.forgetAt {
		if now.After(at) {
			delete(e.forgetAt, id)
		}
	}
}

// EndSession ends the tokens of a session whose end is stored already: here at once, and in all
// other processes when they next read the store, within RefreshEvery.
func (g *Guard) EndSession(s store.Session) {
	// Without EndedAt, which is the store's to say.
	g.ended.add(store.EndedSession{ID: s.ID, ExpiresAt: s.ExpiresAt})
}

// readSessions learns which sessions were ended since the last reading. It is for one goroutine.
func (g *Guard) readSessions(ctx context.Context) error {
	since := g.sessionsRead.since()
	if since.IsZero() {
		since = time.Now().Add(-keepFor)
	}
	changes := g.store.EndedSessions(ctx, since)
	if err := follow(&g.sessionsRead, changes, func(e store.EndedSession) time.Time { return e.EndedAt }, g.ended.add); err != nil {
		return fmt.Errorf("read the sessions that were ended: %w", err)
	}
	return nil
}
