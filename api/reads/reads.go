// Package reads reads events and registrations for the handlers: those who ask at the same time share a
// read, which begins after each of them asked (see package fresh). It knows nobody's rights. What it
// returns is the same for everybody who asks for the same thing, and a handler that tells it to some
// people only looks at the caller itself.
package reads

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/eventio/eventio/internal/fresh"
	"github.com/eventio/eventio/pkg/store"
)

// Store is what reads asks of a store.
type Store interface {
	Event(ctx context.Context, id store.ID) (store.Event, error)
	EventsByID(ctx context.Context, ids []store.ID) (map[store.ID]store.Event, error)
	Registration(ctx context.Context, eventID, userID store.ID) (store.Registration, error)
	RegistrationsByID(ctx context.Context, ids []store.RegistrationID) (map[store.RegistrationID]store.Registration, error)
	UserRegistrations(ctx context.Context, userID, before store.ID, limit int) iter.Seq2[store.UserRegistration, error]
	UserLists(ctx context.Context, users []store.ID, most int) (store.UserLists, error)
}

// Config says how it is read.
type Config struct {
	// Timeout bounds a read. Whoever asks while one is under way waits for it, and then has the next:
	// so it should be half of the time of a request.
	Timeout time.Duration
	// Go runs a read that may outlive its callers.
	Go func(func())
}

// Answer is an event, or a page of events, as it is sent.
type Answer struct {
	Body []byte // nobody changes it
	Tag  string // its ETag
	Link string // where the next page is; empty: nowhere
}

// Reads reads from a store. It is safe for concurrent use.
type Reads struct {
	config  Config
	events  *fresh.Reads[store.ID, *event]
	entries *fresh.Reads[store.RegistrationID, *Entry]
	lists   *lists
}

// Entry is an event with the registration of somebody for it. The registration was read after the event, so that who is
// told to be confirmed by the event was so.
type Entry struct {
	Event        store.Event
	Registered   bool // otherwise Registration is the zero value
	Registration store.Registration
}

// event is an event with the answer that all who share its read are sent.
type event struct {
	store.Event
	once   sync.Once // makes both below
	answer Answer
	err    error
}

// errEncoding is the error of who shares a read of which the answer could not be made.
var errEncoding = errors.New("the answer could not be made")

// New makes a Reads over a store.
func New(st Store, c Config) *Reads {
	unavailable := func(err error) bool { return errors.Is(err, store.ErrUnavailable) }
	r := &Reads{
		config: c,
		events: fresh.New(fresh.Source[store.ID, *event]{
			One: func(ctx context.Context, id store.ID) (*event, error) {
				e, err := st.Event(ctx, id)
				if err != nil {
					return nil, err
				}
				return &event{Event: e}, nil
			},
			Many: func(ctx context.Context, ids []store.ID) (map[store.ID]*event, error) {
				found, err := st.EventsByID(ctx, ids)
				events := make(map[store.ID]*event, len(found))
				for id, e := range found {
					events[id] = &event{Event: e}
				}
				return events, err
			},
			Missing: func(id store.ID) error { return fmt.Errorf("read event %s: %w", id.Hex(), store.ErrEventNotFound) },
			Common:  unavailable, Timeout: c.Timeout, Go: c.Go,
		}),
		entries: fresh.New(fresh.Source[store.RegistrationID, *Entry]{
			One: func(ctx context.Context, id store.RegistrationID) (*Entry, error) { return readEntry(ctx, st, id) },
			Many: func(ctx context.Context, ids []store.RegistrationID) (map[store.RegistrationID]*Entry, error) {
				return readEntries(ctx, st, ids)
			},
			Missing: func(id store.RegistrationID) error {
				return fmt.Errorf("read event %s: %w", id.EventID.Hex(), store.ErrEventNotFound)
			},
			Common: unavailable, Timeout: c.Timeout, Go: c.Go,
		}),
	}
	r.lists = newLists(st, c, unavailable)
	return r
}

// readEntry reads an entry.
func readEntry(ctx context.Context, st Store, id store.RegistrationID) (*Entry, error) {
	e, err := st.Event(ctx, id.EventID)
	if err != nil {
		return nil, err
	}
	found, err := st.Registration(ctx, id.EventID, id.UserID)
	if err != nil && !errors.Is(err, store.ErrRegistrationNotFound) {
		return nil, err
	}
	return &Entry{Event: e, Registered: err == nil, Registration: found}, nil
}

// readEntries reads the entries of those events that there are.
func readEntries(ctx context.Context, st Store, ids []store.RegistrationID) (map[store.RegistrationID]*Entry, error) {
	asked := make(map[store.ID]bool)
	for _, id := range ids {
		asked[id.EventID] = true
	}
	events, err := st.EventsByID(ctx, slices.Collect(maps.Keys(asked)))
	if err != nil {
		return nil, err
	}
	registrations, err := st.RegistrationsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	entries := make(map[store.RegistrationID]*Entry, len(ids))
	for _, id := range ids {
		if e, there := events[id.EventID]; there {
			found, registered := registrations[id]
			entries[id] = &Entry{Event: e, Registered: registered, Registration: found}
		}
	}
	return entries, nil
}

// Event reads an event, as store.Events does.
func (r *Reads) Event(ctx context.Context, id store.ID) (store.Event, error) {
	e, err := r.events.Read(ctx, id)
	if err != nil {
		return store.Event{}, ended(ctx, err)
	}
	return e.Event, nil
}

// EventAnswer reads an event and returns it as it is sent: as encode makes it, which is called once for all
// who share the read. Errors: those of Event and of encode.
func (r *Reads) EventAnswer(ctx context.Context, id store.ID, encode func(store.Event) (Answer, error)) (Answer, error) {
	e, err := r.events.Read(ctx, id)
	if err != nil {
		return Answer{}, ended(ctx, err)
	}
	e.once.Do(func() {
		e.err = errEncoding // if encode panics
		e.answer, e.err = encode(e.Event)
	})
	return e.answer, e.err
}

// UserRegistrations reads the registrations of a user, as store.Registrations does. Those who ask at the same time for the beginnings
// of lists that are not long share a read.
func (r *Reads) UserRegistrations(ctx context.Context, userID, before store.ID, limit int) iter.Seq2[store.UserRegistration, error] {
	return r.lists.read(ctx, userID, before, limit)
}

// Entry reads an event and the registration of a user for it that is not cancelled, if there is one, by a read that it
// shares with all who ask that meanwhile, for whatever event. The entry is shared: nobody changes it. Errors: store.ErrEventNotFound and store.ErrUnavailable.
func (r *Reads) Entry(ctx context.Context, eventID, userID store.ID) (*Entry, error) {
	found, err := r.entries.Read(ctx, store.RegistrationID{EventID: eventID, UserID: userID})
	return found, ended(ctx, err)
}

// Pages shares pages of a list among those who ask for the same one at the same time. It is safe for concurrent use.
type Pages struct {
	pages *fresh.Reads[string, Answer]
}

// NewPages makes a Pages of what read makes of a query.
func (r *Reads) NewPages(read func(ctx context.Context, query string) (Answer, error)) *Pages {
	return &Pages{fresh.New(fresh.Source[string, Answer]{One: read, Timeout: r.config.Timeout, Go: r.config.Go})}
}

// Read returns the page of a query, which is shared by all who ask for it in the same words. Errors: those of what reads it, and
// store.ErrUnavailable.
func (p *Pages) Read(ctx context.Context, query string) (Answer, error) {
	a, err := p.pages.Read(ctx, query)
	return a, ended(ctx, err)
}

// ended returns the error of a read: ErrUnavailable for a caller whose time is over, as a store does.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) && !errors.Is(err, store.ErrUnavailable) {
		return fmt.Errorf("wait for a shared read: %w: %w", store.ErrUnavailable, err)
	}
	return err
}
