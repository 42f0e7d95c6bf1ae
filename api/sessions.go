package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/internal/fairqueue"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/pkg/store"
)

// session is the answer to who has proven who they are: the user and a token.
type session struct {
	ID             store.ID  `json:"id"`
	Name           string    `json:"name"`
	Email          string    `json:"email"`
	CreatedAt      time.Time `json:"created_at"`
	Token          string    `json:"token"`
	TokenExpiresAt time.Time `json:"token_expires_at"`
}

// writeSession answers with the user and a token, which goes into the cookie too.
func (a *API) writeSession(w http.ResponseWriter, r *http.Request, status int, u store.User) error {
	token, expires, err := a.gate.guard.Sign(personOf(u))
	if err != nil {
		return err
	}
	a.gate.setCookie(w, r, token)
	private(w)
	return writeJSON(w, status, session{u.ID, u.Name, u.Email, u.CreatedAt, token, expires})
}

func personOf(u store.User) identity.Person {
	return identity.Person{ID: u.ID, PasswordVersion: u.PasswordVersion}
}

// logout takes the cookie away. Tokens that were copied elsewhere live until they expire:
// changing the password ends them all.
func (a *API) logout(w http.ResponseWriter, r *http.Request) error {
	a.gate.setCookie(w, r, "")
	private(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// passwordChange is the body that changes a password.
type passwordChange struct {
	OldPassword string `json:"old_password"`
	NewPassword string `json:"new_password"`
}

func (a *API) changePassword(w http.ResponseWriter, r *http.Request) error {
	who, err := a.gate.caller(r)
	if err != nil {
		return err
	}
	id, err := store.ParseID(chi.URLParam(r, "user_id"))
	if err != nil {
		return invalid(FieldError{"user_id", "must be an id of 24 hexadecimal digits"})
	}
	var body passwordChange
	if err := decodeBody(w, r, &body, json.RejectUnknownMembers(true)); err != nil {
		return err
	}
	var f fields
	f.password("old_password", body.OldPassword)
	f.newPassword(a.newPasswords, "new_password", body.NewPassword, "")
	if err := f.err(); err != nil {
		return err
	}
	if err := who.mayBe(id, "A password can only be changed by its owner."); err != nil {
		return err
	}
	if err := a.gate.passAccount(w, r, id.Hex()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.config.RequestTimeout)
	defer cancel()
	u, err := a.store.User(ctx, id)
	if err != nil {
		return err
	}
	if f.newPassword(a.newPasswords, "new_password", body.NewPassword, u.Email); f.err() != nil {
		return f.err()
	}
	party := a.gate.stranger(r)
	if who.proven {
		party = fairqueue.Known(u.ID)
	}
	after, err := a.replacePassword(ctx, party, u, body)
	if err != nil {
		return err
	}
	if who.cookie { // the browser that did it stays logged in
		token, _, err := a.gate.guard.Sign(personOf(after))
		if err != nil {
			return err
		}
		a.gate.setCookie(w, r, token)
	}
	private(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// replacePassword stores the new password of whoever knows the old one, and ends the
// tokens from before it.
func (a *API) replacePassword(ctx context.Context, who fairqueue.Party, u store.User, change passwordChange) (store.User, error) {
	wrong := problem(CodeUnauthenticated, "The old password is wrong.")
	right, _, err := a.hashes.Matches(ctx, who, change.OldPassword, u.PasswordHash)
	if err != nil {
		return u, err
	}
	if !right {
		return u, wrong
	}
	after := u
	if after.PasswordHash, err = a.hashes.Hash(ctx, who, change.NewPassword); err != nil {
		return u, err
	}
	after.PasswordVersion++
	after.PasswordChangedAt = time.Now().UTC().Truncate(time.Millisecond)
	// In doubt nobody is told: if it was stored, all learn of it from the store.
	switch err := a.store.SetPassword(ctx, u, after); {
	case errors.Is(err, store.ErrPasswordChanged): // so the old one is wrong by now
		return u, wrong
	case err != nil:
		return u, inDoubt(err)
	}
	a.gate.guard.Revoke(store.Revocation{
		UserID: u.ID, PasswordVersion: after.PasswordVersion, ChangedAt: after.PasswordChangedAt,
	})
	return after, nil
}

// renewHash hashes the password of somebody who has just proven it with today's
// parameters. It may fail: the next log-in tries again.
func (a *API) renewHash(ctx context.Context, u store.User, password string) {
	after := u
	var err error
	if after.PasswordHash, err = a.hashes.Hash(ctx, fairqueue.Known(u.ID), password); err == nil {
		err = a.store.SetPassword(ctx, u, after)
	}
	if err != nil {
		a.log.Warn().Err(err).Str("user_id", u.ID.Hex()).Msg("a password hash is not renewed yet")
	}
}
