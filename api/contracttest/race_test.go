package contracttest

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/eventio/eventio/api"
	"github.com/eventio/eventio/pkg/store"
)

// giving is a store in which registrations are given up a moment before they are read.
type giving struct {
	store.Store
	left *atomic.Int64 // how many more
}

func (g giving) Registration(ctx context.Context, event, user store.ID) (store.Registration, error) {
	if g.left.Add(-1) >= 0 {
		return store.Registration{}, store.ErrRegistrationNotFound
	}
	return g.Store.Registration(ctx, event, user)
}

// TestPutWhileTheSeatIsGivenUp: it asks again, and after a while says that nothing happened.
func TestPutWhileTheSeatIsGivenUp(t *testing.T) {
	left := &atomic.Int64{}
	front := func(st store.Store) api.Store { return giving{st, left} }
	forEachStore(t, options{front: front}, func(t *testing.T, s *site) {
		left.Store(0)
		seat := s.newEvent("1") + "/" + store.NewID().Hex()
		s.do(0, "PUT", seat, "").want(t, 201)
		left.Store(2)
		s.do(0, "PUT", seat, "").want(t, 200)
		left.Store(3)
		if a := s.do(0, "PUT", seat, "").want(t, 503, "overloaded"); a.header.Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
	})
}

// TestBadIDsInTheSeatsPath is the path's share of the bad identifiers.
func TestBadIDsInTheSeatsPath(t *testing.T) {
	forEachStore(t, options{}, func(t *testing.T, s *site) {
		roster := s.newEvent("1")
		user := store.NewID().Hex()
		for name, id := range map[string]string{
			"25 digits": user + "0", "padded": "%20" + user[1:], "fullwidth": "%EF%BC%96" + user[1:], "greater": "%3E", "dot": user[:12] + "." + user[13:],
			"null byte": user[:23] + "%00", "dots": "..%2f" + user,
		} {
			for _, method := range []string{"GET", "PUT", "HEAD"} {
				t.Run(name+" "+method, func(t *testing.T) {
					a := s.do(0, method, roster+"/"+id, "")
					if a.status != 400 && a.status != 404 || strings.Contains(name, "digits") && a.status != 400 {
						t.Errorf("status %d: %s", a.status, a.body)
					}
				})
			}
		}
		if list := decode[[]string](t, s.get(roster).body); len(list) != 0 {
			t.Errorf("roster is %v", list)
		}
	})
}
