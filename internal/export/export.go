// Package export hands out what is stored of a person, for the person and for operators.
package export

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/apikeys"
	"github.com/eventio/eventio/pkg/store/changes"
	"github.com/eventio/eventio/pkg/store/outbox"
	"github.com/eventio/eventio/pkg/store/search"
)

// Store is what an export reads: every store.Store has it.
type Store interface {
	store.Users
	store.Sessions
	store.Events
	store.Registrations
	store.Changes
	store.Webhooks
}

// page is how many records are read at once. The connection to the store is given back before they
// are handed out, so that a slow reader holds none.
const page = 200

// More is what is stored of a person beside that. The zero value leaves it out.
type More struct {
	// Mails has what they want of mail.
	Mails outbox.Outbox
	// Keys has the keys of their programs.
	Keys interface {
		APIKeysOf(ctx context.Context, owner store.ID, now time.Time) ([]apikeys.Key, error)
	}
	// Links has the people of other issuers who count as them.
	Links interface {
		LinksOf(ctx context.Context, user store.ID) ([]store.ID, error)
	}
}

// Person yields everything that is stored of a user, but the hash of the password: the account, the
// log-ins that are remembered, the events that they organize, and their registrations, also
// cancelled ones, with what the record of changes tells of them, their webhooks without the secrets, and their keys for programs without the keys themselves. It yields an error at most once, as the last element. Errors: store.ErrUserNotFound,
// and those of the store.
func Person(ctx context.Context, st Store, more More, id store.ID) iter.Seq2[wire.Export, error] {
	return func(yield func(wire.Export, error) bool) {
		for _, part := range []iter.Seq2[wire.Export, error]{
			account(ctx, st, more, id), sessions(ctx, st, id), events(ctx, st, id), registrations(ctx, st, id), webhooks(ctx, st, id), apiKeys(ctx, more, id),
		} {
			for record, err := range part {
				if !yield(record, err) || err != nil {
					return
				}
			}
		}
	}
}

func account(ctx context.Context, st Store, more More, id store.ID) iter.Seq2[wire.Export, error] {
	return func(yield func(wire.Export, error) bool) {
		u, err := st.User(ctx, id)
		if err != nil {
			yield(wire.Export{}, err)
			return
		}
		var settings outbox.Settings
		if more.Mails != nil {
			settings, err = more.Mails.MailSettings(ctx, outbox.Settings{UserID: id})
			if err != nil && !errors.Is(err, outbox.ErrNoToken) {
				yield(wire.Export{}, err)
				return
			}
		}
		var linked []store.ID
		if more.Links != nil {
			if linked, err = more.Links.LinksOf(ctx, id); err != nil {
				yield(wire.Export{}, err)
				return
			}
		}
		yield(wire.Export{Type: wire.ExportUser, User: &wire.ExportedUser{
			Linked:       linked,
			MailLanguage: settings.Language, EventMailOffAt: settings.OffAt,
			ID: u.ID, Name: u.Name, Email: u.Email, CreatedAt: u.CreatedAt, TokensEndedAt: u.PasswordChangedAt, EmailProvenAt: u.EmailProvenAt, LockedAt: u.LockedAt,
		}}, nil)
	}
}

func sessions(ctx context.Context, st Store, id store.ID) iter.Seq2[wire.Export, error] {
	return func(yield func(wire.Export, error) bool) {
		// Read whole, which they are few enough for.
		var all []store.Session
		for s, err := range st.SessionHistory(ctx, id) {
			if err != nil {
				yield(wire.Export{}, err)
				return
			}
			all = append(all, s)
		}
		for _, s := range all {
			body := wire.LoginSession{ID: s.ID, Client: s.Client, CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt, EndedAt: s.EndedAt}
			if !yield(wire.Export{Type: wire.ExportSession, Session: &body}, nil) {
				return
			}
		}
	}
}

func events(ctx context.Context, st Store, id store.ID) iter.Seq2[wire.Export, error] {
	return func(yield func(wire.Export, error) bool) {
		for e, err := range search.All(ctx, st, store.EventQuery{OrganizerID: id, Limit: page}) {
			if err != nil {
				yield(wire.Export{}, err)
				return
			}
			body := wire.EventOf(e)
			if !yield(wire.Export{Type: wire.ExportEvent, Event: &body}, nil) {
				return
			}
		}
	}
}

func registrations(ctx context.Context, st Store, id store.ID) iter.Seq2[wire.Export, error] {
	return func(yield func(wire.Export, error) bool) {
		for before, last := (store.ID{}), false; !last; {
			var found []store.UserRegistration
			for r, err := range st.UserRegistrations(ctx, id, before, page) {
				if err != nil {
					yield(wire.Export{}, err)
					return
				}
				found = append(found, r)
			}
			for _, r := range found {
				before = r.Event.ID
				body, err := registration(ctx, st, r)
				if !yield(wire.Export{Type: wire.ExportRegistration, Registration: body}, err) || err != nil {
					return
				}
			}
			last = len(found) < page
		}
	}
}

func webhooks(ctx context.Context, st Store, id store.ID) iter.Seq2[wire.Export, error] {
	return func(yield func(wire.Export, error) bool) {
		hooks, err := st.WebhooksOf(ctx, []store.ID{id}, false)
		if err != nil {
			yield(wire.Export{}, err)
			return
		}
		for _, w := range hooks {
			body := wire.WebhookOf(w)
			if !yield(wire.Export{Type: wire.ExportWebhook, Webhook: &body}, nil) {
				return
			}
		}
	}
}

func apiKeys(ctx context.Context, more More, id store.ID) iter.Seq2[wire.Export, error] {
	return func(yield func(wire.Export, error) bool) {
		if more.Keys == nil {
			return
		}
		keys, err := more.Keys.APIKeysOf(ctx, id, time.Time{})
		if err != nil {
			yield(wire.Export{}, err)
			return
		}
		for _, k := range keys {
			body := wire.APIKeyOf(k)
			if !yield(wire.Export{Type: wire.ExportAPIKey, APIKey: &body}, nil) {
				return
			}
		}
	}
}

// registration returns a registration with everything that is stored about it.
func registration(ctx context.Context, st Store, r store.UserRegistration) (*wire.ExportedAttendance, error) {
	body := &wire.ExportedAttendance{
		EventID: r.Event.ID, EventTitle: r.Event.Title, RegisteredAt: r.Registration.RegisteredAt, Number: r.Registration.Number,
		Status: wire.StatusOf(r.Event, r.Registration), CancelledAt: r.Registration.CancelledAt, RequestIDs: []string{r.Registration.RequestID},
	}
	for _, past := range r.Registration.Past {
		if past.ID != r.Registration.RequestID {
			body.RequestIDs = append(body.RequestIDs, past.ID)
		}
	}
	items, err := changes.OfRegistration(ctx, st, r)
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		body.Changes = append(body.Changes, wire.OwnChangeOf(item.Record, item.Item))
	}
	return body, nil
}
