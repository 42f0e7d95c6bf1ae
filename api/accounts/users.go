// Package accounts answers requests about people, their log-ins and their passwords.
package accounts

import (
	"context"
	"errors"
	"net/http"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/passwords"
	"github.com/eventio/eventio/internal/security"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// Handlers answers requests about people, their log-ins and their passwords.
type Handlers struct {
	*serve.Core
	newPasswords passwords.Policy
}

// New makes the handlers over what all share.
func New(core *serve.Core) *Handlers {
	a := &Handlers{Core: core}
	// In trusted mode a password protects nothing, because anybody may act as anybody, and
	// the original's clients send what they always sent.
	if core.Config.Access.Mode != gate.Trusted {
		a.newPasswords = passwords.RefuseGuessable()
	}
	return a
}

// CreateUser signs somebody up and logs them in.
func (a *Handlers) CreateUser(w http.ResponseWriter, r *serve.Request) error {
	var body wire.NewUser
	if err := r.Decode(&body); err != nil {
		return err
	}
	var f input.Fields
	key, _ := serve.IdempotencyKey(&f, r.Header)
	u := store.User{
		Name:  f.Line("name", body.Name, input.MaxName),
		Email: f.Email("email", body.Email),
	}
	f.Check("password", a.newPasswords.Check(body.Password, u.Email))
	if err := f.Err(); err != nil {
		return err
	}
	if err := a.Gate.CountAccount(w, r.Request, store.EmailKey(u.Email)); err != nil {
		return err
	}
	if err := a.Hashes.Room(a.Gate.Stranger(r.Request)); err != nil {
		return err
	}
	ctx := r.Context()
	c, done, err := a.Begin(ctx, key, signUpScope(u.Email), wire.NewUser{Name: u.Name, Email: u.Email})
	if err != nil {
		return err
	}
	u.ID, u.CreatedAt = c.Resource, c.CreatedAt
	if done {
		u, err = a.sameUser(ctx, r, u.ID, body.Password)
		if errors.Is(err, store.ErrUserNotFound) { // erased since: the key stands for nobody any more
			err = store.ErrKeyReused
		}
	} else {
		if err = a.signUp(r, c, u, body.Password); err == nil {
			a.noteLanguage(r, u.ID)
		}
	}
	if err != nil {
		return err
	}
	if !u.LockedAt.IsZero() {
		a.Tell(r, security.LoginRefused, "", security.About{User: u.ID})
		return problem.New(problem.AccountLocked)
	}
	serve.SetCreated(w, serve.UserPath(u.ID), done)
	if err := a.writeSession(w, r, http.StatusCreated, u); err != nil {
		return err
	}
	happened := security.AccountCreated
	if done {
		happened = security.LoginSucceeded // the answer to a repetition has a token too
	}
	a.Tell(r, happened, messages.ActorPerson, security.About{User: u.ID})
	return nil
}

// signUpScope names what the key of a sign-up belongs to: the e-mail address, since nobody is known
// yet, and strangers choose equal keys.
func signUpScope(email string) string {
	return "POST " + serve.PathUsers + " " + store.EmailKey(email)
}

// signUp stores a new user.
func (a *Handlers) signUp(r *serve.Request, c serve.Creation, u store.User, password string) error {
	who := a.Gate.Stranger(r.Request)
	create := func(ctx context.Context) (err error) {
		if err := a.UseSignUp(ctx, r); err != nil {
			return err
		}
		if u.PasswordHash, err = a.Hashes.Hash(ctx, who, password); err != nil {
			return err
		}
		return a.Store.CreateUser(ctx, u)
	}
	return c.CarryOut(r.Context(), create, func(ctx context.Context) error {
		_, err := a.sameUser(ctx, r, u.ID, password)
		return err
	})
}

// sameUser returns the user as stored, whose tokens have a later version when they were ended since
// the sign-up. It fails when the user has another password. The fingerprint of a key leaves the
// password out, because a fast digest of it must not be stored; here the slow one tells whether a
// repetition is one. So it tells whether a password is right, and is slowed like a log-in.
func (a *Handlers) sameUser(ctx context.Context, r *serve.Request, id store.ID, password string) (store.User, error) {
	u, err := a.Store.User(ctx, id)
	if err != nil {
		return u, err
	}
	guess, err := a.guess(r, u.Email, u)
	if err != nil {
		return u, err
	}
	defer guess.End()
	same, _, err := a.Hashes.Matches(ctx, guess.Party, password, u.PasswordHash)
	if err != nil {
		return u, err
	}
	guess.Decide(same)
	if !same {
		return u, store.ErrKeyReused
	}
	return u, nil
}
