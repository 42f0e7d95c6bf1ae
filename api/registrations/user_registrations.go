package registrations

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/pkg/store"
)

const (
	// maxUserScan bounds how many registrations one request looks at, so that a filter that few of
	// them pass costs no more than one that all pass, however many are cancelled. Such a page is
	// short and still has a next one.
	maxUserScan = input.MaxPage
)

// ListUserRegistrations answers with a page of a user's registrations, the newest event first.
func (a *Handlers) ListUserRegistrations(w http.ResponseWriter, r *serve.Request) error {
	user, err := serve.UserID(r)
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
	if err := r.Caller.Require(user, "Only the user may list their registrations."); err != nil {
		return err
	}
	if limit == 0 {
		limit = serve.DefaultUserPage
	}
	if err := r.Charge(serve.CostOfPage(limit)); err != nil {
		return err
	}
	page, last, more, err := a.userPage(r.Context(), userQuery{user, before, when, limit})
	if err != nil {
		return err
	}
	if more {
		serve.LinkNext(w, serve.UserRegistrationsPath(user), q, limit, userRegistrationsList(user, q).Cursor(last[:]))
	}
	serve.NoStore(w)
	return serve.WriteRead(w, r, page)
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
func (a *Handlers) userPage(ctx context.Context, q userQuery) (page []wire.UserRegistration, last store.ID, more bool, err error) {
	now := time.Now()
	page = []wire.UserRegistration{}
	seen := 0
	for h, err := range a.Store.UserRegistrations(ctx, q.user, q.before, maxUserScan+1) {
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
	return input.ListOf(serve.UserRegistrationsPath(user), q)
}

// userRegistrationsCursor reads the event before which a page begins; the zero id when it is the
// first one.
func userRegistrationsCursor(f *input.Fields, user store.ID, q url.Values) (before store.ID) {
	if place := f.Cursor(userRegistrationsList(user, q), q, len(before)); place != nil {
		before = store.ID(place)
	}
	return before
}
