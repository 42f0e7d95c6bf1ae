package identity

import (
	"context"
	"fmt"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/foreign"
)

// others knows what decides about people whom no token of ours has proven: a token of ours ends with the
// version that it carries, and other proofs carry none. It is guarded by the mutex of its Guard.
type others struct {
	links  map[store.ID]store.ID // of ids that an operator has linked with a user
	locked map[store.ID]struct{}
	erased map[store.ID]struct{}
	latest time.Time // the latest foreign.Link.ChangedAt
}

// Settle returns who it is that a proof other than a token of ours stands for: the user with whom an
// operator has linked them, or else the person themself. Its error matches ErrInvalid when that person was
// locked or erased, whatever their proof says.
func (g *Guard) Settle(p Person) (Person, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	user, linked := g.others.links[p.ID]
	if linked {
		p.ID = user
	}
	_, locked := g.others.locked[p.ID]
	_, erased := g.others.erased[p.ID]
	if locked || erased {
		return Person{}, ErrEnded
	}
	if g.noter != nil && !linked && foreign.Is(p.ID) && p.Proof != store.ProofKey {
		g.noter.Note(p.ID, p.Profile)
	}
	return p, nil
}

// LinksOf returns the ids of whom others have proven and who count as a user, in order. Errors: those of the store.
func (g *Guard) LinksOf(ctx context.Context, user store.ID) ([]store.ID, error) {
	if g.people == nil {
		return nil, nil
	}
	return g.people.LinksOf(ctx, user)
}

// readErased learns who was ever erased, at the start.
func (g *Guard) readErased(ctx context.Context) error {
	erased := make(map[store.ID]struct{})
	for id, err := range g.people.ErasedUsers(ctx) {
		if err != nil {
			return fmt.Errorf("read who was erased: %w", err)
		}
		erased[id] = struct{}{}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.others.erased = erased
	return nil
}

// readOthers learns who is linked and locked by now.
func (g *Guard) readOthers(ctx context.Context) error {
	g.mu.RLock()
	since := g.others.latest.Add(-clockSkew)
	g.mu.RUnlock()
	locked := make(map[store.ID]struct{})
	for id, err := range g.people.LockedUsers(ctx) {
		if err != nil {
			return fmt.Errorf("read who is locked: %w", err)
		}
		locked[id] = struct{}{}
	}
	var links []foreign.Link
	for link, err := range g.people.IdentityLinks(ctx, since) {
		if err != nil {
			return fmt.Errorf("read the links of people: %w", err)
		}
		links = append(links, link)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.others.locked = locked
	for _, link := range links {
		if link.UserID.IsZero() {
			delete(g.others.links, link.ID)
		} else {
			g.others.links[link.ID] = link.UserID
		}
		if link.ChangedAt.After(g.others.latest) {
			g.others.latest = link.ChangedAt
		}
	}
	return nil
}
