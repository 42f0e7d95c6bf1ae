package api

import (
	"net/http"
	"time"

	"github.com/eventio/eventio/api/openapi"
	"github.com/eventio/eventio/pkg/store"
)

// The documentation of the routes, one function each, in the order of the table.

func createUserDocs() operation {
	return operation{
		id: "createUser", tag: "users", summary: "Sign up",
		description: "The address must be nobody's yet.",
		parameters: []openapi.Parameter{keyParameter("Makes the request repeatable for 24 hours: the same key with the same content gets the same 201, " +
			"also while nobody knows whether the first one arrived. Only 201 is remembered. The key is bound to name and email, and a repetition must know the password.")},
		body:    newUser{},
		example: newUser{"Ada", "ada@example.org", "correct horse battery"},
		answers: []answer{{
			status: http.StatusCreated, description: "The new user.", body: session{}, headers: []string{"Location", headerReplayed},
			example: exampleSession(),
			links:   map[string]openapi.Link{"organize": {OperationID: "listEvents", Parameters: map[string]string{"query.organizer_id": "$response.body#/id"}}},
		}},
		problems: []Code{CodeEmailTaken, CodeRequestInProgress, CodeKeyReused, CodeOverloaded, CodeStorageFull, CodeUnknownOutcome},
	}
}

func changePasswordDocs() operation {
	return operation{
		access: tokenHolders, id: "changePassword", tag: "users", summary: "Change a password",
		description: "Ends all earlier tokens of the user, in every process within 5 s.",
		body:        passwordChange{},
		example:     passwordChange{"correct horse battery", "wrong horse battery"},
		answers:     []answer{{status: http.StatusNoContent, description: "It is changed."}},
		problems:    []Code{CodeUserNotFound, CodeOverloaded, CodeStorageFull, CodeUnknownOutcome},
	}
}

func logoutDocs() operation {
	return operation{
		id: "logout", tag: "users", summary: "Log a browser out",
		description: "Takes the cookie away. It ends no token.",
		answers:     []answer{{status: http.StatusNoContent, description: "The cookie is gone."}},
	}
}

func loginDocs() operation {
	return operation{
		id: "login", tag: "users", summary: "Log in",
		description: "A wrong password and an unknown address look alike.",
		body:        credentials{},
		example:     credentials{"ada@example.org", "correct horse battery"},
		answers:     []answer{{status: http.StatusOK, description: "The user.", body: session{}, example: exampleSession()}},
		problems:    []Code{CodeUnauthenticated, CodeOverloaded},
	}
}

func createEventDocs() operation {
	return operation{
		access: tokenHolders, id: "createEvent", tag: "events", summary: "Create an event",
		description: "Nobody is registered for a new event.",
		parameters: []openapi.Parameter{keyParameter("Makes the request repeatable for 24 hours: the same key with the same content gets the same 201, " +
			"also while nobody knows whether the first one arrived. Only 201 is remembered.")},
		body: newEvent{},
		example: newEvent{new(exampleUser().ID.Hex()), "Opening night", "One place only.", 1,
			"2027-05-01T18:00:00Z", "2027-05-01T20:00:00Z", "", "", false, nil, nil},
		answers: []answer{{
			status: http.StatusCreated, description: "The new event.", body: event{}, headers: []string{"Location", "ETag", headerReplayed},
			example: eventAt(exampleEvent(), exampleEvent().CreatedAt),
			links: map[string]openapi.Link{
				"read":     {OperationID: "readEvent", Parameters: map[string]string{"path.id": "$response.body#/id"}},
				"register": {OperationID: "register", Parameters: map[string]string{"path.id": "$response.body#/id"}},
				"roster":   {OperationID: "listRegistrations", Parameters: map[string]string{"path.id": "$response.body#/id"}},
				"edit": {OperationID: "editEvent", Parameters: map[string]string{
					"path.id": "$response.body#/id", "header.If-Match": "$response.header.ETag",
				}},
				"cancel": {OperationID: "cancelEvent", Parameters: map[string]string{"path.id": "$response.body#/id"}},
			},
		}},
		problems: []Code{CodeRequestInProgress, CodeKeyReused, CodeOverloaded, CodeStorageFull, CodeUnknownOutcome},
	}
}

func listEventsDocs() operation {
	return operation{
		id: "listEvents", tag: "events", summary: "List events",
		description: "By starts_at, then id. With limit a page; without it everything that the filters leave, streamed. " +
			"A page with filters may be short, even empty, and still have a next one: follow it until there is none. " +
			"Pages and lists below 32 KiB have an ETag.",
		parameters: append(eventParameters(), tagParameter()),
		answers: []answer{
			{status: http.StatusOK, description: "The events.", body: []event{}, headers: []string{"Link", "ETag"}, example: []event{eventAt(exampleEvent(), exampleEvent().CreatedAt)}},
			notModified(),
		},
		problems: []Code{CodeOverloaded},
	}
}

func readEventDocs() operation {
	return operation{
		id: "readEvent", tag: "events", summary: "Read an event",
		description: "With how many places it has and how many are taken.",
		parameters:  []openapi.Parameter{tagParameter()},
		answers: []answer{
			{status: http.StatusOK, description: "The event.", body: event{}, headers: []string{"ETag"}, example: eventAt(exampleEvent(), exampleEvent().CreatedAt)},
			notModified(),
		},
		problems: []Code{CodeEventNotFound, CodeOverloaded},
	}
}

func registerDocs() operation {
	return operation{
		access: tokenHolders, id: "register", tag: "registrations", summary: "Register for an event",
		description: "201 is said when the seat is on disk, 202 when the event is full and takes people onto a waiting list. " +
			"Where several answers apply the order is 404, 400 already_registered, what keeps anybody out, 409 sold_out.",
		parameters: []openapi.Parameter{keyParameter("Makes the request repeatable: while the registration that it made lives, the same key of the same user for the same " +
			"event gets it again, and once it is cancelled, 409 registration_cancelled. Of a person's requests for an event that are over the latest 32 are kept. " +
			"A refusal is not remembered. Another user's or event's equal key is independent.")},
		body:    newRegistration{},
		example: newRegistration{new(exampleUser().ID.Hex())},
		answers: []answer{{
			status: http.StatusCreated, description: "The seat is theirs.", body: registration{}, headers: []string{"Location"},
			example: exampleRegistration(),
			links: map[string]openapi.Link{"read": {OperationID: "readRegistration", Parameters: map[string]string{
				"path.id": "$response.body#/event_id", "path.user_id": "$response.body#/user_id",
			}}},
		}, waits()},
		problems: append(seatProblems(), CodeAlreadyRegistered, CodeAlreadyWaitlisted),
	}
}

func listRegistrationsDocs() operation {
	return operation{
		access: tokenHolders, id: "listRegistrations", tag: "registrations", summary: "List who is registered",
		description: "User ids in order of registration. With limit a page; without it the whole list, streamed.",
		parameters:  append(pageParameters(), statusParameter(), tagParameter()),
		answers: []answer{
			{status: http.StatusOK, description: "The ids of the users.", body: []store.ID{}, headers: []string{"Link", "ETag"}, example: []store.ID{exampleUser().ID}},
			notModified(),
		},
		problems: []Code{CodeEventNotFound, CodeOverloaded},
	}
}

func putRegistrationDocs() operation {
	return operation{
		access: tokenHolders, id: "putRegistration", tag: "registrations", summary: "Register a user unless they are registered",
		description: "The same as POST to the list, and repeatable as it is. It takes no body.",
		parameters:  []openapi.Parameter{keyParameter("As for POST to the list. 200 is remembered too: a late repetition does not register anew who has left since.")},
		answers: []answer{
			{status: http.StatusOK, description: "They held a seat already, or waited.", body: registration{}, example: exampleRegistration()},
			{status: http.StatusCreated, description: "The seat is theirs.", body: registration{}, headers: []string{"Location"}, example: exampleRegistration()},
			waits(),
		},
		problems: seatProblems(),
	}
}

// waits is the answer of a full event with a waiting list.
func waits() answer {
	example := exampleRegistration()
	example.Number, example.Status, example.Position = 2, statusWaitlisted, 1
	return answer{status: http.StatusAccepted, description: "They wait for a place.", body: registration{}, example: example}
}

// seatProblems are why there may be no seat.
func seatProblems() []Code {
	return []Code{
		CodeEventNotFound, CodeEventCancelled, CodeRegistrationNotOpen, CodeRegistrationClosed, CodeRegistrationCancelled,
		CodeSoldOut, CodeOverloaded, CodeStorageFull, CodeUnknownOutcome,
	}
}

func deleteRegistrationDocs() operation {
	return operation{
		access: tokenHolders, id: "deleteRegistration", tag: "registrations", summary: "Give up a seat or a place in the waiting list",
		description: "By the person or the organizer; repeatable as it is. The first in line gets the seat in the same step.",
		parameters: []openapi.Parameter{
			keyParameter("Keeps a repetition from cancelling a registration that was made since, also when the first request found none. " +
				"Of a person's requests for an event that are over the latest 32 are kept."),
			registrationMatchParameter(),
		},
		answers:  []answer{{status: http.StatusNoContent, description: "They hold nothing."}},
		problems: []Code{CodeEventNotFound, CodeRegistrationChanged, CodeOverloaded, CodeStorageFull, CodeUnknownOutcome},
	}
}

func editEventDocs() operation {
	return operation{
		access: tokenHolders, id: "editEvent", tag: "events", summary: "Edit an event",
		description: "By the organizer; a JSON Merge Patch. Raising the capacity promotes from the waiting list in the same step.",
		parameters:  []openapi.Parameter{matchParameter()},
		body:        eventEdit{},
		example:     eventEdit{Title: sent("Opening night"), Capacity: sent(int64(2))},
		answers: []answer{{status: http.StatusOK, description: "The event as it is now.", body: event{}, headers: []string{"ETag"},
			example: eventAt(exampleEvent(), exampleEvent().CreatedAt)}},
		problems: []Code{CodeEventNotFound, CodeEventCancelled, CodeCapacityBelowSold, CodeVersionMismatch,
			CodePreconditionRequired, CodeOverloaded, CodeStorageFull, CodeUnknownOutcome},
	}
}

func cancelEventDocs() operation {
	return operation{
		access: tokenHolders, id: "cancelEvent", tag: "events", summary: "Cancel an event",
		description: "By the organizer, for good; repeatable. It stays readable and keeps its roster. It takes no body.",
		answers: []answer{{status: http.StatusOK, description: "The event as it is now.", body: event{}, headers: []string{"ETag"},
			example: eventAt(exampleEvent(), exampleEvent().CreatedAt)}},
		problems: []Code{CodeEventNotFound, CodeOverloaded, CodeStorageFull, CodeUnknownOutcome},
	}
}

func holdingsDocs() operation {
	return operation{
		access: tokenHolders, id: "listHoldings", tag: "users", summary: "List what a user holds and waits for",
		description: "The newest event first, in pages; a page may be short and still have a next one.",
		parameters:  append(pageParameters(), whenParameter(), tagParameter()),
		answers: []answer{
			{status: http.StatusOK, description: "The registrations with their events.", body: []holding{}, headers: []string{"Link", "ETag"},
				example: []holding{{eventAt(exampleEvent(), exampleEvent().CreatedAt), exampleUser().CreatedAt, 1, statusConfirmed}}},
			notModified(),
		},
		problems: []Code{CodeOverloaded},
	}
}

func readRegistrationDocs() operation {
	return operation{
		access: tokenHolders, id: "readRegistration", tag: "registrations", summary: "Read a registration",
		description: "Tells whether a user is registered, and since when.",
		parameters:  []openapi.Parameter{tagParameter()},
		answers: []answer{
			{status: http.StatusOK, description: "They are registered.", body: registration{}, headers: []string{"ETag"}, example: exampleRegistration()},
			notModified(),
		},
		problems: []Code{CodeEventNotFound, CodeRegistrationNotFound, CodeOverloaded},
	}
}

func livezDocs() operation {
	return operation{
		id: "live", tag: "service", summary: "Is the process alive?",
		description: "For whoever restarts processes.",
		answers:     []answer{{status: http.StatusOK, description: "It is.", body: status{}, example: status{"live"}}},
	}
}

func readyzDocs() operation {
	return operation{
		id: "ready", tag: "service", summary: "Is traffic welcome?",
		description: "For load balancers: 200 while seat requests get through the queue and the store takes writes.",
		answers:     []answer{{status: http.StatusOK, description: "It is.", body: status{}, example: status{"ready"}}},
		problems:    []Code{CodeOverloaded, CodeStorageFull},
	}
}

func openAPIDocs() operation {
	return operation{
		id: "openapi", tag: "service", summary: "This description",
		description: "OpenAPI 3.1, made from the code that answers.",
		parameters:  []openapi.Parameter{tagParameter()},
		answers: []answer{
			{status: http.StatusOK, description: "The document.", body: anything{}, headers: []string{"ETag"}},
			notModified(),
		},
	}
}

func docsDocs() operation {
	return operation{
		id: "docs", tag: "service", summary: "This description, for people",
		description: "A page that is made from the OpenAPI document.",
		parameters:  []openapi.Parameter{tagParameter()},
		answers: []answer{
			{status: http.StatusOK, description: "The page.", body: "", media: htmlMedia, headers: []string{"ETag"}},
			notModified(),
		},
	}
}

func docsStyleDocs() operation {
	return operation{
		id: "docsStyle", tag: "service", summary: "The style sheet of the page",
		description: "Belongs to /docs.",
		parameters:  []openapi.Parameter{tagParameter()},
		answers: []answer{
			{status: http.StatusOK, description: "The style sheet.", body: "", media: cssMedia, headers: []string{"ETag"}},
			notModified(),
		},
	}
}

func notModified() answer {
	return answer{status: http.StatusNotModified, description: "The client has it already.", headers: []string{"ETag"}}
}

// What the examples are about.

func exampleUser() store.User {
	return store.User{
		ID:   store.ID{0x6b, 0x05, 0x6f, 0x1d, 0xb8, 0xa8, 0xb2, 0x08, 0x90, 0x36, 0x7b, 0x25},
		Name: "Ada", Email: "ada@example.org", CreatedAt: time.Date(2026, 11, 24, 11, 3, 57, 321_000_000, time.UTC),
	}
}

func exampleEvent() store.Event {
	id := exampleUser().ID
	id[len(id)-1]++
	return store.Event{
		ID: id, OrganizerID: exampleUser().ID, Title: "Opening night", Description: "One place only.", Capacity: 1,
		StartsAt: time.Date(2027, 5, 1, 18, 0, 0, 0, time.UTC), EndsAt: time.Date(2027, 5, 1, 20, 0, 0, 0, time.UTC),
		CreatedAt: exampleUser().CreatedAt,
	}
}

func exampleSession() session {
	u := exampleUser()
	return session{u.ID, u.Name, u.Email, u.CreatedAt, "eyJhbGciOiJIUzI1NiIs...", u.CreatedAt.Add(time.Hour)}
}

func exampleRegistration() registration {
	return registration{exampleEvent().ID, exampleUser().ID, exampleUser().CreatedAt, 1, statusConfirmed, 0}
}
