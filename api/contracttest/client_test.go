package contracttest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
)

// TestTheGoClient goes through all of pkg/client, writing at one API process and reading at the
// other: what the document says and what the client reads are the same, on every store.
func TestTheGoClient(t *testing.T) {
	forEachStore(t, options{}, func(t *testing.T, s *site) {
		ctx, a, b := t.Context(), s.people(0), s.people(1)
		ok := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		refused := func(err error, code client.Code) {
			t.Helper()
			if !errors.Is(err, code) || errors.Is(err, client.ErrUnknownOutcome) {
				t.Fatalf("the answer is %v, want %s", err, code)
			}
		}
		ada, err := a.SignUp(ctx, client.NewUser{Name: "Ada", Email: "ada@example.org", Password: "correct horse battery"})
		ok(err)
		again, err := b.LogIn(ctx, ada.Email, "correct horse battery")
		if ok(err); again.ID != ada.ID {
			t.Errorf("signed up as %v, logged in as %v", ada, again)
		}
		starts := time.Date(2027, 5, 1, 18, 0, 0, 0, time.UTC)
		made, err := a.As(ada.Token).CreateEvent(ctx, client.NewEvent{
			Title: "Opening", Description: "One place.", Capacity: 1, StartsAt: starts, EndsAt: starts.Add(time.Hour),
			Place: "Hall", TimeZone: "Europe/Berlin", Waitlist: true, OpensAt: starts.AddDate(-2, 0, 0), ClosesAt: starts,
		})
		ok(err)
		read, err := b.Event(ctx, made.ID)
		if ok(err); read != made || read.OrganizerID != ada.ID {
			t.Errorf("made %+v, read %+v", made, read)
		}
		first, second := store.NewID(), store.NewID()
		seat, err := a.Register(ctx, made.ID, first)
		ok(err)
		waiting, isNew, err := b.PutRegistration(ctx, made.ID, second)
		if ok(err); !isNew || seat.Status != client.StatusConfirmed || waiting.Status != client.StatusWaitlisted || waiting.Position != 1 {
			t.Errorf("registered %+v, then %+v", seat, waiting)
		}
		_, err = b.Register(ctx, made.ID, first)
		refused(err, client.CodeAlreadyRegistered)
		tagged, err := b.Registration(ctx, made.ID, first)
		ok(err)
		seat.ETag = tagged.ETag
		if tagged != seat || tagged.ETag == "" {
			t.Errorf("registered %+v, read %+v", seat, tagged)
		}
		held, err := a.UserRegistrationsPage(ctx, second, client.UserRegistrationsQuery{})
		if ok(err); len(held.Items) != 1 || held.Items[0].Event.ID != made.ID || held.Items[0].Status != client.StatusWaitlisted {
			t.Errorf("the second holds %+v", held)
		}
		ok(a.CancelRegistration(ctx, made.ID, first, client.IfMatch(tagged.ETag)))
		for user, err := range b.Roster(ctx, made.ID, client.StatusConfirmed) {
			if ok(err); user != second {
				t.Errorf("the seat is %v's", user)
			}
		}
		edited, err := a.EditEvent(ctx, made.ID, made.ETag, client.EventEdit{Title: new("Closing"), OpensAt: &time.Time{}})
		if ok(err); edited.Title != "Closing" || !edited.OpensAt.IsZero() || edited.TicketsSold != 1 {
			t.Errorf("edited to %+v", edited)
		}
		_, err = b.EditEvent(ctx, made.ID, made.ETag, client.EventEdit{Title: new("Opening")})
		refused(err, client.CodeVersionMismatch)
		var found []client.Event
		for e, err := range b.Events(ctx, client.EventQuery{Search: "closing", OrganizerID: ada.ID, From: starts, Limit: 1}) {
			ok(err)
			found = append(found, e)
		}
		edited.ETag = ""
		if !slices.Equal(found, []client.Event{edited}) {
			t.Errorf("found %+v", found)
		}
		cancelled, err := a.CancelEvent(ctx, made.ID)
		if ok(err); cancelled.CancelledAt.IsZero() {
			t.Errorf("cancelled: %+v", cancelled)
		}
		_, err = b.Register(ctx, made.ID, first)
		refused(err, client.CodeEventCancelled)
		refused(a.As(ada.Token).ChangePassword(ctx, ada.ID, "wrong horse battery", "another horse battery"), client.CodeUnauthenticated)
		ok(a.As(ada.Token).ChangePassword(ctx, ada.ID, "correct horse battery", "another horse battery"))
		ok(b.Ready(ctx))
	})
}
