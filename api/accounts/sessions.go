package accounts

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/fairqueue"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/passwords"
	"github.com/eventio/eventio/internal/security"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// Login checks an e-mail address and a password, and answers with a token.
func (a *Handlers) Login(w http.ResponseWriter, r *serve.Request) error {
	var body wire.Credentials
	if err := r.Decode(&body); err != nil {
		return err
	}
	var f input.Fields
	email := f.KnownEmail("email", body.Email)
	password := body.Password
	f.Check("password", passwords.Check(password))
	if err := f.Err(); err != nil {
		return err
	}
	if err := a.Gate.CountAccount(w, r.Request, store.EmailKey(email)); err != nil {
		return err
	}
	if !a.Gate.MayBeKnown(r.Request) { // strangers must not have the others refused
		if err := a.Hashes.Room(a.Gate.Stranger(r.Request)); err != nil {
			return err
		}
	}
	ctx := r.Context()
	u, err := a.Store.UserByEmail(ctx, email)
	if err != nil && !errors.Is(err, store.ErrUserNotFound) {
		return err
	}
	// An unknown address takes as long as a wrong password and looks the same.
	guess, err := a.guess(r, email, u)
	if err != nil {
		return err
	}
	defer guess.End()
	ok, weak, err := a.Hashes.Matches(ctx, guess.Party, password, u.PasswordHash)
	if err != nil {
		return err
	}
	guess.Decide(ok)
	if !ok {
		a.Tell(r, security.LoginFailed, "", security.About{User: u.ID, Reason: "login"}) // no user: nobody has the address
		return problem.Newf(problem.Unauthenticated, "The e-mail address or the password is wrong.")
	}
	if !u.LockedAt.IsZero() { // said only to who knows the password
		a.Tell(r, security.LoginRefused, "", security.About{User: u.ID})
		return problem.New(problem.AccountLocked)
	}
	if weak {
		a.renewHash(ctx, u, password)
	}
	if err := a.writeSession(w, r, http.StatusOK, u); err != nil {
		return err
	}
	a.Tell(r, security.LoginSucceeded, messages.ActorPerson, security.About{User: u.ID})
	return nil
}

// guess waits for the turn of a password that was sent for an account, for as long as leaves time to
// look at it.
func (a *Handlers) guess(r *serve.Request, email string, u store.User) (*gate.Guess, error) {
	ctx, cancel := context.WithDeadline(r.Context(), r.Deadline.Add(-a.Config.RequestTimeout/4))
	defer cancel()
	return a.Gate.Guess(ctx, r.Request, email, u, r.Caller)
}

// writeSession answers with a user and a new token, and sets the token as a cookie too. The browser
// is known from then on.
func (a *Handlers) writeSession(w http.ResponseWriter, r *serve.Request, status int, u store.User) error {
	token, expires, err := a.openSession(r, u)
	if err != nil {
		return err
	}
	a.Gate.SetCookie(w, r.Request, token)
	a.Gate.SetBrowser(w, r.Request, personOf(u))
	serve.NoStore(w)
	return serve.WriteJSON(w, status, wire.Session{
		ID: u.ID, Name: u.Name, Email: u.Email, CreatedAt: u.CreatedAt, Token: token, TokenExpiresAt: expires,
	})
}

// personOf returns whom the tokens of a user speak for.
func personOf(u store.User) identity.Person {
	return identity.Person{ID: u.ID, PasswordVersion: u.PasswordVersion}
}

// Logout takes the cookie away, and ends the session of the token that was sent, in the cookie or
// the header: all copies of the token with it. Without a token that counts there is nothing to end.
func (a *Handlers) Logout(w http.ResponseWriter, r *serve.Request) error {
	a.Gate.SetCookie(w, r.Request, "")
	serve.NoStore(w)
	if who := a.Gate.Sender(r.Request); who.Proven && !who.SessionID.IsZero() {
		if err := a.stopSession(r.Context(), who.ID, who.SessionID, who.LoginAt); err != nil {
			return err
		}
		r.Caller = who
		a.Tell(r, security.LoggedOut, messages.ActorPerson, security.About{User: who.ID})
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// ChangePassword changes the password of a user who knows the old one.
func (a *Handlers) ChangePassword(w http.ResponseWriter, r *serve.Request) error {
	id, err := store.ParseID(r.URLParam("user_id"))
	if err != nil {
		return problem.InvalidField("user_id", "must be an id of 24 hexadecimal digits")
	}
	var body wire.PasswordChange
	if err := r.Decode(&body, json.RejectUnknownMembers(true)); err != nil {
		return err
	}
	var f input.Fields
	f.Check("old_password", passwords.Check(body.OldPassword))
	f.Check("new_password", a.newPasswords.Check(body.NewPassword, ""))
	if err := f.Err(); err != nil {
		return err
	}
	if err := r.Caller.Require(id, "A password can only be changed by its owner."); err != nil {
		return err
	}
	if err := a.Gate.CountAccount(w, r.Request, id.Hex()); err != nil {
		return err
	}
	u, err := a.Store.User(r.Context(), id)
	if err != nil {
		return err
	}
	if f.Check("new_password", a.newPasswords.Check(body.NewPassword, u.Email)); !f.OK() {
		return f.Err()
	}
	if !u.LockedAt.IsZero() {
		a.Tell(r, security.LoginRefused, messages.ActorPerson, security.About{User: id})
		return problem.New(problem.AccountLocked)
	}
	after, err := a.replacePassword(r, u, body)
	if p, ok := errors.AsType[*problem.Problem](err); ok && p.Code == problem.Unauthenticated {
		a.Tell(r, security.LoginFailed, messages.ActorPerson, security.About{User: id, Reason: "old_password"})
	}
	if err != nil {
		return err
	}
	a.Tell(r, security.PasswordChanged, messages.ActorPerson, security.About{User: id})
	a.Gate.SetBrowser(w, r.Request, personOf(after))
	if r.Caller.Cookie { // the browser that did it stays logged in
		token, _, err := a.openSession(r, after)
		if err != nil {
			return err
		}
		a.Gate.SetCookie(w, r.Request, token)
	}
	serve.NoStore(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// replacePassword checks the old password, stores the new one, and ends all earlier tokens.
func (a *Handlers) replacePassword(r *serve.Request, u store.User, change wire.PasswordChange) (store.User, error) {
	ctx, wrong := r.Context(), problem.Newf(problem.Unauthenticated, "The old password is wrong.")
	guess, err := a.guess(r, u.Email, u)
	if err != nil {
		return u, err
	}
	defer guess.End()
	right, _, err := a.Hashes.Matches(ctx, guess.Party, change.OldPassword, u.PasswordHash)
	if err != nil {
		return u, err
	}
	guess.Decide(right)
	if !right {
		return u, wrong
	}
	after := u
	if after.PasswordHash, err = a.Hashes.Hash(ctx, guess.Party, change.NewPassword); err != nil {
		return u, err
	}
	after.PasswordVersion++
	after.PasswordChangedAt = time.Now().UTC().Truncate(time.Millisecond)
	// When the outcome is unknown nothing is revoked here: if it was stored, every process learns of
	// it from the store.
	switch err := a.Store.SetPassword(ctx, u, after); {
	case errors.Is(err, store.ErrPasswordChanged): // so the old one is wrong by now
		return u, wrong
	case err != nil:
		return u, serve.UnlessStored(err)
	}
	a.Gate.Guard().Revoke(store.Revocation{
		UserID: u.ID, PasswordVersion: after.PasswordVersion, ChangedAt: after.PasswordChangedAt,
	})
	return after, nil
}

// renewHash hashes a password that was just proven with the current parameters, and stores that. A
// failure is logged only: the next log-in tries again.
func (a *Handlers) renewHash(ctx context.Context, u store.User, password string) {
	after := u
	var err error
	if after.PasswordHash, err = a.Hashes.Hash(ctx, fairqueue.Known(u.ID), password); err == nil {
		err = a.Store.SetPassword(ctx, u, after)
	}
	if err != nil {
		a.Log.Warn().Err(err).Str("user_id", u.ID.Hex()).Msg("a password hash is not renewed yet")
	}
}
