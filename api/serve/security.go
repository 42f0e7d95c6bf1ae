package serve

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/security"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// SentBy returns who sent a request, as far as that is known by now.
func (a *Core) SentBy(r *Request) security.Actor {
	by := security.Actor{Address: a.Gate.Address(r.Request), RequestID: r.RequestID, TraceID: r.TraceID}
	if r.Caller.Proven {
		by.ID, by.TokenID, by.Kind, by.Proof = r.Caller.ID, r.Caller.SessionID, string(messages.ActorPerson), r.Caller.Proof.String()
		by.KeyID = r.Caller.KeyID
	}
	return by
}

// Tell writes the message that something happened by a request, in the role in which its sender acts.
func (a *Core) Tell(r *Request, event security.Event, role messages.ActorKind, about security.About) {
	a.Teller(r, role)(event, about)
}

// Teller returns what writes such messages, also after the answer.
func (a *Core) Teller(r *Request, role messages.ActorKind) func(event security.Event, about security.About) {
	by := a.SentBy(r)
	by.Kind = string(role)
	if !r.Caller.Proven {
		by.Kind = string(messages.ActorUnproven)
	}
	return func(event security.Event, about security.About) { security.Log(a.Log, event, by, about) }
}

// TellRefusal writes the message about a request that was refused because of who sent it, or how often.
func (a *Core) TellRefusal(r *Request, p *problem.Problem) {
	about := security.About{Route: r.Method + " " + r.Route, Reason: string(p.Code)}
	if id, err := store.ParseID(chi.URLParam(r.Request, "id")); err == nil {
		about.Event = id
	}
	if id, err := store.ParseID(chi.URLParam(r.Request, "user_id")); err == nil {
		about.User = id
	}
	switch refused := gate.RefusedToken(p); {
	case p.Status == http.StatusTooManyRequests:
		security.Log(a.Log, security.RateLimited, a.SentBy(r), about)
	case refused != "":
		about.Reason = refused
		security.Log(a.Log, security.TokenRefused, a.SentBy(r), about)
	case p.Code == problem.AccountLocked: // told by the handler, which knows whose
	case p.Status == http.StatusForbidden:
		security.Log(a.Log, security.AccessDenied, a.SentBy(r), about)
	}
}
