package accounts

import (
	"net/http"
	"time"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/api/wire"
)

// ReadSession tells who the caller is. A browser's cookie is renewed by it when half of its life is
// over, so that nobody is logged out while they are there. The new token is of the same session, has the
// password version of the old one, and says when the password was proven: what ends the old one
// ends both, and what needs a fresh log-in goes on needing one.
func (a *Handlers) ReadSession(w http.ResponseWriter, r *serve.Request) error {
	if !r.Caller.Proven {
		return problem.New(problem.Unauthenticated)
	}
	u, err := a.Store.User(r.Context(), r.Caller.ID)
	if err != nil {
		return err
	}
	ended := r.Caller.Proof == "" && u.PasswordVersion > r.Caller.PasswordVersion
	if ended || !u.LockedAt.IsZero() { // which this process has not learned yet
		return problem.New(problem.Unauthenticated)
	}
	answer := wire.CurrentUser{ID: u.ID, Name: u.Name, Email: u.Email, CreatedAt: u.CreatedAt, EmailProvenAt: u.EmailProvenAt}
	if r.Caller.Cookie {
		answer.ExpiresAt = r.Caller.ExpiresAt
		if time.Until(answer.ExpiresAt) < a.Gate.Guard().Lifetime()/2 {
			token, expires, err := a.renewSession(r)
			if err != nil {
				return err
			}
			if expires.IsZero() {
				return problem.New(problem.Unauthenticated)
			}
			a.Gate.SetCookie(w, r.Request, token)
			answer.ExpiresAt = expires
		}
	}
	serve.NoStore(w)
	return serve.WriteJSON(w, http.StatusOK, answer)
}
