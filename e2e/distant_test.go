package e2e

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
)

// TestADistantDatabase: the database of a worker becomes slow. While it answers in time everybody gets a seat, in larger batches, so
// that there are no more commands than requests. When it does not, everybody is told so within the limit, what they are told is true,
// and nobody is left behind when it is fast again.
func TestADistantDatabase(t *testing.T) {
	slow := slowness(t)
	mongo := testenv.StartMongo(t, "--setParameter", "transactionLifetimeLimitSeconds=2")
	way := testenv.StartDistance(t, mongo.Addr(), 0)
	c := newCluster(t).with("MONGODB_URI=" + mongo.URI())
	worker := c.with("MONGODB_URI=mongodb://"+way.Addr()+"/eventio?directConnection=true").operate(t, "worker")
	api := newClient(t, c.start(t, "api").addr)
	e := createEvent(t, api, 100000)
	testenv.Eventually(t, limit, "register", func() error { return register(t, api, e) })
	commands := func() float64 { return value(metrics(t, worker.admin), "eventio_mongodb_command_duration_seconds") }

	const crowd = 300
	var refused, unsure, seated []store.ID
	for _, roundTrip := range []time.Duration{50 * time.Millisecond, 200 * time.Millisecond, 4 * time.Second} {
		way.SetRoundTrip(roundTrip)
		before := commands()
		people := make([]try, crowd)
		all(people, func(_ int, y *try) {
			*y = ask(func(user store.ID) error {
				_, _, err := api.PutRegistration(t.Context(), e.ID, user)
				return err
			})
		})
		var latest time.Duration
		here := 0
		for _, p := range people {
			latest = max(latest, p.took())
			var problem *client.Problem
			switch errors.As(p.err, &problem); {
			case p.err == nil:
				seated = append(seated, p.user)
				here++
			case errors.Is(p.err, client.ErrUnknownOutcome):
				unsure = append(unsure, p.user)
			case problem != nil && problem.Status == http.StatusServiceUnavailable:
				refused = append(refused, p.user)
			default:
				t.Errorf("%v away: %v", roundTrip, p.err)
			}
		}
		made := commands() - before
		t.Logf("%v away: %d of %d have a seat after %v at most, with %.0f commands", roundTrip, here, crowd, latest.Round(time.Millisecond), made)
		inTime := roundTrip < time.Second
		if inTime && here < crowd {
			t.Errorf("%v away: %d of %d have a seat", roundTrip, here, crowd)
		}
		if !inTime && here == crowd {
			t.Errorf("%v away: everybody has a seat, so nothing is shown", roundTrip)
		}
		if most := time.Duration(slow * float64(5500*time.Millisecond)); latest > most {
			t.Errorf("%v away: somebody waited for %v, more than %v", roundTrip, latest, most)
		}
		if made > 1.1*crowd {
			t.Errorf("%v away: %.0f commands for %d requests", roundTrip, made, crowd)
		}
	}

	way.SetRoundTrip(0)
	testenv.Eventually(t, limit, "register again", func() error { return register(t, api, e) })
	held := roster(t, api, e, "")
	for _, user := range refused {
		if slices.Contains(held, user) {
			t.Errorf("%s was told that nothing has happened, and holds a seat", user.Hex())
		}
	}
	for _, user := range unsure {
		_, _, err := api.PutRegistration(t.Context(), e.ID, user)
		succeeds(t, err)
	}
	held = roster(t, api, e, "")
	for _, user := range append(seated, unsure...) {
		if !slices.Contains(held, user) {
			t.Errorf("%s was told that they hold a seat, and do not", user.Hex())
		}
	}
}
