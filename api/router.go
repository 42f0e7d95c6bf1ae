package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/api/describe"
	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/pkg/store"
)

// handler does a route's work for a request that the route's row has let through. An error
// becomes a problem document.
type handler func(http.ResponseWriter, *request) error

// route is a row of the table of routes. The router enforces it before the handler runs, so no
// handler can forget who may call it or what its requests count against.
//
// Every field is required. The rows name no fields, so a row that lacks one does not compile, and
// routes panics on one whose access, limit, bodyRule or lifetime is the zero value.
type route struct {
	method, pattern string
	access          gate.Access
	limit           gate.Limit
	body            bodyRule
	lifetime        lifetime
	handle          handler
	operation       describe.Operation
}

// whole reports whether no field has been forgotten.
func (rt route) whole() bool {
	return rt.access != 0 && rt.limit != 0 && rt.body != 0 && rt.lifetime != 0 && rt.handle != nil && rt.operation.ID != ""
}

// bodyRule says what the router does with the body of a route's requests.
type bodyRule int

// The rules for bodies. The zero value is none of them.
const (
	_           bodyRule = iota
	ignoredBody          // is left unread
	noBody               // must say nothing: the path says everything
	jsonBody             // is read to its end, for the handler to decode
)

// lifetime says when the work for a request ends. The deadline of the answer ends it in any case.
type lifetime int

// The lifetimes. The zero value is none of them.
const (
	_                  lifetime = iota
	whileClientWaits            // ends when the client leaves: a read, or what is not worth its cost then
	afterClientLeaves           // goes on: a change of which a part may be stored already
	whileClientListens          // a stream without an end: it has no deadline, and each message is sent at once
)

// table has all routes of the API.
func (a *API) table() []route {
	const (
		event         = pathEvents + "/{id}"
		registrations = event + "/registrations"
		registration  = registrations + "/{user_id}"
		user          = pathUsers + "/{user_id}"
		webhook       = pathWebhooks + "/{webhook_id}"
		mailSettings  = "/api/mail-settings/{token}"
	)
	return []route{
		{http.MethodPost, pathUsers, gate.Anybody, gate.PasswordsPerAddress, jsonBody, afterClientLeaves, a.createUser, describe.CreateUser()},
		{http.MethodGet, user, gate.TokenHolders, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.readUser, describe.ReadUser()},
		{http.MethodPatch, user, gate.TokenHolders, gate.RequestsPerPerson, jsonBody, afterClientLeaves, a.editUser, describe.EditUser()},
		{http.MethodDelete, user, gate.TokenHolders, gate.RequestsPerPerson, noBody, afterClientLeaves, a.deleteUser, describe.DeleteUser()},
		{http.MethodGet, user + "/export", gate.TokenHolders, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.exportUser, describe.ExportUser()},
		{http.MethodGet, user + "/sessions", gate.TokenHolders, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.listSessions, describe.ListSessions()},
		{http.MethodDelete, user + "/sessions", gate.TokenHolders, gate.RequestsPerPerson, noBody, afterClientLeaves, a.endSessions, describe.EndSessions()},
		{http.MethodDelete, user + "/sessions/{session_id}", gate.TokenHolders, gate.RequestsPerPerson, noBody, afterClientLeaves, a.endSession, describe.EndSession()},
		{http.MethodPost, user + "/password", gate.TokenHolders, gate.PasswordsPerAddress, jsonBody, whileClientWaits, a.changePassword, describe.ChangePassword()},
		{http.MethodPost, "/api/login", gate.Anybody, gate.PasswordsPerAddress, jsonBody, whileClientWaits, a.login, describe.Login()},
		{http.MethodPost, pathResets, gate.Anybody, gate.PasswordsPerAddress, jsonBody, afterClientLeaves, a.resetPassword, describe.ResetPassword()},
		{http.MethodPost, pathResets + "/confirm", gate.Anybody, gate.PasswordsPerAddress, jsonBody, afterClientLeaves, a.setNewPassword, describe.SetNewPassword()},
		{http.MethodPost, user + "/email-proof", gate.TokenHolders, gate.RequestsPerPerson, jsonBody, afterClientLeaves, a.askForProof, describe.AskForProof()},
		{http.MethodPost, user + "/email-proof/confirm", gate.TokenHolders, gate.RequestsPerPerson, jsonBody, afterClientLeaves, a.proveEmail, describe.ProveEmail()},
		{http.MethodGet, mailSettings, gate.Anybody, gate.RequestsPerAddress, ignoredBody, whileClientWaits, a.showMailSettings, describe.ShowMailSettings()},
		{http.MethodPost, mailSettings, gate.Anybody, gate.RequestsPerAddress, ignoredBody, afterClientLeaves, a.stopEventMail, describe.StopEventMail()},
		{http.MethodPut, mailSettings, gate.Anybody, gate.RequestsPerAddress, jsonBody, afterClientLeaves, a.editMailSettings, describe.EditMailSettings()},
		{http.MethodGet, pathSession, gate.TokenHolders, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.readSession, describe.ReadSession()},
		{http.MethodPost, "/api/logout", gate.Anybody, gate.RequestsPerAddress, ignoredBody, afterClientLeaves, a.logout, describe.Logout()},
		{http.MethodPost, pathEvents, gate.TokenHolders, gate.RequestsPerAddress, jsonBody, afterClientLeaves, a.createEvent, describe.CreateEvent()},
		{http.MethodGet, pathEvents, gate.Anybody, gate.RequestsPerAddress, ignoredBody, whileClientWaits, a.listEvents, describe.ListEvents()},
		{http.MethodGet, event, gate.Anybody, gate.RequestsPerAddress, ignoredBody, whileClientWaits, a.readEvent, describe.ReadEvent()},
		{http.MethodPost, registrations, gate.TokenHolders, gate.RegistrationsPerPerson, jsonBody, afterClientLeaves, a.register, describe.Register()},
		{http.MethodGet, registrations, gate.TokenHolders, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.listRegistrations, describe.ListRegistrations()},
		{http.MethodGet, event + "/attendees", gate.TokenHolders, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.listAttendees, describe.ListAttendees()},
		{http.MethodPut, registration, gate.TokenHolders, gate.RegistrationsPerPerson, noBody, afterClientLeaves, a.putRegistration, describe.PutRegistration()},
		{http.MethodGet, registration, gate.TokenHolders, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.readRegistration, describe.ReadRegistration()},
		{http.MethodDelete, registration, gate.TokenHolders, gate.RegistrationsPerPerson, noBody, afterClientLeaves, a.deleteRegistration, describe.DeleteRegistration()},
		{http.MethodPatch, event, gate.TokenHolders, gate.RequestsPerAddress, jsonBody, afterClientLeaves, a.editEvent, describe.EditEvent()},
		{http.MethodPost, event + "/cancel", gate.TokenHolders, gate.RequestsPerAddress, noBody, afterClientLeaves, a.cancelEvent, describe.CancelEvent()},
		{http.MethodGet, event + "/changes", gate.TokenHolders, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.listEventChanges, describe.EventChanges()},
		{http.MethodGet, user + "/changes", gate.TokenHolders, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.listUserChanges, describe.UserChanges()},
		{http.MethodGet, event + "/live", gate.Anybody, gate.RequestsPerAddress, ignoredBody, whileClientListens, a.liveEvent, describe.LiveEvent()},
		{http.MethodGet, user + "/live", gate.TokenHolders, gate.RequestsPerPerson, ignoredBody, whileClientListens, a.liveUser, describe.LiveUser()},
		{http.MethodGet, user + "/registrations", gate.TokenHolders, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.listUserRegistrations, describe.UserRegistrations()},
		{http.MethodPost, pathWebhooks, gate.TokenHolders, gate.RequestsPerPerson, jsonBody, afterClientLeaves, a.createWebhook, describe.CreateWebhook()},
		{http.MethodGet, pathWebhooks, gate.TokenHolders, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.listWebhooks, describe.ListWebhooks()},
		{http.MethodGet, webhook, gate.TokenHolders, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.readWebhook, describe.ReadWebhook()},
		{http.MethodPatch, webhook, gate.TokenHolders, gate.RequestsPerPerson, jsonBody, afterClientLeaves, a.editWebhook, describe.EditWebhook()},
		{http.MethodDelete, webhook, gate.TokenHolders, gate.RequestsPerPerson, noBody, afterClientLeaves, a.deleteWebhook, describe.DeleteWebhook()},
		{http.MethodPost, webhook + "/secret", gate.TokenHolders, gate.RequestsPerPerson, noBody, afterClientLeaves, a.renewSecret, describe.RenewSecret()},
		{http.MethodGet, webhook + "/calls", gate.TokenHolders, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.listWebhookCalls, describe.WebhookCalls()},
		{http.MethodPost, webhook + "/test", gate.TokenHolders, gate.RequestsPerPerson, noBody, afterClientLeaves, a.testWebhook, describe.TestWebhook()},
		{http.MethodPost, webhook + "/replay", gate.TokenHolders, gate.RequestsPerPerson, noBody, afterClientLeaves, a.replayWebhook, describe.ReplayWebhook()},
		{http.MethodGet, "/livez", gate.Anybody, gate.Unlimited, ignoredBody, whileClientWaits, a.livez, describe.Livez()},
		{http.MethodGet, "/readyz", gate.Anybody, gate.Unlimited, ignoredBody, whileClientWaits, a.readyz, describe.Readyz()},
		{http.MethodGet, "/openapi.json", gate.Anybody, gate.RequestsPerAddress, ignoredBody, whileClientWaits, a.openAPI, describe.OpenAPI()},
		{http.MethodGet, "/docs", gate.Anybody, gate.RequestsPerAddress, ignoredBody, whileClientWaits, a.docs, describe.Docs()},
		{http.MethodGet, "/docs/docs.css", gate.Anybody, gate.RequestsPerAddress, ignoredBody, whileClientWaits, a.docsStyle, describe.DocsStyle()},
	}
}

// described makes what the description tells of the routes.
func described(table []route) []describe.Route {
	routes := make([]describe.Route, len(table))
	for i, rt := range table {
		routes[i] = describe.Route{Method: rt.method, Pattern: rt.pattern, NeedsToken: rt.access == gate.TokenHolders, Limited: rt.limit != gate.Unlimited, Operation: rt.operation}
	}
	return routes
}

// routes makes the handler of all paths. It panics on a row that is not whole.
func (a *API) routes(table []route) http.Handler {
	mux := chi.NewRouter()
	compress := compressing()
	methods := []string{http.MethodHead}
	for _, rt := range table {
		if !rt.whole() {
			panic(fmt.Sprintf("api: the row of %s %s is not whole", rt.method, rt.pattern))
		}
		handle := a.observe(rt.pattern, a.enforce(rt))
		if rt.method == http.MethodGet {
			if rt.lifetime != whileClientListens { // else compression would keep messages back
				handle = compress(handle)
			}
			mux.Method(http.MethodHead, rt.pattern, handle) // net/http leaves the body out
		}
		mux.Method(rt.method, rt.pattern, handle)
		methods = append(methods, rt.method)
	}
	noPath := func(http.ResponseWriter, *request) error {
		return problem.New(problem.NotFound)
	}
	notFound := a.observe("", noPath)
	mux.NotFound(notFound.ServeHTTP)
	if a.config.Pages != nil {
		mux.NotFound(a.config.Pages(notFound, inner(mux)).ServeHTTP)
	}
	mux.MethodNotAllowed(a.observe("", func(w http.ResponseWriter, r *request) error {
		var allowed []string
		path := cmp.Or(r.URL.RawPath, r.URL.Path) // what chi routes by
		for _, m := range methods {
			if !slices.Contains(allowed, m) && mux.Match(chi.NewRouteContext(), m, path) {
				allowed = append(allowed, m)
			}
		}
		if len(allowed) == 0 { // a method that chi does not know, at a path that is not there
			return noPath(w, r)
		}
		allowed = append(allowed, http.MethodOptions)
		slices.Sort(allowed) // DELETE, GET, HEAD, OPTIONS, ...
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		return problem.New(problem.MethodNotAllowed)
	}).ServeHTTP)
	return mux
}

// enforce applies a row to each request: it counts the request (429), then finds out who sent it
// (401), checks the query and reads the body (400, 413, 415), and starts the clock of the answer.
func (a *API) enforce(rt route) func(http.ResponseWriter, *request) error {
	parameters := rt.operation.QueryNames()
	return func(w http.ResponseWriter, req *request) error {
		r := req.Request
		var err error
		if req.caller, err = a.gate.Admit(w, r, rt.access, rt.limit); err != nil {
			return err
		}
		req.charge = func(cost int) error { return a.gate.Charge(w, r, rt.limit, req.caller, cost-1) }
		if r.URL.RawQuery != "" {
			if err := input.CheckQuery(r.URL.RawQuery, parameters); err != nil {
				return err
			}
		}
		if err := req.readBody(w, rt.body); err != nil {
			return err
		}
		req.start(rt.lifetime, a.config.RequestTimeout)
		defer req.end()
		return rt.handle(w, req)
	}
}

// request is a request that the row of its route has let through.
type request struct {
	*http.Request
	pattern   string // of the route; empty: it has none
	requestID string
	// caller is who sent it. It is the zero value on routes that are open to anybody.
	caller gate.Caller
	// body is what was sent on a route with jsonBody. strict says that the client wants to be told
	// of fields in it that would be ignored.
	body   []byte
	strict bool
	// deadline is when the answer is due, or the first piece of a streamed one. The time for it
	// begins when the request has been read.
	deadline time.Time

	// charge counts a request against the limit of its row as so many, when the handler knows what
	// it costs. It fails with the problem RateLimited.
	charge func(cost int) error

	// lasting ends when the lifetime of the row says so, and not at the deadline. It is for what
	// keeps to the deadline by itself.
	lasting context.Context
	bounded context.Context // what Context returns, once it was asked for
	release context.CancelFunc
}

// start sets the deadline and the lifetime of the work.
func (r *request) start(l lifetime, limit time.Duration) {
	r.deadline = time.Now().Add(limit)
	r.lasting = r.Request.Context()
	if l == afterClientLeaves {
		r.lasting = context.WithoutCancel(r.lasting)
	}
}

// restart gives the answer its time anew, after a wait that the client asked for.
func (r *request) restart(limit time.Duration) {
	r.end()
	r.bounded, r.release = nil, nil
	r.deadline = time.Now().Add(limit)
}

// end releases what Context has made.
func (r *request) end() {
	if r.release != nil {
		r.release()
	}
}

// Context returns the context of the work for the answer. It ends at the deadline, and when the
// client leaves where the row says so.
func (r *request) Context() context.Context {
	if r.bounded == nil {
		r.bounded, r.release = context.WithDeadline(r.lasting, r.deadline)
	}
	return r.bounded
}

// readBody reads the body, or makes sure that it says nothing.
func (r *request) readBody(w http.ResponseWriter, rule bodyRule) (err error) {
	if rule != ignoredBody {
		err = input.CheckCharset(r.Header)
	}
	switch {
	case err != nil:
	case rule == jsonBody:
		if r.strict = input.Strict(r.Header); r.strict {
			w.Header().Set("Preference-Applied", "handling=strict")
		}
		r.body, err = input.ReadBody(w, r.Request)
	case rule == noBody:
		err = input.RefuseBody(w, r.Request)
	}
	return err
}

// decode decodes the body into the struct that v points to.
func (r *request) decode(v any, options ...json.Options) error {
	if r.strict {
		options = append(options, json.RejectUnknownMembers(true))
	}
	return input.Decode(r.body, v, options...)
}

// urlParam returns the part of the path that the route's pattern gives a name.
func (r *request) urlParam(name string) string { return chi.URLParam(r.Request, name) }

// Paths that answers tell or that cursors belong to.
const (
	pathEvents = "/api/events"
	pathUsers  = "/api/users"
	pathResets = "/api/password-resets"
)

func eventPath(id store.ID) string                 { return pathEvents + "/" + id.Hex() }
func rosterPath(event store.ID) string             { return eventPath(event) + "/registrations" }
func attendeesPath(event store.ID) string          { return eventPath(event) + "/attendees" }
func registrationPath(event, user store.ID) string { return rosterPath(event) + "/" + user.Hex() }
func userPath(id store.ID) string                  { return pathUsers + "/" + id.Hex() }
func changesPath(event store.ID) string            { return eventPath(event) + "/changes" }
func userChangesPath(user store.ID) string         { return userPath(user) + "/changes" }
func userRegistrationsPath(user store.ID) string   { return userPath(user) + "/registrations" }
