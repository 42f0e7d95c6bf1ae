package mongostore

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// TestThePreconditionsAreNeeded runs the same load three times: as it is, without the precondition
// of the event's update, and without the unique key of a registration. The first must keep the
// guarantees, and each of the others must break one, because otherwise the missing precondition
// would be useless.
func TestThePreconditionsAreNeeded(t *testing.T) {
	for _, c := range []struct {
		name   string
		remove func(*Store)
		broken bool
	}{
		{"with both", func(*Store) {}, false},
		{"without the condition", func(s *Store) {
			s.preconditions.events = byID
			// The key of the record of changes is a second net under it.
			s.preconditions.change = func(r store.ChangeRecord) any {
				return struct {
					At time.Time `bson:"at"`
				}{r.At}
			}
		}, true},
		{"without the unique key", func(s *Store) {
			type salted struct {
				Key struct {
					UserID  store.ID `bson:"user_id"`
					EventID store.ID `bson:"event_id"`
					Salt    store.ID `bson:"salt"`
				} `bson:"_id"`
				Number    int64 `bson:"number"`
				Cancelled bool  `bson:"cancelled"`
			}
			s.preconditions.registration = func(r store.Registration) any {
				d := salted{Number: r.Number}
				d.Key.UserID, d.Key.EventID, d.Key.Salt = r.UserID, r.EventID, store.NewID()
				return d
			}
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			uri := testenv.MongoDB(t)
			handles := []*Store{open(t, uri, "a"), open(t, uri, "b")}
			// The number's index is a second net under the same conditions.
			if err := handles[0].registrations.Indexes().DropAll(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, h := range handles {
				c.remove(h)
			}
			if got := load(t, handles); (len(got) > 0) != c.broken {
				t.Fatalf("broken promises: %q", got)
			}
		})
	}
}

// load lets few people try often for few seats, and returns the guarantees that are broken
// afterwards.
func load(t *testing.T, handles []*Store) []string {
	t.Helper()
	event := storetest.NewEvent(t, handles[0], 20)
	crowd := make([]store.ID, 30)
	for i := range crowd {
		crowd[i] = store.NewID()
	}
	// Each process for itself first, so that both have something to remember, and then are
	// wrong about it.
	for i := range 2 * len(handles) {
		if _, err := handles[i%2].Apply(t.Context(), storetest.NewRequests(event.ID, 1)); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for range 15 {
				request := storetest.NewRequest(event.ID)
				request.UserID = crowd[rand.IntN(len(crowd))]
				_, err := handles[g%2].Apply(t.Context(), []store.SeatRequest{request})
				if err != nil && !errors.Is(err, context.DeadlineExceeded) && !mongo.IsDuplicateKeyError(err) {
					t.Logf("apply: %v", err)
				}
			}
		})
	}
	wg.Wait()
	broken, err := storetest.Broken(t.Context(), handles[0], event.ID)
	if err != nil {
		t.Fatal(err)
	}
	return broken
}
