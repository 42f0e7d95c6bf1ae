package api

import (
	"context"
	"errors"
	"net/http"
	"time"

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
	u := store.User{
		ID:        store.NewID(),
		Name:      f.line("name", body.Name, MaxName),
		Email:     f.email("email", body.Email),
		CreatedAt: time.Now().UTC().Truncate(time.Millisecond),
	}
	password := a.passwords.newPassword(&f, "password", body.Password, u.Email)
	if err := f.err(); err != nil {
		return err
	}
	if err := a.gate.passAccount(w, r, store.EmailKey(u.Email)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.config.RequestTimeout)
	defer cancel()
	var err error
	if u.PasswordHash, err = a.hashes.hash(ctx, password); err != nil {
		return err
	}
	if err := a.store.CreateUser(ctx, u); err != nil {
		return inDoubt(err)
	}
	return a.writeSession(w, r, http.StatusCreated, u)
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
	ctx, cancel := context.WithTimeout(r.Context(), a.config.RequestTimeout)
	defer cancel()
	u, err := a.store.UserByEmail(ctx, email)
	if err != nil && !errors.Is(err, store.ErrUserNotFound) {
		return err
	}
	// An unknown address takes as long as a wrong password and looks the same.
	ok, weak, err := a.hashes.matches(ctx, password, u.PasswordHash)
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
