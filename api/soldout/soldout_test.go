package soldout

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

func TestWhoIsRefusedFromMemory(t *testing.T) {
	stranger := func(*world) store.ID { return store.NewID() }
	row := func(n int) func(*world) store.ID { return func(w *world) store.ID { return w.rows[n].UserID } }
	for name, c := range map[string]struct {
		set    func(*world)
		before func(*world)
		who    func(*world) store.ID
		worker bool // answers
	}{
		"a stranger in a rush is refused":        {before: (*world).rush, who: stranger},
		"nobody was refused yet":                 {who: stranger, worker: true},
		"too few were refused":                   {before: func(w *world) { w.strangers(refused) }, who: stranger, worker: true},
		"who has a row is answered by a worker":  {before: (*world).rush, who: row(0), worker: true},
		"so is the last who has one":             {before: (*world).rush, who: row(49), worker: true},
		"another event has no lease":             {before: func(w *world) { w.rush(); w.event = store.NewID() }, who: stranger, worker: true},
		"a lease lasts until it is due":          {before: func(w *world) { w.rush(); time.Sleep(w.grants*7/10 - 1) }, who: stranger},
		"a lease ends":                           {before: func(w *world) { w.rush(); time.Sleep(w.grants) }, who: stranger, worker: true},
		"a lease counts from the sending":        {before: func(w *world) { w.strangers(refused); w.takes = w.grants; w.strangers(1) }, who: stranger, worker: true},
		"a lease of a second at most is taken":   {set: func(w *world) { w.grants = time.Hour }, before: func(w *world) { w.rush(); time.Sleep(store.MaxLease) }, who: stranger, worker: true},
		"a lease of less than no time is none":   {set: func(w *world) { w.grants = -time.Second }, before: (*world).rush, who: stranger, worker: true},
		"workers grant none":                     {set: func(w *world) { w.grants = 0 }, before: (*world).rush, who: stranger, worker: true},
		"another refusal brings none":            {before: func(w *world) { w.strangers(refused); w.outcome = store.RegistrationClosed; w.strangers(1) }, who: stranger, worker: true},
		"an event of nobody has none":            {set: func(w *world) { w.rows, w.last = nil, 0 }, before: (*world).rush, who: stranger, worker: true},
		"the store cannot tell who has a row":    {set: func(w *world) { w.fails = -1 }, before: (*world).rush, who: stranger, worker: true},
		"the store tells of a past":              {set: func(w *world) { w.skew = -1 }, before: (*world).rush, who: stranger, worker: true},
		"the store tells of what came later":     {set: func(w *world) { w.skew = 1 }, before: (*world).rush, who: stranger, worker: true},
		"many rows are read piece by piece":      {set: func(w *world) { w.bounds.piece = 7 }, before: (*world).rush, who: stranger},
		"of these pieces everybody is known":     {set: func(w *world) { w.bounds.piece = 7 }, before: (*world).rush, who: row(48), worker: true},
		"pieces that come out even are all":      {set: func(w *world) { w.bounds.piece = 25 }, before: (*world).rush, who: stranger},
		"an event with too many people has none": {set: func(w *world) { w.bounds.people = 49 }, before: (*world).rush, who: stranger, worker: true},
		"as many people as may be are known":     {set: func(w *world) { w.bounds.people = 50 }, before: (*world).rush, who: stranger},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(50)
				for _, do := range []func(*world){c.set, c.before} {
					if do != nil {
						do(w)
					}
				}
				if got := w.sent(c.who(w)); got != c.worker {
					t.Errorf("a worker answers: %v, after %d requests", got, len(w.asked))
				}
			})
		})
	}
}

// TestALeaseEndsByEitherClock has one of the clocks jump: the process did not run while the machine slept, or somebody set
// the clock on the wall.
func TestALeaseEndsByEitherClock(t *testing.T) {
	for name, c := range map[string]struct {
		ran, wall time.Duration
		over      bool
	}{
		"both stand still":                                      {0, 0, false},
		"the machine slept":                                     {time.Millisecond, time.Second / 2, true},
		"the machine slept for long":                            {0, time.Hour, true},
		"the wall clock was set back":                           {time.Second / 4, -time.Hour, false},
		"it ends all the same when the wall clock was set back": {time.Second / 2, -time.Hour, true},
		"the wall clock is a little ahead":                      {time.Millisecond, time.Second / 4, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(3)
			at := moment{time.Hour, 1000 * time.Hour}
			w.now = func() moment { return at }
			w.rush()
			at = moment{at.ran + c.ran, at.wall + c.wall}
			if got := w.sent(store.NewID()); got != c.over {
				t.Errorf("a worker answers: %v", got)
			}
		})
	}
}

// TestOneRequestRenewsALease counts who asks for a lease.
func TestOneRequestRenewsALease(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*world)
		asks int
		sent int // requests that a worker had
	}{
		"none before so many are refused":                  {func(w *world) { w.strangers(refused) }, 0, refused},
		"one then":                                         {func(w *world) { w.strangers(100) }, 1, refused + 1},
		"none where few come in a second":                  {func(w *world) { w.slowly(100, rushWindow/(refused-2)) }, 0, 100},
		"one more when it is due":                          {func(w *world) { w.rush(); time.Sleep(w.grants * 7 / 10); w.strangers(100) }, 2, refused + 2},
		"one more when it is over":                         {func(w *world) { w.rush(); time.Sleep(w.grants); w.strangers(100) }, 2, refused + 2},
		"none after the rush":                              {func(w *world) { w.rush(); time.Sleep(3 * rushWindow); w.strangers(5) }, 1, refused + 6},
		"one each time while many are refused from memory": {func(w *world) { w.rush(); w.slowly(1000, 10*time.Millisecond) }, 1 + 10_000/350, refused + 1 + 10_000/350},
		"one after the other while they are denied": {func(w *world) {
			w.grants = 0
			w.strangers(refused + 10)
		}, 10, refused + 10},
		"none of who has a row": {func(w *world) {
			w.rush()
			time.Sleep(w.grants)
			for _, u := range w.rows {
				w.sent(u.UserID)
			}
		}, 1, refused + 1 + 50},
		"none for an event with too many people": {func(w *world) { w.bounds.people = 49; w.strangers(100) }, 1, 100},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(50)
				c.do(w)
				if w.leases() != c.asks || len(w.asked) != c.sent {
					t.Errorf("%d of %d requests asked for a lease, want %d of %d", w.leases(), len(w.asked), c.asks, c.sent)
				}
			})
		})
	}
}

// TestWhoCameSinceIsRead looks at what is read for the second lease.
func TestWhoCameSinceIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		between func(*world)
		reads   []int64 // after which numbers
	}{
		"nobody came":                 {func(*world) {}, []int64{0}},
		"somebody came":               {func(w *world) { w.enter(store.NewID()) }, []int64{0, 50}},
		"somebody came again":         {func(w *world) { w.enter(w.rows[7].UserID) }, []int64{0, 50}},
		"some come with gaps between": {func(w *world) { w.bounds.piece = 1; w.last += 10; w.enter(store.NewID()); w.enter(store.NewID()) }, []int64{0, 50, 61, 62}},
		"somebody is gone":            {func(w *world) { w.rows = w.rows[1:] }, []int64{0}},
		"the last are gone":           {func(w *world) { w.rows = w.rows[:40]; w.last += 2 }, []int64{0, 50}},
		"what was read before a fault is": {func(w *world) {
			w.bounds.piece = 2
			w.enter(store.NewID())
			w.enter(store.NewID())
			w.enter(store.NewID())
			w.fails = 3
		}, []int64{0, 50, 52, 52}},
		"what a past tells is not believed": {func(w *world) { w.enter(store.NewID()); w.skew = -1; w.strangers(1); w.skew = 0 }, []int64{0, 50, 50}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(50)
				w.rush()
				time.Sleep(w.grants)
				c.between(w)
				w.strangers(refused + 1)
				if !slices.Equal(w.reads, c.reads) {
					t.Errorf("read after %v, want after %v", w.reads, c.reads)
				}
				for _, u := range w.rows {
					if !w.sent(u.UserID) {
						t.Errorf("the person with number %d is refused from memory", u.Number)
					}
				}
				if w.sent(store.NewID()) {
					t.Error("there is no lease")
				}
			})
		})
	}
}

// TestAnEarlierRequestIsNotDenied makes requests while another one is not answered.
func TestAnEarlierRequestIsNotDenied(t *testing.T) {
	user := store.NewID()
	for name, c := range map[string]struct {
		other  func(*world) (event, user store.ID)
		worker bool
	}{
		"of the same person":                  {func(w *world) (store.ID, store.ID) { return w.event, user }, true},
		"of another person":                   {func(w *world) (store.ID, store.ID) { return w.event, store.NewID() }, false},
		"of the same person at another event": {func(*world) (store.ID, store.ID) { return store.NewID(), user }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(50)
				earlier, earlierUser := c.other(w)
				w.Answer(earlier, earlierUser, func(bool) messages.Answer { // begun before anybody was refused
					w.rush()
					if got := w.sent(user); got != c.worker {
						t.Errorf("a worker answers: %v", got)
					}
					return messages.Answer{Reply: messages.SeatReply{Outcome: store.SoldOut}}
				})
				if w.sent(user) {
					t.Error("a worker answers when the earlier request is answered")
				}
			})
		})
	}
}
