package serve

import (
	"context"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/pkg/store"
)

// Paths that answers tell or that cursors belong to.
const (
	PathEvents   = "/api/events"
	PathUsers    = "/api/users"
	PathSession  = "/api/session"
	PathResets   = "/api/password-resets"
	PathWebhooks = "/api/webhooks"
	PathKeys     = "/api/keys"
)

// EventPath returns the path of an event.
func EventPath(id store.ID) string { return PathEvents + "/" + id.Hex() }

// RosterPath returns the path of an event's registrations.
func RosterPath(event store.ID) string { return EventPath(event) + "/registrations" }

// AttendeesPath returns the path of an event's guest list.
func AttendeesPath(event store.ID) string { return EventPath(event) + "/attendees" }

// RegistrationPath returns the path of one person's registration for an event.
func RegistrationPath(event, user store.ID) string { return RosterPath(event) + "/" + user.Hex() }

// UserPath returns the path of a person.
func UserPath(id store.ID) string { return PathUsers + "/" + id.Hex() }

// ChangesPath returns the path of what changed of an event.
func ChangesPath(event store.ID) string { return EventPath(event) + "/changes" }

// UserChangesPath returns the path of what changed of a person's registrations.
func UserChangesPath(user store.ID) string { return UserPath(user) + "/changes" }

// UserRegistrationsPath returns the path of a person's registrations.
func UserRegistrationsPath(user store.ID) string { return UserPath(user) + "/registrations" }

// WebhookPath returns the path of a webhook.
func WebhookPath(id store.ID) string { return PathWebhooks + "/" + id.Hex() }

// EventID reads the event's id in the path. No event has the zero id.
func EventID(r *Request) (store.ID, error) {
	id, err := store.ParseID(r.URLParam("id"))
	if err != nil {
		return id, problem.InvalidField("id", "must be an id of 24 hexadecimal digits")
	}
	if id.IsZero() {
		return id, store.ErrEventNotFound
	}
	return id, nil
}

// UserID reads the user's id in the path.
func UserID(r *Request) (store.ID, error) {
	var f input.Fields
	id := f.ID("user_id", r.URLParam("user_id"))
	return id, f.Err()
}

const onlySelf = "Only the person themself may do this."

// OwnUser reads the user's id in the path, who must be the caller.
func OwnUser(r *Request) (store.ID, error) {
	id, err := UserID(r)
	if err != nil {
		return id, err
	}
	return id, r.Caller.Require(id, onlySelf)
}

// ActingFor reads the id of the user for whom a request acts. Who is proven may leave it out.
func ActingFor(who gate.Caller, f *input.Fields, field string, id *string) store.ID {
	switch {
	case id != nil:
		return f.ID(field, *id)
	case who.Proven:
		return who.ID
	}
	return f.ID(field, "")
}

// Exists returns the error of reading an event: nil when there is one.
func (a *Core) Exists(ctx context.Context, id store.ID) error {
	_, err := a.Store.Event(ctx, id)
	return err
}
