package api

import (
	"net/http"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/wire"
)

const pathSession = "/api/session"

// readSession tells who the caller is. A browser's cookie is renewed by it, so that nobody is
// logged out while they are there. The new token has the password version of the old one: a
// changed password ends them both.
func (a *API) readSession(w http.ResponseWriter, r *request) error {
	if !r.caller.Proven {
		return problem.New(problem.Unauthenticated)
	}
	u, err := a.store.User(r.Context(), r.caller.ID)
	if err != nil {
		return err
	}
	answer := wire.CurrentUser{ID: u.ID, Name: u.Name, Email: u.Email, CreatedAt: u.CreatedAt}
	if r.caller.Cookie {
		token, expires, err := a.gate.Guard().Sign(r.caller.Person)
		if err != nil {
			return err
		}
		a.gate.SetCookie(w, r.Request, token)
		answer.ExpiresAt = expires
	}
	noStore(w)
	return writeJSON(w, http.StatusOK, answer)
}
