package api

import (
	"context"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/pkg/store"
)

// Paths that answers tell or that cursors belong to.
const (
	pathEvents = "/api/events"
	pathUsers  = "/api/users"
)

func eventPath(id store.ID) string                 { return pathEvents + "/" + id.Hex() }
func rosterPath(event store.ID) string             { return eventPath(event) + "/registrations" }
func attendeesPath(event store.ID) string          { return eventPath(event) + "/attendees" }
func registrationPath(event, user store.ID) string { return rosterPath(event) + "/" + user.Hex() }
func userPath(id store.ID) string                  { return pathUsers + "/" + id.Hex() }
func changesPath(event store.ID) string            { return eventPath(event) + "/changes" }
func userChangesPath(user store.ID) string         { return userPath(user) + "/changes" }
func userRegistrationsPath(user store.ID) string   { return userPath(user) + "/registrations" }

// eventID reads the event's id in the path. No event has the zero id.
func eventID(r *request) (store.ID, error) {
	id, err := store.ParseID(r.urlParam("id"))
	if err != nil {
		return id, problem.InvalidField("id", "must be an id of 24 hexadecimal digits")
	}
	if id.IsZero() {
		return id, store.ErrEventNotFound
	}
	return id, nil
}

// userID reads the user's id in the path.
func userID(r *request) (store.ID, error) {
	var f input.Fields
	id := f.ID("user_id", r.urlParam("user_id"))
	return id, f.Err()
}

const onlySelf = "Only the person themself may do this."

// ownUser reads the user's id in the path, who must be the caller.
func ownUser(r *request) (store.ID, error) {
	id, err := userID(r)
	if err != nil {
		return id, err
	}
	return id, r.caller.Require(id, onlySelf)
}

// actingFor reads the id of the user for whom a request acts. Who is proven may leave it out.
func actingFor(who gate.Caller, f *input.Fields, field string, id *string) store.ID {
	switch {
	case id != nil:
		return f.ID(field, *id)
	case who.Proven:
		return who.ID
	}
	return f.ID(field, "")
}

// exists returns the error of reading an event: nil when there is one.
func (a *Core) exists(ctx context.Context, id store.ID) error {
	_, err := a.store.Event(ctx, id)
	return err
}

const pathSession = "/api/session"
