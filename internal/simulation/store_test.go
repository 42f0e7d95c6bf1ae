package simulation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// errLost is the error of a batch of which nobody knows whether it is stored.
var errLost = errors.New("the connection to the store broke")

// memory is a store in memory that decides by store.Decide, and keeps the contract of store.Seats as badly
// as it may: batches of one event collide, answers are lost before and after the write, and a write whose
// answer was lost may land later, as long as nothing was decided about its events since.
type memory struct {
	mu     sync.Mutex // guards all below
	random *rand.Rand
	well   bool
	events map[store.ID]*kept

	late, fenced, lost, collisions int // writes
}

// kept is what is stored of an event.
type kept struct {
	event         store.Event
	registrations map[store.ID]store.Registration
	counts
}

// counts is how many batches were stored about an event, refusals too, which is the fence, and how many refused somebody.
type counts struct{ decided, refused int }

// handle is the store as one worker has it. It knows what this worker has stored, and so what others have.
type handle struct {
	*memory

	mu        sync.Mutex // guards all below
	known     map[store.ID]counts
	elsewhere map[store.ID]store.Elsewhere
}

func newHandle(m *memory) *handle {
	return &handle{memory: m, known: make(map[store.ID]counts), elsewhere: make(map[store.ID]store.Elsewhere)}
}

// setElsewhere notes what other workers may have decided about the events of states.
func (h *handle) setElsewhere(states map[store.ID]store.EventState, seen map[store.ID]counts) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, state := range states {
		known, there := h.known[id]
		e := h.elsewhere[id]
		if !there || known.decided != seen[id].decided {
			e.Decided = time.Now()
		}
		if known.refused != seen[id].refused {
			e.Refused = time.Now()
		}
		h.known[id], h.elsewhere[id] = seen[id], e
		state.Elsewhere = e
		states[id] = state
	}
}

// stored notes that a batch of this worker is stored, which has read its events at some revisions.
func (h *handle) stored(seen map[store.ID]counts, refused map[store.ID]bool, revisions map[store.ID]int64, changes []store.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, c := range seen {
		h.known[id] = c.next(refused[id])
		e := h.elsewhere[id]
		if now := time.Now(); now.Sub(e.Seen[1].At) >= 20*time.Millisecond {
			e.Seen = [2]store.Sighting{e.Seen[1], {At: now, Revision: revisions[id]}}
		}
		h.elsewhere[id] = e
	}
	for _, c := range changes {
		if c.EndsRefusals() {
			e := h.elsewhere[c.After.ID]
			e.Refused = time.Now()
			h.elsewhere[c.After.ID] = e
		}
	}
}

func (c counts) next(refused bool) counts {
	c.decided++
	if refused {
		c.refused++
	}
	return c
}

// refusedIn returns the events in which a batch refuses somebody, or ends what API processes refuse by themselves.
func refusedIn(batch []store.SeatRequest, results []store.SeatResult, changes []store.Change) map[store.ID]bool {
	refused := make(map[store.ID]bool)
	for i, res := range results {
		refused[batch[i].EventID] = refused[batch[i].EventID] || res.Outcome.Refuses()
	}
	for _, c := range changes {
		refused[c.After.ID] = refused[c.After.ID] || c.EndsRefusals()
	}
	return refused
}

// DatabaseID names this database.
func (m *memory) DatabaseID() string { return "simulation" }

func (m *memory) create(e store.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events[e.ID] = &kept{event: e, registrations: make(map[store.ID]store.Registration)}
}

// pause lets some time pass: mostly little, now and then more than anybody waits.
func (m *memory) pause(ctx context.Context) {
	m.mu.Lock()
	d := time.Duration(m.random.IntN(2000)) * time.Microsecond
	if !m.well && m.random.IntN(60) == 0 {
		d = time.Duration(m.random.IntN(4000)) * time.Millisecond
	}
	m.mu.Unlock()
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// chance reports whether something happens that does so in one of n cases, and never at peace.
func (m *memory) chance(n int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.well && m.random.IntN(n) == 0
}

// Apply decides a batch on what is stored, and stores what changes unless another batch came between.
func (m *handle) Apply(ctx context.Context, batch []store.SeatRequest) ([]store.SeatResult, error) {
	if m.chance(40) {
		return nil, fmt.Errorf("no primary: %w", store.ErrUnavailable)
	}
	for {
		m.pause(ctx)
		if ctx.Err() != nil {
			return nil, errors.Join(ctx.Err(), store.ErrNothingStored)
		}
		states, seen := m.load(batch)
		m.setElsewhere(states, seen)
		results, changes := store.Decide(states, batch)
		refused := refusedIn(batch, results, changes)
		m.pause(ctx) // between reading and writing
		if ctx.Err() != nil {
			return nil, errors.Join(ctx.Err(), store.ErrNothingStored)
		}
		switch {
		case m.chance(40): // never arrives
			m.count(&m.lost)
			return nil, errLost
		case m.chance(30): // arrives when nobody waits any more, or never
			m.count(&m.late)
			time.AfterFunc(time.Duration(rand.IntN(8000))*time.Millisecond, func() {
				if !m.commit(seen, changes, refused) {
					m.count(&m.fenced)
				}
			})
			return nil, errLost
		case !m.commit(seen, changes, refused):
			m.count(&m.collisions)
			continue
		case m.chance(40): // stored, and the answer is lost
			m.count(&m.lost)
			return nil, errLost
		}
		revisions := make(map[store.ID]int64)
		for id, state := range states {
			revisions[id] = state.Event.Revision
		}
		m.stored(seen, refused, revisions, changes)
		store.TellChanges(ctx, changes)
		m.pause(ctx)
		return results, nil
	}
}

func (m *memory) count(n *int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	*n++
}

// load returns the states of the events of a batch, and how much was decided about each.
func (m *memory) load(batch []store.SeatRequest) (map[store.ID]store.EventState, map[store.ID]counts) {
	m.mu.Lock()
	defer m.mu.Unlock()
	states, seen := make(map[store.ID]store.EventState), make(map[store.ID]counts)
	for _, req := range batch {
		k := m.events[req.EventID]
		if _, there := seen[req.EventID]; k == nil || there {
			continue
		}
		seen[req.EventID] = k.counts
		states[req.EventID] = store.EventState{Event: k.event, Registrations: maps.Clone(k.registrations), Waiting: k.line()}
	}
	return states, seen
}

// line returns who waits, the lowest number first.
func (k *kept) line() (line []store.NumberedUser) {
	for user, r := range k.registrations {
		if !r.Cancelled && !k.event.Confirmed(r) {
			line = append(line, store.NumberedUser{Number: r.Number, UserID: user})
		}
	}
	slices.SortFunc(line, func(a, b store.NumberedUser) int { return int(a.Number - b.Number) })
	return line
}

// commit stores what a batch changes, unless something else was decided about one of its events since it was loaded.
func (m *memory) commit(seen map[store.ID]counts, changes []store.Change, refused map[store.ID]bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, c := range seen {
		if m.events[id].decided != c.decided {
			return false
		}
	}
	for id := range seen {
		m.events[id].counts = m.events[id].next(refused[id])
	}
	for _, c := range changes {
		k := m.events[c.After.ID]
		k.event = c.After
		for _, r := range slices.Concat(c.Added, c.Replaced) {
			k.registrations[r.UserID] = r
		}
	}
	return true
}

// read returns an event and, if user is not zero, the user's registration with its position in line.
func (m *memory) read(ctx context.Context, id, user store.ID) (view, error) {
	m.pause(ctx)
	if m.chance(30) {
		return view{}, store.ErrUnavailable
	}
	m.mu.Lock()
	k := m.events[id]
	v := view{Event: k.event, registration: k.registrations[user]}
	for user, r := range k.registrations {
		if !r.Cancelled && k.event.Confirmed(r) {
			v.holders = append(v.holders, store.NumberedUser{Number: r.Number, UserID: user})
		}
	}
	m.mu.Unlock()
	slices.SortFunc(v.holders, func(a, b store.NumberedUser) int { return int(a.Number - b.Number) })
	m.pause(ctx) // the answer's way
	return v, ctx.Err()
}

// entered reads who has a row in an event, as store.Registrations does.
func (m *memory) entered(ctx context.Context, id store.ID, after int64, limit int) (store.Event, []store.NumberedUser, error) {
	m.pause(ctx)
	if m.chance(30) {
		return store.Event{}, nil, store.ErrUnavailable
	}
	m.mu.Lock()
	k := m.events[id]
	e, users := k.event, []store.NumberedUser(nil)
	for user, r := range k.registrations {
		if r.Number > after {
			users = append(users, store.NumberedUser{Number: r.Number, UserID: user})
		}
	}
	m.mu.Unlock()
	slices.SortFunc(users, func(a, b store.NumberedUser) int { return int(a.Number - b.Number) })
	m.pause(ctx)
	return e, users[:min(limit, len(users))], ctx.Err()
}

// view is what a read has found.
type view struct {
	store.Event
	registration store.Registration
	holders      []store.NumberedUser
}

// set begins or ends all faults of the store.
func (m *memory) set(well bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.well = well
}
