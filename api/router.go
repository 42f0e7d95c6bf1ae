package api

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/eventio/eventio/api/describe"
	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/serve"
)

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
	handle          serve.Handler
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
		event         = serve.PathEvents + "/{id}"
		registrations = event + "/registrations"
		registration  = registrations + "/{user_id}"
		user          = serve.PathUsers + "/{user_id}"
		webhook       = serve.PathWebhooks + "/{webhook_id}"
		mailSettings  = "/api/mail-settings/{token}"
	)
	return []route{
		{http.MethodPost, serve.PathUsers, gate.Anybody, gate.PasswordsPerAddress, jsonBody, afterClientLeaves, a.accounts.CreateUser, describe.CreateUser()},
		{http.MethodGet, user, gate.Reading, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.accounts.ReadUser, describe.ReadUser()},
		{http.MethodPatch, user, gate.Accounts, gate.RequestsPerPerson, jsonBody, afterClientLeaves, a.accounts.EditUser, describe.EditUser()},
		{http.MethodDelete, user, gate.Accounts, gate.RequestsPerPerson, noBody, afterClientLeaves, a.accounts.DeleteUser, describe.DeleteUser()},
		{http.MethodGet, user + "/export", gate.Accounts, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.accounts.ExportUser, describe.ExportUser()},
		{http.MethodGet, user + "/sessions", gate.LogIns, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.accounts.ListSessions, describe.ListSessions()},
		{http.MethodDelete, user + "/sessions", gate.LogIns, gate.RequestsPerPerson, noBody, afterClientLeaves, a.accounts.EndSessions, describe.EndSessions()},
		{http.MethodDelete, user + "/sessions/{session_id}", gate.LogIns, gate.RequestsPerPerson, noBody, afterClientLeaves, a.accounts.EndSession, describe.EndSession()},
		{http.MethodPost, serve.PathKeys, gate.Accounts, gate.RequestsPerPerson, jsonBody, afterClientLeaves, a.accounts.CreateKey, describe.CreateKey()},
		{http.MethodGet, serve.PathKeys, gate.Accounts, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.accounts.ListKeys, describe.ListKeys()},
		{http.MethodDelete, serve.PathKeys + "/{key_id}", gate.Accounts, gate.RequestsPerPerson, noBody, afterClientLeaves, a.accounts.EndKey, describe.EndKey()},
		{http.MethodPost, user + "/password", gate.LogIns, gate.PasswordsPerAddress, jsonBody, whileClientWaits, a.accounts.ChangePassword, describe.ChangePassword()},
		{http.MethodPost, "/api/login", gate.Anybody, gate.PasswordsPerAddress, jsonBody, whileClientWaits, a.accounts.Login, describe.Login()},
		{http.MethodPost, serve.PathResets, gate.Anybody, gate.PasswordsPerAddress, jsonBody, afterClientLeaves, a.accounts.ResetPassword, describe.ResetPassword()},
		{http.MethodPost, serve.PathResets + "/confirm", gate.Anybody, gate.PasswordsPerAddress, jsonBody, afterClientLeaves, a.accounts.SetNewPassword, describe.SetNewPassword()},
		{http.MethodPost, user + "/email-proof", gate.LogIns, gate.RequestsPerPerson, jsonBody, afterClientLeaves, a.accounts.AskForProof, describe.AskForProof()},
		{http.MethodPost, user + "/email-proof/confirm", gate.LogIns, gate.RequestsPerPerson, jsonBody, afterClientLeaves, a.accounts.ProveEmail, describe.ProveEmail()},
		{http.MethodGet, mailSettings, gate.Anybody, gate.RequestsPerAddress, ignoredBody, whileClientWaits, a.accounts.ShowMailSettings, describe.ShowMailSettings()},
		{http.MethodPost, mailSettings, gate.Anybody, gate.RequestsPerAddress, ignoredBody, afterClientLeaves, a.accounts.StopEventMail, describe.StopEventMail()},
		{http.MethodPut, mailSettings, gate.Anybody, gate.RequestsPerAddress, jsonBody, afterClientLeaves, a.accounts.EditMailSettings, describe.EditMailSettings()},
		{http.MethodGet, serve.PathSession, gate.Reading, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.accounts.ReadSession, describe.ReadSession()},
		{http.MethodPost, "/api/logout", gate.Anybody, gate.RequestsPerAddress, ignoredBody, afterClientLeaves, a.accounts.Logout, describe.Logout()},
		{http.MethodPost, serve.PathEvents, gate.Organizing, gate.RequestsPerAddress, jsonBody, afterClientLeaves, a.events.CreateEvent, describe.CreateEvent()},
		{http.MethodGet, serve.PathEvents, gate.Anybody, gate.RequestsPerAddress, ignoredBody, whileClientWaits, a.events.ListEvents, describe.ListEvents()},
		{http.MethodGet, event, gate.Anybody, gate.RequestsPerAddress, ignoredBody, whileClientWaits, a.events.ReadEvent, describe.ReadEvent()},
		{http.MethodPost, registrations, gate.Registering, gate.RegistrationsPerPerson, jsonBody, afterClientLeaves, a.registrations.Register, describe.Register()},
		{http.MethodGet, registrations, gate.Reading, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.registrations.ListRegistrations, describe.ListRegistrations()},
		{http.MethodGet, event + "/attendees", gate.Reading, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.registrations.ListAttendees, describe.ListAttendees()},
		{http.MethodPut, registration, gate.Registering, gate.RegistrationsPerPerson, noBody, afterClientLeaves, a.registrations.PutRegistration, describe.PutRegistration()},
		{http.MethodGet, registration, gate.Reading, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.registrations.ReadRegistration, describe.ReadRegistration()},
		{http.MethodDelete, registration, gate.Registering, gate.RegistrationsPerPerson, noBody, afterClientLeaves, a.registrations.DeleteRegistration, describe.DeleteRegistration()},
		{http.MethodPatch, event, gate.Organizing, gate.RequestsPerAddress, jsonBody, afterClientLeaves, a.events.EditEvent, describe.EditEvent()},
		{http.MethodPost, event + "/cancel", gate.Organizing, gate.RequestsPerAddress, noBody, afterClientLeaves, a.events.CancelEvent, describe.CancelEvent()},
		{http.MethodGet, event + "/changes", gate.Reading, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.events.ListEventChanges, describe.EventChanges()},
		{http.MethodGet, event + "/pace", gate.Reading, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.events.ReadPace, describe.ReadPace()},
		{http.MethodGet, user + "/changes", gate.Reading, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.events.ListUserChanges, describe.UserChanges()},
		{http.MethodGet, event + "/live", gate.Anybody, gate.RequestsPerAddress, ignoredBody, whileClientListens, a.events.LiveEvent, describe.LiveEvent()},
		{http.MethodGet, user + "/live", gate.Reading, gate.RequestsPerPerson, ignoredBody, whileClientListens, a.events.LiveUser, describe.LiveUser()},
		{http.MethodGet, user + "/registrations", gate.Reading, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.registrations.ListUserRegistrations, describe.UserRegistrations()},
		{http.MethodPost, serve.PathWebhooks, gate.Organizing, gate.RequestsPerPerson, jsonBody, afterClientLeaves, a.webhooks.Create, describe.CreateWebhook()},
		{http.MethodGet, serve.PathWebhooks, gate.Reading, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.webhooks.List, describe.ListWebhooks()},
		{http.MethodGet, webhook, gate.Reading, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.webhooks.Read, describe.ReadWebhook()},
		{http.MethodPatch, webhook, gate.Organizing, gate.RequestsPerPerson, jsonBody, afterClientLeaves, a.webhooks.Edit, describe.EditWebhook()},
		{http.MethodDelete, webhook, gate.Organizing, gate.RequestsPerPerson, noBody, afterClientLeaves, a.webhooks.Delete, describe.DeleteWebhook()},
		{http.MethodPost, webhook + "/secret", gate.Organizing, gate.RequestsPerPerson, noBody, afterClientLeaves, a.webhooks.RenewSecret, describe.RenewSecret()},
		{http.MethodGet, webhook + "/calls", gate.Reading, gate.RequestsPerPerson, ignoredBody, whileClientWaits, a.webhooks.ListCalls, describe.WebhookCalls()},
		{http.MethodPost, webhook + "/test", gate.Organizing, gate.RequestsPerPerson, noBody, afterClientLeaves, a.webhooks.Test, describe.TestWebhook()},
		{http.MethodPost, webhook + "/replay", gate.Organizing, gate.RequestsPerPerson, noBody, afterClientLeaves, a.webhooks.Replay, describe.ReplayWebhook()},
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
		routes[i] = describe.Route{Method: rt.method, Pattern: rt.pattern, NeedsToken: rt.access != gate.Anybody, Limited: rt.limit != gate.Unlimited, Operation: rt.operation}
	}
	return routes
}

// routes makes the handler of all paths. It panics on a row that is not whole.
func (a *API) routes(table []route) http.Handler {
	mux := chi.NewRouter()
	compress := serve.Compressing()
	methods := []string{http.MethodHead}
	for _, rt := range table {
		if !rt.whole() {
			panic(fmt.Sprintf("api: the row of %s %s is not whole", rt.method, rt.pattern))
		}
		a.stats.expect(rt)
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
	noPath := func(http.ResponseWriter, *serve.Request) error {
		return problem.New(problem.NotFound)
	}
	notFound := a.observe("", noPath)
	mux.NotFound(notFound.ServeHTTP)
	if a.core.Config.Pages != nil {
		mux.NotFound(a.core.Config.Pages(notFound, inner(mux)).ServeHTTP)
	}
	mux.MethodNotAllowed(a.observe("", func(w http.ResponseWriter, r *serve.Request) error {
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
func (a *API) enforce(rt route) func(http.ResponseWriter, *serve.Request) error {
	parameters := rt.operation.QueryNames()
	return func(w http.ResponseWriter, req *serve.Request) error {
		r := req.Request
		var err error
		if req.Caller, err = a.core.Gate.Admit(w, r, rt.access, rt.limit); err != nil {
			return err
		}
		req.Charge = func(cost int) error { return a.core.Gate.Charge(w, r, rt.limit, req.Caller, cost-1) }
		req.CountAsReads = func(cost int) error { return a.core.Gate.CountAsReads(w, r, rt.limit, req.Caller, cost) }
		if r.URL.RawQuery != "" {
			if err := input.CheckQuery(r.URL.RawQuery, parameters); err != nil {
				return err
			}
		}
		if err := readBody(w, req, rt.body); err != nil {
			return err
		}
		req.Start(rt.lifetime == afterClientLeaves, a.core.Config.RequestTimeout)
		defer req.End()
		return rt.handle(w, req)
	}
}

// readBody reads the body, or makes sure that it says nothing. Where something changes, the type may name
// no other encoding than UTF-8, whether the body is read or not.
func readBody(w http.ResponseWriter, r *serve.Request, rule bodyRule) (err error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		err = input.CheckCharset(r.Header)
	}
	switch {
	case err != nil:
	case rule == jsonBody:
		if r.Strict = input.Strict(r.Header); r.Strict {
			w.Header().Set("Preference-Applied", "handling=strict")
		}
		r.Sent, err = input.ReadBody(w, r.Request)
	case rule == noBody:
		err = input.RefuseBody(w, r.Request)
	}
	return err
}
