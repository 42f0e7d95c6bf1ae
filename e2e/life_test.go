package e2e

import (
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/eventio/eventio/pkg/store"
)

// TestComingAndGoing: 50 people, 5 places and a waiting list. They come, leave and return at
// random through two APIs while one of three workers is killed. In the end every place is
// held, nobody waits who has left, and who holds a place joined before who waits.
func TestComingAndGoing(t *testing.T) {
	c := newCluster(t)
	workers := []*process{c.start(t, "worker"), c.start(t, "worker"), c.start(t, "worker")}
	apis := []*client{newClient(t, c.start(t, "api").addr), newClient(t, c.start(t, "api").addr)}
	var e event
	apis[0].want(t, http.StatusCreated, http.MethodPost, "/api/events", `{"organizer_id":"`+store.NewID().Hex()+
		`","title":"Waiting","capacity":5,"waitlist":true,"starts_at":"2027-05-01T18:00:00Z","ends_at":"2027-05-01T20:00:00Z"}`, &e)

	// insist repeats a request, under its key, until the answer is definite.
	insist := func(method, path, key string) int {
		status := 0
		for range 20 {
			if status, _ = apis[rand.IntN(2)].send(method, path, "", key); status != 0 && status < 500 {
				break
			}
		}
		return status
	}
	people := make([]store.ID, 50)
	stays := make([]bool, len(people))
	half := make(chan struct{}, len(people))
	var crowd sync.WaitGroup
	for i := range people {
		people[i] = store.NewID()
		path := seats(e) + "/" + people[i].Hex()
		crowd.Go(func() {
			for step := range 3 + rand.IntN(6) {
				key := people[i].Hex() + "-" + strconv.Itoa(step)
				if stays[i] = step%2 == 0; stays[i] {
					if got := insist(http.MethodPut, path, key); got != http.StatusCreated && got != http.StatusAccepted && got != http.StatusOK {
						t.Errorf("coming: %d", got)
					}
				} else if got := insist(http.MethodDelete, path, key); got != http.StatusNoContent {
					t.Errorf("leaving: %d", got)
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
	if err := workers[0].cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	crowd.Wait()

	var roster, line []store.ID
	apis[0].want(t, http.StatusOK, http.MethodGet, seats(e), "", &roster)
	apis[1].want(t, http.StatusOK, http.MethodGet, seats(e)+"?status=waitlisted", "", &line)
	staying := 0
	there := make(map[store.ID]bool)
	for _, user := range append(roster, line...) {
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
	t.Logf("%d stay: %d hold a place, %d wait", staying, len(roster), len(line))
	if len(roster) != min(5, staying) || len(roster)+len(line) != staying {
		t.Errorf("%d hold a place and %d wait, of %d", len(roster), len(line), staying)
	}
	last := int64(0)
	for i, user := range append(roster, line...) {
		var seat struct {
			Number, Position int64
			Status           string
		}
		apis[0].want(t, http.StatusOK, http.MethodGet, seats(e)+"/"+user.Hex(), "", &seat)
		if seat.Number <= last || (seat.Status == "confirmed") != (i < len(roster)) || i >= len(roster) && seat.Position != int64(i-len(roster)+1) {
			t.Errorf("place %d is %+v, after number %d", i, seat, last)
		}
		last = seat.Number
	}
	c.verify(t)
}

// verify lets eventio verify prove the whole database.
func (c *cluster) verify(t *testing.T) {
	t.Helper()
	cmd := exec.Command(filepath.Join(c.bin, "eventio"), "verify")
	cmd.Env = append(c.env, "EVENTIO_DATA=") // the database of MONGODB_URI
	cmd.Stderr = os.Stderr
	if out, err := cmd.Output(); err != nil {
		t.Errorf("eventio verify: %v\n%s", err, out)
	}
}
