package api

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/security"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// sentBy returns who sent a request, as far as that is known by now.
func (a *Core) sentBy(r *request) security.Actor {
	by := security.Actor{Address: a.gate.Address(r.Request), RequestID: r.requestID}
	if r.caller.Proven {
		by.ID, by.TokenID, by.Kind = r.caller.ID, r.caller.SessionID, string(messages.ActorPerson)
	}
	return by
}

// tell writes the message that something happened by a request, in the role in which its sender acts.
func (a *Core) tell(r *request, event security.Event, role messages.ActorKind, about security.About) {
	by := a.sentBy(r)
	by.Kind = string(role)
	if !r.caller.Proven {
		by.Kind = string(messages.ActorUnproven)
	}
	security.Log(a.log, event, by, about)
}

// tellRefusal writes the message about a request that was refused because of who sent it, or how often.
func (a *Core) tellRefusal(r *request, p *problem.Problem) {
	about := security.About{Route: r.Method + " " + r.pattern, Reason: string(p.Code)}
	if id, err := store.ParseID(chi.URLParam(r.Request, "id")); err == nil {
		about.Event = id
	}
	if id, err := store.ParseID(chi.URLParam(r.Request, "user_id")); err == nil {
		about.User = id
	}
	switch refused := gate.RefusedToken(p); {
	case p.Status == http.StatusTooManyRequests:
		security.Log(a.log, security.RateLimited, a.sentBy(r), about)
	case refused != "":
		about.Reason = refused
		security.Log(a.log, security.TokenRefused, a.sentBy(r), about)
	case p.Code == problem.AccountLocked: // told by the handler, which knows whose
	case p.Status == http.StatusForbidden:
		security.Log(a.log, security.AccessDenied, a.sentBy(r), about)
	}
}
