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

// user is what is told of a user.
type user struct {
	ID        store.ID  `json:"id"`
	Name      string    `json:"name"`
	Email     string    `json:"email"`
	CreatedAt time.Time `json:"created_at"`
}

func userOf(u store.User) user { return user{u.ID, u.Name, u.Email, u.CreatedAt} }

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
	password := f.password("password", body.Password)
	if err := f.err(); err != nil {
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
	return writeJSON(w, http.StatusCreated, userOf(u))
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
	ctx, cancel := context.WithTimeout(r.Context(), a.config.RequestTimeout)
	defer cancel()
	u, err := a.store.UserByEmail(ctx, email)
	if err != nil && !errors.Is(err, store.ErrUserNotFound) {
		return err
	}
	// An unknown address takes as long as a wrong password and looks the same.
	ok, err := a.hashes.matches(ctx, password, u.PasswordHash)
	if err != nil {
		return err
	}
	if !ok {
		return problem(CodeUnauthenticated, "The address or the password is wrong.")
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, userOf(u))
}
