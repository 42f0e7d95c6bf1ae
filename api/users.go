package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/security"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// createUser signs somebody up and logs them in.
func (a *API) createUser(w http.ResponseWriter, r *request) error {
	var body wire.NewUser
	if err := r.decode(&body); err != nil {
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
	if err := a.hashes.Room(a.gate.Stranger(r.Request)); err != nil {
		return err
	}
	ctx := r.Context()
	c, done, err := a.begin(ctx, key, signUpScope(u.Email), wire.NewUser{Name: u.Name, Email: u.Email})
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
		a.tell(r, security.LoginRefused, "", security.About{User: u.ID})
		return problem.New(problem.AccountLocked)
	}
	setCreated(w, userPath(u.ID), done)
	if err := a.writeSession(w, r, http.StatusCreated, u); err != nil {
		return err
	}
	happened := security.AccountCreated
	if done {
		happened = security.LoginSucceeded // the answer to a repetition has a token too
	}
	a.tell(r, happened, messages.ActorPerson, security.About{User: u.ID})
	return nil
}

// signUpScope names what the key of a sign-up belongs to: the e-mail address, since nobody is known
// yet, and strangers choose equal keys.
func signUpScope(email string) string {
	return "POST " + pathUsers + " " + store.EmailKey(email)
}

// signUp stores a new user.
func (a *API) signUp(r *request, c creation, u store.User, password string) error {
	who := a.gate.Stranger(r.Request)
	create := func(ctx context.Context) (err error) {
		if err := a.useSignUp(ctx, r); err != nil {
			return err
		}
		if u.PasswordHash, err = a.hashes.Hash(ctx, who, password); err != nil {
			return err
		}
		return a.store.CreateUser(ctx, u)
	}
	return c.carryOut(r.Context(), create, func(ctx context.Context) error {
		_, err := a.sameUser(ctx, r, u.ID, password)
		return err
	})
}

// sameUser returns the user as stored, whose tokens have a later version when they were ended since
// the sign-up. It fails when the user has another password. The fingerprint of a key leaves the
// password out, because a fast digest of it must not be stored; here the slow one tells whether a
// repetition is one. So it tells whether a password is right, and is slowed like a log-in.
func (a *API) sameUser(ctx context.Context, r *request, id store.ID, password string) (store.User, error) {
	u, err := a.store.User(ctx, id)
	if err != nil {
		return u, err
	}
	guess, err := a.guess(r, u.Email, u)
	if err != nil {
		return u, err
	}
	defer guess.End()
	same, _, err := a.hashes.Matches(ctx, guess.Party, password, u.PasswordHash)
	if err != nil {
		return u, err
	}
	guess.Decide(same)
	if !same {
		return u, store.ErrKeyReused
	}
	return u, nil
}

// userID reads the user's id in the path.
func userID(r *request) (store.ID, error) {
	var f input.Fields
	id := f.ID("user_id", r.urlParam("user_id"))
	return id, f.Err()
}

const (
	// defaultUserPage is the size of a page of a user's registrations when none is asked for.
	defaultUserPage = 100
	// maxUserScan bounds how many registrations one request looks at, so that a filter that few of
	// them pass costs no more than one that all pass, however many are cancelled. Such a page is
	// short and still has a next one.
	maxUserScan = input.MaxPage
)

// listUserRegistrations answers with a page of a user's registrations, the newest event first.
func (a *API) listUserRegistrations(w http.ResponseWriter, r *request) error {
	user, err := userID(r)
	if err != nil {
		return err
	}
	q := input.Query(r.URL)
	var f input.Fields
	limit, before, when := f.Limit(q), userRegistrationsCursor(&f, user, q), wire.When(q.Get("when"))
	if q.Has("when") {
		f.OneOf("when", q.Get("when"), string(wire.Upcoming), string(wire.Past))
	}
	if err := f.Err(); err != nil {
		return err
	}
	if err := r.caller.Require(user, "Only the user may list their registrations."); err != nil {
		return err
	}
	if limit == 0 {
		limit = defaultUserPage
	}
	page, last, more, err := a.userPage(r.Context(), userQuery{user, before, when, limit})
	if err != nil {
		return err
	}
	if more {
		linkNext(w, userRegistrationsPath(user), q, limit, userRegistrationsList(user, q).Cursor(last[:]))
	}
	noStore(w)
	return writeRead(w, r, page)
}

// userQuery says which of a user's registrations a page has: those for events before one, by the
// event's end.
type userQuery struct {
	user, before store.ID
	when         wire.When
	limit        int
}

// userPage reads one page of a user's registrations. last is the event that was looked at last, and
// more tells whether there may be others behind it.
func (a *API) userPage(ctx context.Context, q userQuery) (page []wire.UserRegistration, last store.ID, more bool, err error) {
	now := time.Now()
	page = []wire.UserRegistration{}
	seen := 0
	for h, err := range a.store.UserRegistrations(ctx, q.user, q.before, maxUserScan+1) {
		if err != nil {
			return nil, last, false, err
		}
		if len(page) == q.limit || seen == maxUserScan {
			return page, last, true, nil
		}
		seen++
		last = h.Event.ID
		upcoming := h.Event.EndsAt.After(now)
		if h.Registration.Cancelled || q.when == wire.Upcoming && !upcoming || q.when == wire.Past && upcoming {
			continue
		}
		page = append(page, wire.UserRegistration{
			Event: wire.EventOf(h.Event), RegisteredAt: h.Registration.RegisteredAt, Number: h.Registration.Number, Status: wire.StatusOf(h.Event, h.Registration),
		})
	}
	return page, last, false, nil
}

// userRegistrationsList names the list of a user's registrations, for cursors.
func userRegistrationsList(user store.ID, q url.Values) input.List {
	return input.ListOf(userRegistrationsPath(user), q)
}

// userRegistrationsCursor reads the event before which a page begins; the zero id when it is the
// first one.
func userRegistrationsCursor(f *input.Fields, user store.ID, q url.Values) (before store.ID) {
	if place := f.Cursor(userRegistrationsList(user, q), q, len(before)); place != nil {
		before = store.ID(place)
	}
	return before
}
