package api

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// newEvent is the body that creates an event. The fields from place on are ours; the
// original has none of them.
type newEvent struct {
	OrganizerID *string `json:"organizer_id,omitzero"`
	Title       string  `json:"title"`
	Description string  `json:"description,omitzero"`
	Capacity    int64   `json:"capacity"`
	StartsAt    string  `json:"starts_at"`
	EndsAt      string  `json:"ends_at"`
	Place       string  `json:"place,omitzero"`
	TimeZone    string  `json:"time_zone,omitzero"`
	Waitlist    bool    `json:"waitlist,omitzero"`
	OpensAt     *string `json:"registration_opens_at,omitzero"`
	ClosesAt    *string `json:"registration_closes_at,omitzero"`
}

// event is what is told of an event. It never has the roster. What an event does not have
// is left out, so that one like the original's has the original's fields.
type event struct {
	ID          store.ID  `json:"id"`
	OrganizerID store.ID  `json:"organizer_id"`
	Title       string    `json:"title"`
	Description string    `json:"description"`
	Capacity    int64     `json:"capacity"`
	TicketsSold int64     `json:"tickets_sold"`
	StartsAt    time.Time `json:"starts_at"`
	EndsAt      time.Time `json:"ends_at"`
	CreatedAt   time.Time `json:"created_at"`
	Place       string    `json:"place,omitzero"`
	TimeZone    string    `json:"time_zone,omitzero"`
	Waitlist    bool      `json:"waitlist,omitzero"`
	Waiting     int64     `json:"waiting,omitzero"`
	OpensAt     time.Time `json:"registration_opens_at,omitzero"`
	ClosesAt    time.Time `json:"registration_closes_at,omitzero"`
	CancelledAt time.Time `json:"cancelled_at,omitzero"`

	// What the event is now, so that no client works it out from seats, hours and its clock.
	State        store.LifeState         `json:"state"`
	Registration store.RegistrationState `json:"registration_state"`
}

func eventOf(e store.Event) event { return eventAt(e, time.Now()) }

// eventAt is what is told of an event at that time.
func eventAt(e store.Event, now time.Time) event {
	life, registration := e.States(now)
	return event{
		State: life, Registration: registration,
		ID: e.ID, OrganizerID: e.OrganizerID, Title: e.Title, Description: e.Description,
		Capacity: e.Capacity, TicketsSold: e.TicketsSold, StartsAt: e.StartsAt, EndsAt: e.EndsAt, CreatedAt: e.CreatedAt,
		Place: e.Place, TimeZone: e.TimeZone, Waitlist: e.Waitlist, Waiting: e.Waiting,
		OpensAt: e.OpensAt, ClosesAt: e.ClosesAt, CancelledAt: e.CancelledAt,
	}
}

func (a *API) createEvent(w http.ResponseWriter, r *http.Request) error {
	who, err := a.gate.caller(r)
	if err != nil {
		return err
	}
	var body newEvent
	if err := decodeBody(w, r, &body); err != nil {
		return err
	}
	var f fields
	key, _ := f.idempotencyKey(r.Header)
	e := store.Event{
		OrganizerID: who.actor(&f, "organizer_id", body.OrganizerID),
		Title:       f.line("title", body.Title, MaxTitle),
		Description: f.text("description", body.Description, MaxDescription),
		Capacity:    f.between("capacity", body.Capacity, 1, MaxCapacity),
		StartsAt:    f.instant("starts_at", body.StartsAt),
		EndsAt:      f.instant("ends_at", body.EndsAt),
		Place:       f.optionalLine("place", body.Place, MaxPlace),
		TimeZone:    f.timeZone("time_zone", body.TimeZone),
		Waitlist:    body.Waitlist,
		OpensAt:     f.optionalInstant("registration_opens_at", body.OpensAt),
		ClosesAt:    f.optionalInstant("registration_closes_at", body.ClosesAt),
	}
	f.inOrder(e)
	if err := f.err(); err != nil {
		return err
	}
	if err := who.mayBe(e.OrganizerID, "An event belongs to who creates it: leave organizer_id out."); err != nil {
		return err
	}
	// A creation does not die with the client's connection: the repetition finds it done.
	deadline := a.deadline()
	ctx, cancel := detached(r, deadline)
	defer cancel()
	c, done, err := a.begin(ctx, key, who.scope("POST "+pathEvents), body)
	if err != nil {
		return err
	}
	e.ID, e.CreatedAt = c.Resource, c.CreatedAt
	if !done {
		create := func(ctx context.Context) error { return a.store.CreateEvent(ctx, e) }
		exists := func(ctx context.Context) error { return a.exists(ctx, e.ID, deadline) }
		if err := c.carryOut(ctx, create, exists); err != nil {
			return err
		}
	}
	e.Version, e.Revision = 1, 1
	w.Header().Set("ETag", eventTag(e))
	return writeCreated(w, eventPath(e.ID), done, eventOf(e))
}

func (a *API) readEvent(w http.ResponseWriter, r *http.Request) error {
	id, err := eventID(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.config.RequestTimeout)
	defer cancel()
	e, err := a.store.Event(ctx, id)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", eventTag(e))
	return writeRead(w, r, eventOf(e))
}

func (a *API) listEvents(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	query, err := eventQuery(q)
	if err != nil {
		return err
	}
	if query.Limit > 0 {
		return a.eventsPage(w, r, q, query)
	}
	deadline := a.deadline()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	found := store.AllEvents(ctx, timedFinder{a.store, a.config.RequestTimeout}, query)
	return a.streamJSON(w, r, deadline, cancel, encoded(found, func(e store.Event) any { return eventOf(e) }))
}

// timedFinder gives each page its own time.
type timedFinder struct {
	store.Finder
	limit time.Duration
}

// FindEvents implements store.Finder.
func (f timedFinder) FindEvents(ctx context.Context, q store.EventQuery) (store.EventPage, error) {
	ctx, cancel := context.WithTimeout(ctx, f.limit)
	defer cancel()
	return f.Finder.FindEvents(ctx, q)
}

// eventsPage sends one page, and in Link where the next one is.
func (a *API) eventsPage(w http.ResponseWriter, r *http.Request, q url.Values, query store.EventQuery) error {
	found, err := timedFinder{a.store, a.config.RequestTimeout}.FindEvents(r.Context(), query)
	if err != nil {
		return err
	}
	if found.Next != nil {
		linkNext(w, pathEvents, q, query.Limit, eventsCursor(q, *found.Next))
	}
	page := make([]event, len(found.Events))
	for i, e := range found.Events {
		page[i] = eventOf(e)
	}
	return writeRead(w, r, page)
}
