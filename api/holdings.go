package api

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/pkg/store"
)

const (
	// holdingsPage is the size of a page when none is asked for.
	holdingsPage = 100
	// holdingsScan bounds how many registrations one request looks at, so that a filter that
	// few of them pass costs no more than one that all pass, however many were given back.
	// Such a page is short and still has a next one.
	holdingsScan = input.MaxPage
)

func (a *API) listUserRegistrations(w http.ResponseWriter, r *request) error {
	user, err := userID(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
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
		limit = holdingsPage
	}
	page, last, more, err := a.holdingsPage(r.Context(), holdingsQuery{user, before, when, limit})
	if err != nil {
		return err
	}
	if more {
		linkNext(w, holdingsPath(user), q, limit, userRegistrationsList(user, q).Cursor(last[:]))
	}
	noStore(w)
	return writeRead(w, r, page)
}

type holdingsQuery struct {
	user, before store.ID
	when         wire.When
	limit        int
}

// holdingsPage reads one page. last is the event that was looked at last, and more whether
// there may be others behind it.
func (a *API) holdingsPage(ctx context.Context, q holdingsQuery) (page []wire.UserRegistration, last store.ID, more bool, err error) {
	now := time.Now()
	page = []wire.UserRegistration{}
	seen := 0
	for h, err := range a.store.UserRegistrations(ctx, q.user, q.before, holdingsScan+1) {
		if err != nil {
			return nil, last, false, err
		}
		if len(page) == q.limit || seen == holdingsScan {
			return page, last, true, nil
		}
		seen++
		last = h.Event.ID
		upcoming := h.Event.EndsAt.After(now)
		if h.Registration.Cancelled || q.when == wire.Upcoming && !upcoming || q.when == wire.Past && upcoming {
			continue
		}
		status := wire.Confirmed
		if !h.Event.Confirmed(h.Registration) {
			status = wire.Waitlisted
		}
		page = append(page, wire.UserRegistration{
			Event: wire.EventOf(h.Event), RegisteredAt: h.Registration.RegisteredAt, Number: h.Registration.Number, Status: status,
		})
	}
	return page, last, false, nil
}

// userRegistrationsList names the list of a user's registrations, for cursors.
func userRegistrationsList(user store.ID, q url.Values) input.List {
	return input.ListOf(holdingsPath(user), q)
}

// userRegistrationsCursor reads the event before which a page begins; the zero id when it is the
// first one.
func userRegistrationsCursor(f *input.Fields, user store.ID, q url.Values) (before store.ID) {
	if place := f.Cursor(userRegistrationsList(user, q), q, len(before)); place != nil {
		before = store.ID(place)
	}
	return before
}
