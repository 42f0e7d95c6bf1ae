package api

import (
	"context"
	"net/http"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// newEvent is the body that creates an event.
type newEvent struct {
	OrganizerID string `json:"organizer_id"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Capacity    int64  `json:"capacity"`
	StartsAt    string `json:"starts_at"`
	EndsAt      string `json:"ends_at"`
}

// event is what is told of an event. It never has the roster.
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
	e := store.Event{
		ID:          store.NewID(),
		OrganizerID: who.actor(&f, "organizer_id", body.OrganizerID),
		Title:       f.line("title", body.Title, MaxTitle),
		Description: f.text("description", body.Description, MaxDescription),
		Capacity:    f.between("capacity", body.Capacity, 1, MaxCapacity),
		StartsAt:    f.instant("starts_at", body.StartsAt),
		EndsAt:      f.instant("ends_at", body.EndsAt),
		CreatedAt:   time.Now().UTC().Truncate(time.Millisecond),
	}
	if err := f.err(); err != nil {
		return err
	}
	if !e.EndsAt.After(e.StartsAt) {
		return invalid(FieldError{"ends_at", "must be after starts_at"})
	}
	if err := who.mayBe(e.OrganizerID, "An event belongs to who creates it: leave organizer_id out."); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.config.RequestTimeout)
	defer cancel()
	if err := a.store.CreateEvent(ctx, e); err != nil {
		return inDoubt(err)
	}
	return writeJSON(w, http.StatusCreated, event(e))
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
	return writeJSON(w, http.StatusOK, event(e))
}

func (a *API) listEvents(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	return a.streamJSON(w, cancel, encoded(a.store.Events(ctx), func(e store.Event) any { return event(e) }))
}
