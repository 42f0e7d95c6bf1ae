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
			status: http.StatusCreated, description: "The new user.", body: user{}, headers: []string{"Location", headerReplayed},
			example: userOf(exampleUser()),
			links:   map[string]openapi.Link{"organize": {OperationID: "listEvents", Parameters: map[string]string{"query.organizer_id": "$response.body#/id"}}},
		}},
		problems: []Code{CodeEmailTaken, CodeRequestInProgress, CodeKeyReused, CodeOverloaded, CodeUnknownOutcome},
	}
}

func loginDocs() operation {
	return operation{
		id: "login", tag: "users", summary: "Log in",
		description: "A wrong password and an unknown address look alike.",
		body:        credentials{},
		example:     credentials{"ada@example.org", "correct horse battery"},
		answers:     []answer{{status: http.StatusOK, description: "The user.", body: user{}, example: userOf(exampleUser())}},
		problems:    []Code{CodeUnauthenticated, CodeOverloaded},
	}
}

func createEventDocs() operation {
	return operation{
		id: "createEvent", tag: "events", summary: "Create an event",
		description: "Nobody is registered for a new event.",
		parameters: []openapi.Parameter{keyParameter("Makes the request repeatable for 24 hours: the same key with the same content gets the same 201, " +
			"also while nobody knows whether the first one arrived. Only 201 is remembered.")},
		body: newEvent{},
		example: newEvent{exampleUser().ID.Hex(), "Opening night", "One place only.", 1,
			"2027-05-01T18:00:00Z", "2027-05-01T20:00:00Z"},
		answers: []answer{{
			status: http.StatusCreated, description: "The new event.", body: event{}, headers: []string{"Location", headerReplayed},
			example: eventOf(exampleEvent()),
			links: map[string]openapi.Link{
				"read":     {OperationID: "readEvent", Parameters: map[string]string{"path.id": "$response.body#/id"}},
				"register": {OperationID: "register", Parameters: map[string]string{"path.id": "$response.body#/id"}},
				"roster":   {OperationID: "listRegistrations", Parameters: map[string]string{"path.id": "$response.body#/id"}},
			},
		}},
		problems: []Code{CodeRequestInProgress, CodeKeyReused, CodeOverloaded, CodeUnknownOutcome},
	}
}

func listEventsDocs() operation {
	return operation{
		id: "listEvents", tag: "events", summary: "List events",
		description: "By starts_at, then id. With limit a page; without it everything that the filters leave, streamed. " +
			"Pages and lists below 32 KiB have an ETag.",
		parameters: append(eventParameters(), tagParameter()),
		answers: []answer{
			{status: http.StatusOK, description: "The events.", body: []event{}, headers: []string{"Link", "ETag"}, example: []event{eventOf(exampleEvent())}},
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
			{status: http.StatusOK, description: "The event.", body: event{}, headers: []string{"ETag"}, example: eventOf(exampleEvent())},
			notModified(),
		},
		problems: []Code{CodeEventNotFound, CodeOverloaded},
	}
}

func registerDocs() operation {
	return operation{
		id: "register", tag: "registrations", summary: "Register for an event",
		description: "201 is said when the seat is on disk. Where several answers apply the order is 404, 400 already_registered, 409.",
		parameters: []openapi.Parameter{keyParameter("Makes the request repeatable for ever: the same key of the same user for the same event gets the same answer. " +
			"Another user's or event's equal key is independent.")},
		body:    newRegistration{},
		example: newRegistration{exampleUser().ID.Hex()},
		answers: []answer{{
			status: http.StatusCreated, description: "The seat is theirs.", body: registration{}, headers: []string{"Location"},
			example: exampleRegistration(),
			links: map[string]openapi.Link{"read": {OperationID: "readRegistration", Parameters: map[string]string{
				"path.id": "$response.body#/event_id", "path.user_id": "$response.body#/user_id",
			}}},
		}},
		problems: []Code{CodeAlreadyRegistered, CodeEventNotFound, CodeSoldOut, CodeOverloaded, CodeUnknownOutcome},
	}
}

func listRegistrationsDocs() operation {
	return operation{
		id: "listRegistrations", tag: "registrations", summary: "List who is registered",
		description: "User ids in order of registration. With limit a page; without it the whole list, streamed.",
		parameters:  append(pageParameters(), tagParameter()),
		answers: []answer{
			{status: http.StatusOK, description: "The ids of the users.", body: []store.ID{}, headers: []string{"Link", "ETag"}, example: []store.ID{exampleUser().ID}},
			notModified(),
		},
		problems: []Code{CodeEventNotFound, CodeOverloaded},
	}
}

func putRegistrationDocs() operation {
	return operation{
		id: "putRegistration", tag: "registrations", summary: "Register a user unless they are registered",
		description: "The same as POST to the list, and repeatable as it is. It takes no body.",
		answers: []answer{
			{status: http.StatusOK, description: "They held a seat already.", body: registration{}, example: exampleRegistration()},
			{status: http.StatusCreated, description: "The seat is theirs.", body: registration{}, headers: []string{"Location"}, example: exampleRegistration()},
		},
		problems: []Code{CodeEventNotFound, CodeSoldOut, CodeOverloaded, CodeUnknownOutcome},
	}
}

func readRegistrationDocs() operation {
	return operation{
		id: "readRegistration", tag: "registrations", summary: "Read a registration",
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
		description: "For load balancers: 200 while the queue and the store can be reached.",
		answers:     []answer{{status: http.StatusOK, description: "It is.", body: status{}, example: status{"ready"}}},
		problems:    []Code{CodeOverloaded},
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

func exampleRegistration() registration {
	return registration{exampleEvent().ID, exampleUser().ID, exampleUser().CreatedAt}
}
