package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/eventio/eventio/internal/fairqueue"
	"github.com/eventio/eventio/pkg/store"
)

// newUser is the body of a sign-up.
type newUser struct {
	Name     string `json:"name"`
	Email    string `json:"email"`
	Password string `json:"password"`
}

// credentials is the body of a log-in.
type credentials struct {
	Email    string `json:"email"`
	Password string `json:"password"`
}

func (a *API) createUser(w http.ResponseWriter, r *http.Request) error {
	var body newUser
	if err := decodeBody(w, r, &body); err != nil {
		return err
	}
	var f fields
	key, _ := f.idempotencyKey(r.Header)
	u := store.User{
		Name:  f.line("name", body.Name, MaxName),
		Email: f.email("email", body.Email),
	}
	password := f.newPassword(a.newPasswords, "password", body.Password, u.Email)
	if err := f.err(); err != nil {
		return err
	}
	if err := a.gate.passAccount(w, r, store.EmailKey(u.Email)); err != nil {
		return err
	}
	who := a.gate.stranger(r)
	if err := a.hashes.Room(who); err != nil {
		return err
	}
	// A creation does not die with the client's connection: the repetition finds it done.
	ctx, cancel := detached(r, a.deadline())
	defer cancel()
	c, done, err := a.begin(ctx, key, "POST "+pathUsers, newUser{Name: u.Name, Email: u.Email})
	if err != nil {
		return err
	}
	u.ID, u.CreatedAt = c.Resource, c.CreatedAt
	if done {
		err = a.sameUser(ctx, who, u.ID, password)
	} else {
		err = a.signUp(ctx, who, c, u, password)
	}
	if err != nil {
		return err
	}
	created(w, userPath(u.ID), done)
	return a.writeSession(w, r, http.StatusCreated, u)
}

// signUp stores a new user.
func (a *API) signUp(ctx context.Context, who fairqueue.Party, c creation, u store.User, password string) error {
	create := func(ctx context.Context) (err error) {
		if u.PasswordHash, err = a.hashes.Hash(ctx, who, password); err != nil {
			return err
		}
		return a.store.CreateUser(ctx, u)
	}
	return c.carryOut(ctx, create, func(ctx context.Context) error { return a.sameUser(ctx, who, u.ID, password) })
}

// sameUser checks that a user is there with this password. The fingerprint of a key leaves
// the password out, because a fast digest of it must not be stored; here the slow one says
// whether a repetition is one.
func (a *API) sameUser(ctx context.Context, who fairqueue.Party, id store.ID, password string) error {
	u, err := a.store.User(ctx, id)
	if err != nil {
		return err
	}
	same, _, err := a.hashes.Matches(ctx, who, password, u.PasswordHash)
	if err == nil && !same {
		err = store.ErrKeyReused
	}
	return err
}

func (a *API) login(w http.ResponseWriter, r *http.Request) error {
	var body credentials
	if err := decodeBody(w, r, &body); err != nil {
		return err
	}
	var f fields
	email := f.email("email", body.Email)
	password := f.password("password", body.Password)
	if err := f.err(); err != nil {
		return err
	}
	if err := a.gate.passAccount(w, r, store.EmailKey(email)); err != nil {
		return err
	}
	who := a.gate.stranger(r)
	if err := a.hashes.Room(who); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.config.RequestTimeout)
	defer cancel()
	u, err := a.store.UserByEmail(ctx, email)
	if err != nil && !errors.Is(err, store.ErrUserNotFound) {
		return err
	}
	// An unknown address takes as long as a wrong password and looks the same.
	ok, weak, err := a.hashes.Matches(ctx, who, password, u.PasswordHash)
	if err != nil {
		return err
	}
	if !ok {
		return problem(CodeUnauthenticated, "The address or the password is wrong.")
	}
	if weak {
		a.renewHash(ctx, u, password)
	}
	return a.writeSession(w, r, http.StatusOK, u)
}
