package api

import (
	"net/http"
	"time"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/wire"
)

// readSession tells who the caller is. A browser's cookie is renewed by it when half of its life is
// over, so that nobody is logged out while they are there. The new token is of the same session, has the
// password version of the old one, and says when the password was proven: what ends the old one
// ends both, and what needs a fresh log-in goes on needing one.
func (a *accountHandlers) readSession(w http.ResponseWriter, r *request) error {
	if !r.caller.Proven {
		return problem.New(problem.Unauthenticated)
	}
	u, err := a.store.User(r.Context(), r.caller.ID)
	if err != nil {
		return err
	}
	if u.PasswordVersion > r.caller.PasswordVersion { // which this process has not learned yet
		return problem.New(problem.Unauthenticated)
	}
	answer := wire.CurrentUser{ID: u.ID, Name: u.Name, Email: u.Email, CreatedAt: u.CreatedAt}
	if r.caller.Cookie {
		answer.ExpiresAt = r.caller.ExpiresAt
		if time.Until(answer.ExpiresAt) < a.gate.Guard().Lifetime()/2 {
			token, expires, err := a.renewSession(r)
			if err != nil {
				return err
			}
			if expires.IsZero() {
				return problem.New(problem.Unauthenticated)
			}
			a.gate.SetCookie(w, r.Request, token)
			answer.ExpiresAt = expires
		}
	}
	noStore(w)
	return writeJSON(w, http.StatusOK, answer)
}
