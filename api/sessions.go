package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/passwords"
	"github.com/eventio/eventio/pkg/store"
)

// writeSession answers with the user and a token, which goes into the cookie too.
func (a *API) writeSession(w http.ResponseWriter, r *request, status int, u store.User) error {
	token, expires, err := a.gate.Guard().Sign(personOf(u))
	if err != nil {
		return err
	}
	a.gate.SetCookie(w, r.Request, token)
	noStore(w)
	return writeJSON(w, status, wire.Session{
		ID: u.ID, Name: u.Name, Email: u.Email, CreatedAt: u.CreatedAt, Token: token, TokenExpiresAt: expires,
	})
}

func personOf(u store.User) identity.Person {
	return identity.Person{ID: u.ID, PasswordVersion: u.PasswordVersion}
}

// logout takes the cookie away. Tokens that were copied elsewhere live until they expire:
// changing the password ends them all.
func (a *API) logout(w http.ResponseWriter, r *request) error {
	a.gate.SetCookie(w, r.Request, "")
	noStore(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *API) changePassword(w http.ResponseWriter, r *request) error {
	id, err := store.ParseID(r.urlParam("user_id"))
	if err != nil {
		return problem.InvalidField("user_id", "must be an id of 24 hexadecimal digits")
	}
	var body wire.PasswordChange
	if err := input.Decode(r.body, &body, json.RejectUnknownMembers(true)); err != nil {
		return err
	}
	var f input.Fields
	f.Check("old_password", passwords.Check(body.OldPassword))
	f.Check("new_password", a.newPasswords.Check(body.NewPassword, ""))
	if err := f.Err(); err != nil {
		return err
	}
	if err := r.caller.Require(id, "A password can only be changed by its owner."); err != nil {
		return err
	}
	if err := a.gate.CountAccount(w, r.Request, id.Hex()); err != nil {
		return err
	}
	u, err := a.store.User(r.Context(), id)
	if err != nil {
		return err
	}
	if f.Check("new_password", a.newPasswords.Check(body.NewPassword, u.Email)); !f.OK() {
		return f.Err()
	}
	after, err := a.replacePassword(r.Context(), u, body)
	if err != nil {
		return err
	}
	if r.caller.Cookie { // the browser that did it stays logged in
		token, _, err := a.gate.Guard().Sign(personOf(after))
		if err != nil {
			return err
		}
		a.gate.SetCookie(w, r.Request, token)
	}
	noStore(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// replacePassword stores the new password of whoever knows the old one, and ends the
// tokens from before it.
func (a *API) replacePassword(ctx context.Context, u store.User, change wire.PasswordChange) (store.User, error) {
	wrong := problem.Newf(problem.Unauthenticated, "The old password is wrong.")
	right, _, err := a.hashes.Matches(ctx, change.OldPassword, u.PasswordHash)
	if err != nil {
		return u, err
	}
	if !right {
		return u, wrong
	}
	after := u
	if after.PasswordHash, err = a.hashes.Hash(ctx, change.NewPassword); err != nil {
		return u, err
	}
	after.PasswordVersion++
	after.PasswordChangedAt = time.Now().UTC().Truncate(time.Millisecond)
	// In doubt nobody is told: if it was stored, all learn of it from the store.
	switch err := a.store.SetPassword(ctx, u, after); {
	case errors.Is(err, store.ErrPasswordChanged): // so the old one is wrong by now
		return u, wrong
	case err != nil:
		return u, unlessStored(err)
	}
	a.gate.Guard().Revoke(store.Revocation{
		UserID: u.ID, PasswordVersion: after.PasswordVersion, ChangedAt: after.PasswordChangedAt,
	})
	return after, nil
}

// renewHash hashes the password of somebody who has just proven it with today's
// parameters. It may fail: the next log-in tries again.
func (a *API) renewHash(ctx context.Context, u store.User, password string) {
	after := u
	var err error
	if after.PasswordHash, err = a.hashes.Hash(ctx, password); err == nil {
		err = a.store.SetPassword(ctx, u, after)
	}
	if err != nil {
		a.log.Warn().Err(err).Str("user_id", u.ID.Hex()).Msg("a password hash is not renewed yet")
	}
}
