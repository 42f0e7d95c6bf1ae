package e2e

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
)

// TestComingAndGoing: 50 people, 5 places and a waiting list. They come, leave and return at
// random through two APIs while one of three workers is killed. In the end every place is
// held, nobody waits who has left, and who holds a place joined before who waits.
func TestComingAndGoing(t *testing.T) {
	c := newCluster(t)
	workers := []*process{c.start(t, "worker"), c.start(t, "worker"), c.start(t, "worker")}
	patient := client.Retry{Attempts: 20}
	apis := []*client.Client{newClient(t, c.start(t, "api").addr, patient), newClient(t, c.start(t, "api").addr, patient)}
	waiting := newEvent(5)
	waiting.Waitlist = true
	e, err := apis[0].CreateEvent(t.Context(), waiting)
	succeeds(t, err)

	people := make([]store.ID, 50)
	stays := make([]bool, len(people))
	half := make(chan struct{}, len(people))
	var crowd sync.WaitGroup
	for i := range people {
		people[i] = store.NewID()
		crowd.Go(func() {
			for step := range 3 + rand.IntN(6) {
				api := apis[rand.IntN(2)]
				if stays[i] = step%2 == 0; stays[i] {
					if _, _, err := api.PutRegistration(t.Context(), e.ID, people[i]); err != nil {
						t.Errorf("coming: %v", err)
					}
				} else if err := api.CancelRegistration(t.Context(), e.ID, people[i]); err != nil {
					t.Errorf("leaving: %v", err)
				}
				if step == 1 {
					half <- struct{}{}
				}
			}
		})
	}
	for range len(people) / 2 {
		<-half
	}
	if err := workers[0].Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	crowd.Wait()

	held, line := roster(t, apis[0], e, ""), roster(t, apis[1], e, client.StatusWaitlisted)
	staying := 0
	there := make(map[store.ID]bool)
	for _, user := range append(held, line...) {
		there[user] = true
	}
	for i, user := range people {
		if stays[i] {
			staying++
		}
		if stays[i] != there[user] {
			t.Errorf("user %s stays: %v, is there: %v", user.Hex(), stays[i], there[user])
		}
	}
	t.Logf("%d stay: %d hold a place, %d wait", staying, len(held), len(line))
	if len(held) != min(5, staying) || len(held)+len(line) != staying {
		t.Errorf("%d hold a place and %d wait, of %d", len(held), len(line), staying)
	}
	last := int64(0)
	for i, user := range append(held, line...) {
		seat, err := apis[0].Registration(t.Context(), e.ID, user)
		succeeds(t, err)
		if seat.Number <= last || (seat.Status == client.StatusConfirmed) != (i < len(held)) || i >= len(held) && seat.Position != int64(i-len(held)+1) {
			t.Errorf("place %d is %+v, after number %d", i, seat, last)
		}
		last = seat.Number
	}
	c.verify(t)
}

// verify lets eventio verify prove the whole database.
func (c *cluster) verify(t *testing.T) {
	t.Helper()
	cmd := exec.Command(filepath.Join(programs, "eventio"), "verify")
	cmd.Env = append(c.env, "EVENTIO_DATA=") // the database of MONGODB_URI
	cmd.Stderr = os.Stderr
	if out, err := cmd.Output(); err != nil {
		t.Errorf("eventio verify: %v\n%s", err, out)
	}
}
