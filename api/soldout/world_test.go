package soldout

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// refused is how many are refused before a lease is asked for, by default.
const refused = 20

// world is an event that is sold out, with a worker that grants leases and a store that knows who has a row. Tests make one
// request at a time, or two where the worker and the store take their time.
type world struct {
	*Leases
	event store.ID
	// Of the worker.
	grants  time.Duration // 0: none
	takes   time.Duration // for the answer to who asks for a lease
	outcome store.Outcome
	asked   []bool // each request that came to the worker, and whether it asked for a lease
	// Of the store.
	rows    []store.NumberedUser
	last    int64
	skew    int64         // how far it is ahead of the worker
	fails   int           // which read fails, from 1; -1: each
	reads   []int64       // after which number each read began
	slow    time.Duration // a read
	hangs   bool
	apart   bool // whether the answer does not wait for a read
	reading sync.WaitGroup
}

// newWorld makes an event with so many people, in which leases of half a second are granted.
func newWorld(people int) *world {
	w := &world{event: store.NewID(), grants: time.Second / 2, outcome: store.SoldOut}
	for range people {
		w.enter(store.NewID())
	}
	w.Leases = New(Config{
		Entered: w.entered, Go: func(read func()) {
			w.reading.Go(read)
			if !w.apart {
				w.reading.Wait()
			}
		},
		Timeout: time.Second, Ending: make(chan struct{}), Log: zerolog.Nop(),
	})
	return w
}

// enter gives a person a row, and a new number where they have one.
func (w *world) enter(user store.ID) {
	w.last++
	w.rows = slices.DeleteFunc(w.rows, func(u store.NumberedUser) bool { return u.UserID == user })
	w.rows = append(w.rows, store.NumberedUser{Number: w.last, UserID: user})
}

// entered reads as store.Registrations does.
func (w *world) entered(ctx context.Context, _ store.ID, after int64, limit int) (store.Event, []store.NumberedUser, error) {
	w.reads = append(w.reads, after)
	time.Sleep(w.slow)
	if w.hangs {
		<-ctx.Done()
	}
	var list []store.NumberedUser
	for _, u := range w.rows {
		if u.Number > after && u.Number <= w.last+w.skew && len(list) < limit {
			list = append(list, u)
		}
	}
	if w.fails == -1 || w.fails == len(w.reads) {
		return store.Event{}, nil, store.ErrUnavailable
	}
	return store.Event{ID: w.event, LastNumber: w.last + w.skew}, list, nil
}

// reply is what the worker answers.
func (w *world) reply(lease bool) messages.Answer {
	w.asked = append(w.asked, lease)
	reply := messages.SeatReply{Outcome: w.outcome}
	if lease {
		time.Sleep(w.takes)
		reply.LeaseMillis, reply.LastNumber = w.grants.Milliseconds(), w.last
	}
	return messages.Answer{Reply: reply}
}

// sent reports whether the request of a user goes to the worker.
func (w *world) sent(user store.ID) bool {
	before := len(w.asked)
	got := w.Answer(w.event, user, w.reply)
	if got.Reply.Outcome == store.SoldOut && got.Reply.LeaseMillis == 0 || len(w.asked) > before {
		return len(w.asked) > before
	}
	panic("an answer from memory that is not simply \"sold out\"")
}

// strangers has people without a row come, one after the other.
func (w *world) strangers(n int) {
	for range n {
		w.sent(store.NewID())
	}
}

// slowly has strangers come, one at a time.
func (w *world) slowly(n int, every time.Duration) {
	for range n {
		w.sent(store.NewID())
		time.Sleep(every)
	}
}

// rush has as many strangers come as it takes to be granted a lease.
func (w *world) rush() { w.strangers(refused + 1) }

// leases counts the requests that asked for a lease.
func (w *world) leases() (n int) {
	for _, asks := range w.asked {
		if asks {
			n++
		}
	}
	return n
}
