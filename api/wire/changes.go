package wire

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/changes"
)

// Change is one thing that happened to an event or to a registration.
type Change struct {
	// ID names the change for good: the event's id, the revision and the place in it, with dots between.
	ID       string    `json:"id"`
	EventID  store.ID  `json:"event_id"`
	Revision int64     `json:"revision"` // of the event, with this change
	Type     string    `json:"type"`     // see changes.Type
	At       time.Time `json:"at"`
	// UserID and Number are those of the registration that the change is about, if it is about one.
	UserID store.ID `json:"user_id,omitzero"`
	Number int64    `json:"number,omitzero"`
	// Status is what a registration was that was cancelled.
	Status    Status `json:"status,omitzero"`
	Actor     *Actor `json:"actor,omitzero"` // who did it, if that is known
	RequestID string `json:"request_id,omitzero"`
	// Fields has the names of the fields that an edit set.
	Fields []string `json:"fields,omitzero"`
	// Cause is the ID of the change that freed the seat for who moved up.
	Cause string `json:"cause,omitzero"`
	// Range says who moved up when they are too many to be named.
	Range *NumberRange `json:"range,omitzero"`
	// Capacity, TicketsSold and Waiting are those of the event after the revision.
	Capacity    int64 `json:"capacity"`
	TicketsSold int64 `json:"tickets_sold"`
	Waiting     int64 `json:"waiting"`
}

// Actor is who made a change.
type Actor struct {
	Kind string   `json:"kind"` // see store.ActorKind
	ID   store.ID `json:"id,omitzero"`
	// Proof says how they have proven who they are, when that was no token of ours: see store.Proof.
	Proof string `json:"proof,omitempty"`
}

// NumberRange is everybody whose number is above After and at most Through, and who waited.
type NumberRange struct {
	After   int64 `json:"after"`
	Through int64 `json:"through"`
	Count   int64 `json:"count"`
}

// ChangeOf makes the body of an item of a row.
func ChangeOf(r store.ChangeRecord, i changes.Item) Change {
	c := Change{
		ID: changeID(r, i.Index), EventID: r.EventID, Revision: r.Revision, Type: string(i.Type), At: i.Action.At,
		UserID: i.UserID, Number: i.Number, RequestID: i.Action.RequestID, Fields: i.Action.Edited,
		Capacity: r.After.Capacity, TicketsSold: r.After.TicketsSold, Waiting: r.After.Waiting,
	}
	if i.Action.Actor != (store.Actor{}) {
		c.Actor = &Actor{string(i.Action.Actor.Kind), i.Action.Actor.ID, string(i.Action.Actor.Proof)}
	}
	switch i.Type {
	case changes.Cancelled:
		c.Status = Confirmed
		if i.Waited {
			c.Status = Waitlisted
		}
	case changes.Promoted:
		c.Cause, c.Fields = changeID(r, i.Cause), nil
		if p := i.Promoted; p.Count > 0 {
			c.Range = &NumberRange{p.After, p.Through, p.Count}
		}
	}
	return c
}

// OwnChangeOf makes the body of an item about a registration for the registered user, who is not told
// what others asked for: only in which role they did it.
func OwnChangeOf(r store.ChangeRecord, i changes.Item) Change {
	c := ChangeOf(r, i)
	c.Cause = ""
	if c.Actor != nil && c.Actor.ID != i.UserID && i.Action.Actor.Kind != changes.ActorImport {
		c.Actor, c.RequestID = &Actor{Kind: c.Actor.Kind}, ""
	}
	return c
}

func changeID(r store.ChangeRecord, index int) string {
	return fmt.Sprintf("%s.%d.%d", r.EventID.Hex(), r.Revision, index)
}

// ChangeColumns returns the columns of a change in CSV.
func ChangeColumns() []string {
	return []string{
		"id", "event_id", "revision", "type", "at", "user_id", "number", "status", "actor_kind", "actor_id", "request_id", "fields", "cause",
		"range_after", "range_through", "range_count", "capacity", "tickets_sold", "waiting", "actor_proof",
	}
}

// Cells returns the change as a row of CSV, with the ChangeColumns.
func (c Change) Cells() []string {
	number := func(n int64) string {
		if n == 0 {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
	id := func(id store.ID) string {
		if id.IsZero() {
			return ""
		}
		return id.Hex()
	}
	var who Actor
	if c.Actor != nil {
		who = *c.Actor
	}
	after, through, count := "", "", ""
	if r := c.Range; r != nil {
		after, through, count = strconv.FormatInt(r.After, 10), number(r.Through), number(r.Count)
	}
	return []string{
		c.ID, id(c.EventID), number(c.Revision), c.Type, c.At.Format(time.RFC3339Nano), id(c.UserID), number(c.Number), string(c.Status),
		who.Kind, id(who.ID), c.RequestID, strings.Join(c.Fields, " "), c.Cause, after, through, count,
		strconv.FormatInt(c.Capacity, 10), strconv.FormatInt(c.TicketsSold, 10), strconv.FormatInt(c.Waiting, 10), who.Proof,
	}
}
