package client_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/client"
)

// TestChanges: an organizer follows an event from any revision on, and a person what happens to them.
func TestChanges(t *testing.T) {
	_, nobody := newService(t)
	ctx := t.Context()
	organizer, ada, eve := signUp(t, nobody, "organizer"), signUp(t, nobody, "ada"), signUp(t, nobody, "eve")
	wish := opening(1)
	wish.Waitlist = true
	event := must[client.Event](t)(organizer.CreateEvent(ctx, wish))
	_ = must[client.Registration](t)(ada.Register(ctx, event.ID, ada.ID))
	_ = must[client.Registration](t)(eve.Register(ctx, event.ID, eve.ID))
	page := must[client.ChangesPage](t)(organizer.EventChangesPage(ctx, event.ID, client.ChangesQuery{Limit: 1}))
	if len(page.Items) != 1 || page.After != 2 || !page.More || page.Items[0].Actor.Kind != "person" || page.Items[0].Actor.ID != ada.ID {
		t.Errorf("the first page is %+v", page)
	}
	page = must[client.ChangesPage](t)(organizer.EventChangesPage(ctx, event.ID, client.ChangesQuery{After: 3, Wait: time.Second}))
	if len(page.Items) != 0 || page.After != 3 || page.More {
		t.Errorf("after all there is %+v", page)
	}
	_, err := ada.EventChangesPage(ctx, event.ID, client.ChangesQuery{})
	wants(t, err, client.CodeForbidden)

	following, stop := context.WithCancel(ctx)
	defer stop()
	var seen []string
	for c, err := range organizer.FollowEvent(following, event.ID, 0) {
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			break
		}
		seen = append(seen, fmt.Sprintf("%d %s %d", c.Revision, c.Type, c.Number))
		switch len(seen) {
		case 2: // while it follows
			go func() {
				if err := ada.CancelRegistration(ctx, event.ID, ada.ID); err != nil {
					t.Error(err)
				}
			}()
		case 4:
			stop()
		}
	}
	if got := fmt.Sprint(seen); got != "[2 registered 1 3 waitlisted 2 4 cancelled 1 4 promoted 2]" {
		t.Errorf("followed are %s", got)
	}
	var pace client.Minute // of all minutes
	for _, m := range must[[]client.Minute](t)(organizer.Pace(ctx, event.ID, 10)) {
		pace.Registrations, pace.Cancelled, pace.TicketsSold = pace.Registrations+m.Registrations, pace.Cancelled+m.Cancelled, m.TicketsSold
	}
	if pace != (client.Minute{Registrations: 2, Cancelled: 1, TicketsSold: 1}) {
		t.Errorf("the pace is %+v", pace)
	}
	own := all(t, eve.UserChanges(ctx, eve.ID, client.UserChangesQuery{Limit: 1}))
	if len(own) != 2 || own[0].Type != "waitlisted" || own[1].Type != "promoted" || own[1].Actor.ID != (client.ID{}) {
		t.Errorf("eve's are %+v", own)
	}
	told := 0
	for _, record := range all(t, eve.ExportUser(ctx, eve.ID)) {
		if r := record.Registration; r != nil {
			told += len(r.Changes)
		}
	}
	if told != 2 {
		t.Errorf("her export has %d changes", told)
	}
	_, err = ada.UserChangesPage(ctx, eve.ID, client.UserChangesQuery{})
	wants(t, err, client.CodeForbidden)
}
