package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/passwords"
	"github.com/eventio/eventio/pkg/store"
)

func (a *API) createUser(w http.ResponseWriter, r *request) error {
	var body wire.NewUser
	if err := input.Decode(r.body, &body); err != nil {
		return err
	}
	var f input.Fields
	key, _ := idempotencyKey(&f, r.Header)
	u := store.User{
		Name:  f.Line("name", body.Name, input.MaxName),
		Email: f.Email("email", body.Email),
	}
	f.Check("password", a.newPasswords.Check(body.Password, u.Email))
	if err := f.Err(); err != nil {
		return err
	}
	if err := a.gate.CountAccount(w, r.Request, store.EmailKey(u.Email)); err != nil {
		return err
	}
	ctx := r.Context()
	c, done, err := a.begin(ctx, key, "POST "+pathUsers, wire.NewUser{Name: u.Name, Email: u.Email})
	if err != nil {
		return err
	}
	u.ID, u.CreatedAt = c.Resource, c.CreatedAt
	if done {
		err = a.sameUser(ctx, u.ID, body.Password)
	} else {
		err = a.signUp(ctx, c, u, body.Password)
	}
	if err != nil {
		return err
	}
	created(w, userPath(u.ID), done)
	return a.writeSession(w, r, http.StatusCreated, u)
}

// signUp stores a new user.
func (a *API) signUp(ctx context.Context, c creation, u store.User, password string) error {
	create := func(ctx context.Context) (err error) {
		if u.PasswordHash, err = a.hashes.Hash(ctx, password); err != nil {
			return err
		}
		return a.store.CreateUser(ctx, u)
	}
	return c.carryOut(ctx, create, func(ctx context.Context) error { return a.sameUser(ctx, u.ID, password) })
}

// sameUser checks that a user is there with this password. The fingerprint of a key leaves
// the password out, because a fast digest of it must not be stored; here the slow one says
// whether a repetition is one.
func (a *API) sameUser(ctx context.Context, id store.ID, password string) error {
	u, err := a.store.User(ctx, id)
	if err != nil {
		return err
	}
	same, _, err := a.hashes.Matches(ctx, password, u.PasswordHash)
	if err == nil && !same {
		err = store.ErrKeyReused
	}
	return err
}

func (a *API) login(w http.ResponseWriter, r *request) error {
	var body wire.Credentials
	if err := input.Decode(r.body, &body); err != nil {
		return err
	}
	var f input.Fields
	email := f.Email("email", body.Email)
	password := body.Password
	f.Check("password", passwords.Check(password))
	if err := f.Err(); err != nil {
		return err
	}
	if err := a.gate.CountAccount(w, r.Request, store.EmailKey(email)); err != nil {
		return err
	}
	ctx := r.Context()
	u, err := a.store.UserByEmail(ctx, email)
	if err != nil && !errors.Is(err, store.ErrUserNotFound) {
		return err
	}
	// An unknown address takes as long as a wrong password and looks the same.
	ok, weak, err := a.hashes.Matches(ctx, password, u.PasswordHash)
	if err != nil {
		return err
	}
	if !ok {
		return problem.Newf(problem.Unauthenticated, "The e-mail address or the password is wrong.")
	}
	if weak {
		a.renewHash(ctx, u, password)
	}
	return a.writeSession(w, r, http.StatusOK, u)
}
