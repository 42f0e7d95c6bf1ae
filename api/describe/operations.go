package describe

import (
	"net/http"
	"slices"
	"time"

	"github.com/eventio/eventio/api/describe/openapi"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/pkg/store"
)

// The documentation of the routes, one function each, in the order of the table.

// CreateUser documents POST /api/users.
func CreateUser() Operation {
	return Operation{
		ID: "createUser", Tag: "users", Summary: "Sign up",
		Description: "The e-mail address must not be in use.",
		Parameters: []openapi.Parameter{keyParameter("Makes the request repeatable, for 24 hours unless the operator has set another time: the same key with the same content gets the same 201, " +
			"also while nobody knows whether the first one arrived. Only 201 is remembered. The key is bound to name and email, and a repetition must know the password.")},
		Body:    wire.NewUser{},
		Example: wire.NewUser{Name: "Ada", Email: "ada@example.org", Password: "correct horse battery"},
		Answers: []Answer{{
			Status: http.StatusCreated, Description: "The new user.", Body: wire.Session{}, Headers: []string{"Location", wire.HeaderReplayed},
			Example: exampleSession(),
			Links:   map[string]openapi.Link{"organize": {OperationID: "listEvents", Parameters: map[string]string{"query.organizer_id": "$response.body#/id"}}},
		}},
		Problems: []problem.Code{problem.EmailTaken, problem.AccountLocked, problem.RequestInProgress, problem.KeyReused, problem.QuotaExceeded,
			problem.Overloaded, problem.StorageFull, problem.UnknownOutcome},
	}
}

// ChangePassword documents POST /api/users/{user_id}/password.
func ChangePassword() Operation {
	return Operation{
		ID: "changePassword", Tag: "users", Summary: "Change a password",
		Description: "Ends all earlier tokens of the user, in every process within 5 s.",
		Body:        wire.PasswordChange{},
		Example:     wire.PasswordChange{OldPassword: "correct horse battery", NewPassword: "wrong horse battery"},
		Answers:     []Answer{{Status: http.StatusNoContent, Description: "The password was changed."}},
		Problems:    []problem.Code{problem.UserNotFound, problem.AccountLocked, problem.Overloaded, problem.StorageFull, problem.UnknownOutcome},
	}
}

// ReadSession documents GET /api/session.
func ReadSession() Operation {
	u := exampleUser()
	return Operation{
		ID: "readSession", Tag: "users", Summary: "Who am I?",
		Description: "Tells whom the token speaks for, and renews the cookie of a browser. Without a token it is 401 in every mode.",
		Answers: []Answer{{Status: http.StatusOK, Description: "The user.", Body: wire.CurrentUser{}, Example: wire.CurrentUser{
			ID: u.ID, Name: u.Name, Email: u.Email, CreatedAt: u.CreatedAt, ExpiresAt: u.CreatedAt.Add(time.Hour),
		}}},
		Problems: []problem.Code{problem.UserNotFound, problem.Overloaded},
	}
}

// Logout documents POST /api/logout.
func Logout() Operation {
	return Operation{
		ID: "logout", Tag: "users", Summary: "Log out",
		Description: "Takes the cookie away and ends the token that was sent, in the cookie or in Authorization, with all its copies, in every process within 5 s. Without a token that counts there is nothing to end.",
		Answers:     []Answer{{Status: http.StatusNoContent, Description: "The token and the cookie do not count any more."}},
		Problems:    []problem.Code{problem.Overloaded, problem.StorageFull, problem.UnknownOutcome},
	}
}

// Login documents POST /api/login.
func Login() Operation {
	return Operation{
		ID: "login", Tag: "users", Summary: "Log in",
		Description: "A wrong password and an unknown e-mail address get the same answer.",
		Body:        wire.Credentials{},
		Example:     wire.Credentials{Email: "ada@example.org", Password: "correct horse battery"},
		Answers:     []Answer{{Status: http.StatusOK, Description: "The user.", Body: wire.Session{}, Example: exampleSession()}},
		Problems:    []problem.Code{problem.Unauthenticated, problem.AccountLocked, problem.Overloaded},
	}
}

// CreateEvent documents POST /api/events.
func CreateEvent() Operation {
	return Operation{
		ID: "createEvent", Tag: "events", Summary: "Create an event",
		Description: "A new event has no registrations.",
		Parameters: []openapi.Parameter{keyParameter("Makes the request repeatable, for 24 hours unless the operator has set another time: the same key with the same content gets the same 201, " +
			"also while nobody knows whether the first one arrived. Only 201 is remembered.")},
		Body: wire.NewEvent{},
		Example: wire.NewEvent{
			OrganizerID: new(exampleUser().ID.Hex()), Title: "Opening night", Description: "One place only.", Capacity: 1,
			StartsAt: "2027-05-01T18:00:00Z", EndsAt: "2027-05-01T20:00:00Z",
		},
		Answers: []Answer{{
			Status: http.StatusCreated, Description: "The new event.", Body: wire.Event{}, Headers: []string{"Location", "ETag", wire.HeaderReplayed},
			Example: exampleEventBody(),
			Links: map[string]openapi.Link{
				"read":     {OperationID: "readEvent", Parameters: map[string]string{"path.id": "$response.body#/id"}},
				"register": {OperationID: "register", Parameters: map[string]string{"path.id": "$response.body#/id"}},
				"roster":   {OperationID: "listRegistrations", Parameters: map[string]string{"path.id": "$response.body#/id"}},
				"edit": {OperationID: "editEvent", Parameters: map[string]string{
					"path.id": "$response.body#/id", "header.If-Match": "$response.header.ETag",
				}},
				"cancel": {OperationID: "cancelEvent", Parameters: map[string]string{"path.id": "$response.body#/id"}},
			},
		}},
		Problems: []problem.Code{problem.RequestInProgress, problem.KeyReused, problem.QuotaExceeded, problem.Overloaded, problem.StorageFull, problem.UnknownOutcome},
	}
}

// ListEvents documents GET /api/events.
func ListEvents() Operation {
	return Operation{
		ID: "listEvents", Tag: "events", Summary: "List events",
		Description: "Sorted by starts_at, then id. With limit it is a page; without it, everything that the filters leave, streamed. " +
			"A page with filters may be short, even empty, and still have a next one: follow it until there is none. " +
			"Pages and lists below 32 KiB have an ETag.",
		Parameters: append(eventParameters(), tagParameter()),
		Answers: []Answer{
			{Status: http.StatusOK, Description: "The events.", Body: []wire.Event{}, Headers: []string{"Link", "ETag"}, Example: []wire.Event{exampleEventBody()}},
			notModified(),
		},
		Problems: []problem.Code{problem.Overloaded},
	}
}

// ReadEvent documents GET /api/events/{id}.
func ReadEvent() Operation {
	return Operation{
		ID: "readEvent", Tag: "events", Summary: "Read an event",
		Description: "With its capacity and the number of seats taken.",
		Parameters:  []openapi.Parameter{tagParameter()},
		Answers: []Answer{
			{Status: http.StatusOK, Description: "The event.", Body: wire.Event{}, Headers: []string{"ETag"}, Example: exampleEventBody()},
			notModified(),
		},
		Problems: []problem.Code{problem.EventNotFound, problem.Overloaded},
	}
}

// Register documents POST /api/events/{id}/registrations.
func Register() Operation {
	return Operation{
		ID: "register", Tag: "registrations", Summary: "Register for an event",
		Description: "201 when the seat is on disk, 202 when the event is full and has a waiting list. " +
			"Where several answers apply the order is 404, 400 already_registered, what keeps anybody out, 409 sold_out.",
		Parameters: []openapi.Parameter{keyParameter("Makes the request repeatable: while the registration that it made lives, the same key of the same user for the same " +
			"event gets it again, and once it is cancelled, 409 registration_cancelled. Of a person's requests for an event that are over the latest 32 are kept. " +
			"A refusal is not remembered. Another user's or event's equal key is independent."), admissionParameter()},
		Body:    wire.NewRegistration{},
		Example: wire.NewRegistration{UserID: new(exampleUser().ID.Hex())},
		Answers: []Answer{{
			Status: http.StatusCreated, Description: "Registered: the user has a seat.", Body: wire.Registration{}, Headers: []string{"Location"},
			Example: exampleRegistration(),
			Links: map[string]openapi.Link{"read": {OperationID: "readRegistration", Parameters: map[string]string{
				"path.id": "$response.body#/event_id", "path.user_id": "$response.body#/user_id",
			}}},
		}, waits()},
		Problems: append(seatProblems(store.Register), problem.NotAdmitted),
	}
}

// ListRegistrations documents GET /api/events/{id}/registrations.
func ListRegistrations() Operation {
	return Operation{
		ID: "listRegistrations", Tag: "registrations", Summary: "List the registrations of an event",
		Description: "User ids in order of registration. With limit it is a page; without it, the whole list, streamed.",
		Parameters:  append(pageParameters(), statusParameter(), tagParameter()),
		Answers: []Answer{
			{Status: http.StatusOK, Description: "The ids of the users.", Body: []store.ID{}, Headers: []string{"Link", "ETag"}, Example: []store.ID{exampleUser().ID}},
			notModified(),
		},
		Problems: []problem.Code{problem.EventNotFound, problem.Overloaded},
	}
}

// PutRegistration documents PUT /api/events/{id}/registrations/{user_id}.
func PutRegistration() Operation {
	return Operation{
		ID: "putRegistration", Tag: "registrations", Summary: "Register a user unless they are registered",
		Description: "The same as POST to the list, and repeatable as it is. It takes no body.",
		Parameters:  []openapi.Parameter{keyParameter("As for POST to the list. 200 is remembered too: a late repetition does not register anew who has left since."), admissionParameter()},
		Answers: []Answer{
			{Status: http.StatusOK, Description: "The user was registered or on the waiting list already.", Body: wire.Registration{}, Example: exampleRegistration()},
			{Status: http.StatusCreated, Description: "Registered: the user has a seat.", Body: wire.Registration{}, Headers: []string{"Location"}, Example: exampleRegistration()},
			waits(),
		},
		Problems: append(seatProblems(store.Register, store.AlreadyRegistered, store.AlreadyWaitlisted), problem.NotAdmitted),
	}
}

// waits is the answer of a full event with a waiting list.
func waits() Answer {
	example := exampleRegistration()
	example.Number, example.Status, example.Position = 2, wire.Waitlisted, 1
	return Answer{Status: http.StatusAccepted, Description: "On the waiting list.", Body: wire.Registration{}, Example: example}
}

// seatProblems are why a seat request of a kind may not get what it asks for: the outcomes that are
// problems, but for those that the route never gives or answers otherwise, and the failures of the way there.
func seatProblems(kind store.Kind, never ...store.Outcome) []problem.Code {
	all := []problem.Code{problem.Overloaded, problem.StorageFull, problem.UnknownOutcome}
	for _, o := range kind.Outcomes() {
		if p := problem.New(problem.Code(o)); string(p.Code) == string(o) && !slices.Contains(never, o) {
			all = append(all, p.Code)
		}
	}
	return all
}

// DeleteRegistration documents DELETE /api/events/{id}/registrations/{user_id}.
func DeleteRegistration() Operation {
	return Operation{
		ID: "deleteRegistration", Tag: "registrations", Summary: "Cancel a registration",
		Description: "By the registered user or the organizer; repeatable as it is. The first on the waiting list gets the seat in the same step.",
		Parameters: []openapi.Parameter{
			keyParameter("Keeps a repetition from cancelling a registration that was made since, also when the first request found none. " +
				"Of a person's requests for an event that are over the latest 32 are kept."),
			registrationMatchParameter(),
		},
		Answers:  []Answer{{Status: http.StatusNoContent, Description: "The user is not registered."}},
		Problems: seatProblems(store.Cancel),
	}
}

// EditEvent documents PATCH /api/events/{id}.
func EditEvent() Operation {
	return Operation{
		ID: "editEvent", Tag: "events", Summary: "Edit an event",
		Description: "By the organizer; a JSON Merge Patch (RFC 7396). Raising the capacity promotes from the waiting list in the same step. " +
			"The patch may be the whole event as it was read: read-only fields are refused when they differ from what was read.",
		Parameters: []openapi.Parameter{matchParameter()},
		Body:       wire.EventEdit{},
		Media:      []string{"application/merge-patch+json"},
		Example:    wire.EventEdit{Title: wire.Set("Opening night"), Capacity: wire.Set(int64(2))},
		Answers: []Answer{{Status: http.StatusOK, Description: "The event as it is now.", Body: wire.Event{}, Headers: []string{"ETag"},
			Example: exampleEventBody()}},
		Problems: append(seatProblems(store.EditEvent), problem.PreconditionRequired, problem.QuotaExceeded),
	}
}

// CancelEvent documents POST /api/events/{id}/cancel.
func CancelEvent() Operation {
	return Operation{
		ID: "cancelEvent", Tag: "events", Summary: "Cancel an event",
		Description: "By the organizer, for good; repeatable. It stays readable and keeps its roster. It needs no body.",
		Answers: []Answer{{Status: http.StatusOK, Description: "The event as it is now.", Body: wire.Event{}, Headers: []string{"ETag"},
			Example: exampleEventBody()}},
		Problems: seatProblems(store.EditEvent, store.VersionMismatch, store.CapacityBelowSold, store.EventCancelled),
	}
}

// UserRegistrations documents GET /api/users/{user_id}/registrations.
func UserRegistrations() Operation {
	return Operation{
		ID: "listHoldings", Tag: "users", Summary: "List a user's registrations",
		Description: "Registrations and places on waiting lists, the newest event first, in pages; a page may be short and still have a next one.",
		Parameters:  append(pageParameters(), whenParameter(), tagParameter()),
		Answers: []Answer{
			{Status: http.StatusOK, Description: "The registrations with their events.", Body: []wire.UserRegistration{}, Headers: []string{"Link", "ETag"},
				Example: []wire.UserRegistration{{
					Event: exampleEventBody(), RegisteredAt: exampleUser().CreatedAt, Number: 1, Status: wire.Confirmed,
				}}},
			notModified(),
		},
		Problems: []problem.Code{problem.Overloaded},
	}
}

// ReadRegistration documents GET /api/events/{id}/registrations/{user_id}.
func ReadRegistration() Operation {
	return Operation{
		ID: "readRegistration", Tag: "registrations", Summary: "Read a registration",
		Description: "By the registered user or the organizer. Tells whether a user is registered or on the waiting list, and since when.",
		Parameters:  []openapi.Parameter{tagParameter()},
		Answers: []Answer{
			{Status: http.StatusOK, Description: "The registration.", Body: wire.Registration{}, Headers: []string{"ETag"}, Example: exampleRegistration()},
			notModified(),
		},
		Problems: []problem.Code{problem.EventNotFound, problem.RegistrationNotFound, problem.Overloaded},
	}
}

// Livez documents GET /livez.
func Livez() Operation {
	return Operation{
		ID: "live", Tag: "service", Summary: "Is the process alive?",
		Description: "For what restarts processes: 200 while the process runs.",
		Answers:     []Answer{{Status: http.StatusOK, Description: "Yes.", Body: wire.Health{}, Example: wire.Health{Status: "live"}}},
	}
}

// Readyz documents GET /readyz.
func Readyz() Operation {
	return Operation{
		ID: "ready", Tag: "service", Summary: "Is traffic welcome?",
		Description: "For load balancers: 200 while seat requests get through the queue and the store takes writes.",
		Answers:     []Answer{{Status: http.StatusOK, Description: "Yes.", Body: wire.Health{}, Example: wire.Health{Status: "ready"}}},
		Problems:    []problem.Code{problem.Overloaded, problem.StorageFull},
	}
}

// OpenAPI documents GET /openapi.json.
func OpenAPI() Operation {
	return Operation{
		ID: "openapi", Tag: "service", Summary: "This description",
		Description: "OpenAPI 3.1, made from the code that answers.",
		Parameters:  []openapi.Parameter{tagParameter()},
		Answers: []Answer{
			{Status: http.StatusOK, Description: "The document.", Body: anything{}, Headers: []string{"ETag"}},
			notModified(),
		},
	}
}

// Docs documents GET /docs.
func Docs() Operation {
	return Operation{
		ID: "docs", Tag: "service", Summary: "This description, for people",
		Description: "A page that is made from the OpenAPI document.",
		Parameters:  []openapi.Parameter{tagParameter()},
		Answers: []Answer{
			{Status: http.StatusOK, Description: "The page.", Body: "", Media: HTMLMedia, Headers: []string{"ETag"}},
			notModified(),
		},
	}
}

// DocsStyle documents GET /docs/docs.css.
func DocsStyle() Operation {
	return Operation{
		ID: "docsStyle", Tag: "service", Summary: "The style sheet of the page",
		Description: "Belongs to /docs.",
		Parameters:  []openapi.Parameter{tagParameter()},
		Answers: []Answer{
			{Status: http.StatusOK, Description: "The style sheet.", Body: "", Media: CSSMedia, Headers: []string{"ETag"}},
			notModified(),
		},
	}
}

func notModified() Answer {
	return Answer{Status: http.StatusNotModified, Description: "Not modified: an ETag of If-None-Match still holds.", Headers: []string{"ETag"}}
}

// What the examples are about.

func exampleUser() store.User {
	return store.User{
		ID:   store.ID{0x6b, 0x05, 0x6f, 0x1d, 0xb8, 0xa8, 0xb2, 0x08, 0x90, 0x36, 0x7b, 0x25},
		Name: "Ada", Email: "ada@example.org", CreatedAt: time.Date(2026, 11, 24, 11, 3, 57, 321_000_000, time.UTC),
	}
}

func exampleEventBody() wire.Event { return wire.EventAt(exampleEvent(), exampleUser().CreatedAt) }

func exampleEvent() store.Event {
	id := exampleUser().ID
	id[len(id)-1]++
	return store.Event{
		ID: id, OrganizerID: exampleUser().ID, Title: "Opening night", Description: "One place only.", Capacity: 1,
		StartsAt: time.Date(2027, 5, 1, 18, 0, 0, 0, time.UTC), EndsAt: time.Date(2027, 5, 1, 20, 0, 0, 0, time.UTC),
		CreatedAt: exampleUser().CreatedAt,
	}
}

func exampleSession() wire.Session {
	u := exampleUser()
	return wire.Session{ //nolint:gosec // an example, cut short
		ID: u.ID, Name: u.Name, Email: u.Email, CreatedAt: u.CreatedAt,
		Token: "eyJhbGciOiJIUzI1NiIs...", TokenExpiresAt: u.CreatedAt.Add(time.Hour),
	}
}

func exampleRegistration() wire.Registration {
	return wire.Registration{
		EventID: exampleEvent().ID, UserID: exampleUser().ID, RegisteredAt: exampleUser().CreatedAt, Number: 1, Status: wire.Confirmed,
	}
}
