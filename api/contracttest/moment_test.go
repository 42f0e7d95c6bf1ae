package contracttest

import (
	"context"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/eventio/eventio/api"
	"github.com/eventio/eventio/pkg/store"
)

// changing is a store whose event changes after it was read and before its roster is.
type changing struct {
	api.Store
	between func()
}

func (c *changing) Roster(ctx context.Context, eventID store.ID, after, through int64, limit int) iter.Seq2[store.Registration, error] {
	if between := c.between; between != nil {
		c.between = nil
		between()
	}
	return c.Store.Roster(ctx, eventID, after, through, limit)
}

// TestARosterIsOfOneMoment: who holds the only seat leaves while the roster is read, and the next one moves up. The list has
// either, never nobody; the waiting list likewise.
func TestARosterIsOfOneMoment(t *testing.T) {
	var fronts []*changing
	forEachStore(t, options{front: func(s store.Store) api.Store {
		fronts = append(fronts, &changing{Store: s})
		return fronts[len(fronts)-1]
	}}, func(t *testing.T, s *site) {
		front := fronts[len(fronts)-2] // of the first API process
		for _, list := range []struct {
			query string
			place int // of who is the first in it, among those who came, when the holder has left
		}{{"", 1}, {"?limit=1", 1}, {"?limit=10", 1}, {"?status=waitlisted", 2}, {"?status=waitlisted&limit=1", 2}} {
			t.Run("list"+list.query, func(t *testing.T) {
				body := strings.TrimSuffix(eventBody("Opening", "1", "2027-05-01T18:00:00Z"), "}") + `,"waitlist":true}`
				_, location := s.created(events, body)
				roster := location + "/registrations"
				var users []string
				for range 3 {
					user := store.NewID().Hex()
					if a := s.do(0, "PUT", roster+"/"+user, ""); a.status > 202 {
						t.Fatalf("status %d: %s", a.status, a.body)
					}
					users = append(users, user)
				}
				front.between = func() { s.do(1, "DELETE", roster+"/"+users[0], "") }
				got := decode[[]string](t, s.get(roster+list.query).body)
				if !slices.Equal(got[:min(1, len(got))], users[list.place:list.place+1]) {
					t.Errorf("the list is %v of %v", got, users)
				}
			})
		}
	})
}
