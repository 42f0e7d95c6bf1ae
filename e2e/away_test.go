package e2e

import (
	"errors"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/client"
)

// TestNATSIsAway: while the NATS server is away everybody is told at once that nothing has happened, and nothing is kept
// for later; when it is back all processes are back by themselves, also after a time in which clients of NATS
// give up by default.
//
// EVENTIO_AWAY is for how long, 5s by default; `make chaos` waits for 150 s.
func TestNATSIsAway(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("EVENTIO_AWAY"))
	if err != nil {
		length = 5 * time.Second
	}
	slow := slowness(t)
	nats := testenv.StartNATS(t)
	c := newCluster(t).with("NATS_URL=" + nats.URL())
	c.start(t, "worker")
	api := newClient(t, c.start(t, "api").addr)
	e := createEvent(t, api, 1000)
	testenv.Eventually(t, limit, "register", func() error { return register(t, api, e) })
	before := len(roster(t, api, e, ""))

	nats.Stop()
	refused, latest := 0, time.Duration(0)
	for gone := time.Now(); time.Since(gone) < length; refused++ {
		begun := time.Now()
		err := register(t, api, e)
		latest = max(latest, time.Since(begun))
		var p *client.Problem
		if !errors.As(err, &p) || p.Status != http.StatusServiceUnavailable || p.RetryAfter <= 0 || errors.Is(err, client.ErrUnknownOutcome) {
			t.Fatalf("while NATS is away: %v", err)
		}
		time.Sleep(20 * time.Millisecond) // a crowd is not what this is about
	}
	succeeds(t, nats.Restart())
	back := time.Now()
	testenv.Eventually(t, limit, "register again", func() error { return register(t, api, e) })
	took := time.Since(back)
	t.Logf("away for %v: %d were told 503 within %v; back %v after it", length, refused, latest, took)
	if most := time.Duration(slow * float64(time.Second)); latest > most {
		t.Errorf("somebody waited %v for a 503, more than %v", latest, most)
	}
	if most := time.Duration(slow * float64(3*time.Second)); took > most {
		t.Errorf("it is back after %v, more than %v", took, most)
	}
	if now := len(roster(t, api, e, "")); now != before+1 {
		t.Errorf("%d hold a seat, %d before: somebody who was refused holds one", now, before)
	}
}
