package soldout

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// hall is an event with one seat that is given back and taken again and again, with a worker that keeps to its leases. It
// notes when the seat was free.
type hall struct {
	id     store.ID
	grants time.Duration
	ending bool // since when no lease is granted

	mu    sync.Mutex
	rows  []store.NumberedUser
	last  int64
	free  bool
	since time.Time  // it is free
	until time.Time  // leases may be out
	taken []interval // when it was free
	lease int
}

// interval is a while.
type interval struct{ from, to time.Time }

// register decides a request as a worker does.
func (h *hall) register(user store.ID, lease bool) messages.SeatReply {
	time.Sleep(rand.N(20 * time.Millisecond)) // on its way
	defer time.Sleep(rand.N(20 * time.Millisecond))
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case slices.ContainsFunc(h.rows, func(u store.NumberedUser) bool { return u.UserID == user }):
		return messages.SeatReply{Outcome: store.AlreadyRegistered}
	case h.free:
		h.taken = append(h.taken, interval{h.since, time.Now()})
		h.free = false
		h.last++
		h.rows = append(h.rows, store.NumberedUser{Number: h.last, UserID: user})
		return messages.SeatReply{Outcome: store.Registered}
	case !lease || h.ending:
		return messages.SeatReply{Outcome: store.SoldOut}
	}
	h.lease++
	h.until = time.Now().Add(h.grants + h.grants/100 + 10*time.Millisecond)
	return messages.SeatReply{Outcome: store.SoldOut, LeaseMillis: h.grants.Milliseconds(), LastNumber: h.last}
}

// giveBack frees the seat when no lease is out any more. The row of who had it stays.
func (h *hall) giveBack() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ending = true
	for wait := time.Until(h.until); wait > 0; wait = time.Until(h.until) {
		h.mu.Unlock()
		time.Sleep(wait)
		h.mu.Lock()
	}
	h.free, h.since, h.ending = true, time.Now(), false
}

// entered reads as store.Registrations does.
func (h *hall) entered(_ context.Context, _ store.ID, after int64, limit int) (store.Event, []store.NumberedUser, error) {
	time.Sleep(rand.N(5 * time.Millisecond))
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []store.NumberedUser
	for _, u := range h.rows {
		if u.Number > after && len(list) < limit {
			list = append(list, u)
		}
	}
	return store.Event{ID: h.id, LastNumber: h.last}, list, nil
}

// TestNobodyIsRefusedWhileASeatIsFree has a crowd register at two API processes, of which one has a slow clock, while the
// seat is given back thirty times. Who is refused from memory must have come before the seat was free or after it was
// taken, and must have no row.
func TestNobodyIsRefusedWhileASeatIsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hall{id: store.NewID(), grants: 200 * time.Millisecond, last: 1, rows: []store.NumberedUser{{Number: 1, UserID: store.NewID()}}}
		var reading, people sync.WaitGroup
		processes := make([]*Leases, 2)
		for i := range processes {
			processes[i] = New(Config{Entered: h.entered, Go: reading.Go, Timeout: time.Second, Ending: make(chan struct{}), Log: zerolog.Nop()})
		}
		right := processes[1].now
		processes[1].now = func() moment { m := right(); return moment{m.ran * 995 / 1000, m.wall * 995 / 1000} }

		var mu sync.Mutex // guards denied
		var denied []time.Time
		end := make(chan struct{})
		for i := range 200 {
			people.Go(func() {
				for {
					select {
					case <-end:
						return
					case <-time.After(rand.N(100 * time.Millisecond)):
					}
					user := store.NewID()
					h.mu.Lock()
					if rand.N(50) == 0 {
						user = h.rows[rand.N(len(h.rows))].UserID
					}
					entered := slices.ContainsFunc(h.rows, func(u store.NumberedUser) bool { return u.UserID == user })
					h.mu.Unlock()
					asked := false
					processes[i%2].Answer(h.id, user, func(lease bool) messages.Answer {
						asked = true
						return messages.Answer{Reply: h.register(user, lease)}
					})
					if asked {
						continue
					}
					if entered {
						t.Error("who has a row is refused from memory")
					}
					mu.Lock()
					denied = append(denied, time.Now()) // no time has passed since they came, or the lease came while they waited
					mu.Unlock()
				}
			})
		}
		for range 30 {
			time.Sleep(time.Second/4 + rand.N(time.Second))
			h.giveBack()
		}
		time.Sleep(time.Second)
		close(end)
		people.Wait()
		reading.Wait()
		if len(h.taken) != 30 || len(denied) < 10_000 {
			t.Fatalf("the seat was taken %d times, and %d were refused from memory", len(h.taken), len(denied))
		}
		for _, at := range denied {
			for _, free := range h.taken {
				if at.After(free.from) && at.Before(free.to) {
					t.Errorf("at %v somebody was refused from memory, and the seat was free for %v by then", at, at.Sub(free.from))
				}
			}
		}
		t.Logf("%d refused from memory, %d leases", len(denied), h.lease)
	})
}
