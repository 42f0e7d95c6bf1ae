package api

import (
	"context"
	"net/http"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

const pathSession = "/api/session"

// whoami is the answer to who a token speaks for. It never has the token: a script that can
// read it could take it elsewhere.
type whoami struct {
	ID        store.ID  `json:"id"`
	Name      string    `json:"name"`
	Email     string    `json:"email"`
	CreatedAt time.Time `json:"created_at"`
	// ExpiresAt is when the session ends unless it is renewed; only told where a cookie is.
	ExpiresAt time.Time `json:"session_expires_at,omitzero"`
}

// readSession tells who the caller is. A browser's cookie is renewed by it, so that nobody is
// logged out while they are there. The new token has the password version of the old one: a
// changed password ends them both.
func (a *API) readSession(w http.ResponseWriter, r *http.Request) error {
	who, err := a.gate.caller(r)
	if err != nil {
		return err
	}
	if !who.proven {
		return errUnauthenticated()
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.config.RequestTimeout)
	defer cancel()
	u, err := a.store.User(ctx, who.ID)
	if err != nil {
		return err
	}
	answer := whoami{ID: u.ID, Name: u.Name, Email: u.Email, CreatedAt: u.CreatedAt}
	if who.cookie {
		token, expires, err := a.gate.guard.Sign(who.Person)
		if err != nil {
			return err
		}
		a.gate.setCookie(w, r, token)
		answer.ExpiresAt = expires
	}
	private(w)
	return writeJSON(w, http.StatusOK, answer)
}

func readSessionDocs() operation {
	u := exampleUser()
	return operation{
		access: tokenHolders, id: "readSession", tag: "users", summary: "Who am I?",
		description: "Tells whom the token speaks for, and renews the cookie of a browser. Without a token it is 401 in every mode.",
		answers: []answer{{status: http.StatusOK, description: "The user.", body: whoami{},
			example: whoami{u.ID, u.Name, u.Email, u.CreatedAt, u.CreatedAt.Add(time.Hour)}}},
		problems: []Code{CodeUserNotFound, CodeOverloaded},
	}
}
