package worker

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

func names(batch []request) (all string) {
	for _, r := range batch {
		all += r.RequestID
	}
	return all
}

// TestWhatIsPutAsideComesBackFirst: all that an event holds is in one batch, at its time and not before, ahead of what came meanwhile.
func TestWhatIsPutAsideComesBackFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, event, other := newQueue(10), store.ID{1}, store.ID{2}
		q.put([]request{waiting(event, "a"), waiting(event, "b")})
		batch := q.take(10)
		begun := time.Now()
		until := begun.Add(time.Second)
		if !q.putAside(batch[0], until) || !q.putAside(batch[1], until.Add(time.Hour)) || q.heldRequests() != 2 {
			t.Fatal("there is room")
		}
		q.put([]request{waiting(event, "c"), waiting(other, "x")})
		q.release(batch)
		if got := names(q.take(10)); got != "cx" && got != "xc" || q.length() != 0 {
			t.Errorf("meanwhile comes %q", got)
		}
		q.put([]request{waiting(event, "d")}) // behind the batch in flight
		time.Sleep(time.Second)
		synctest.Wait()
		if q.heldRequests() != 0 || q.length() != 3 {
			t.Fatalf("%d are held and %d wait", q.heldRequests(), q.length())
		}
		q.release([]request{waiting(event, "c"), waiting(other, "x")})
		if got := names(q.take(10)); got != "abd" {
			t.Errorf("then comes %q", got)
		}
	})
}

// TestAQueueThatIsClosedWaitsForWhatItHolds, and whoever takes from it learns when there is nothing more.
func TestAQueueThatIsClosedWaitsForWhatItHolds(t *testing.T) {
	for name, end := range map[string]func(*queue){
		"until its time": func(*queue) { time.Sleep(time.Second) },
		"or is recalled": func(q *queue) { q.recallAll() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q, event := newQueue(10), store.ID{1}
				if !q.putAside(waiting(event, "a"), time.Now().Add(time.Second)) {
					t.Fatal("there is room")
				}
				q.close()
				taken := make(chan string, 2)
				for range 2 {
					go func() {
						batch := q.take(10)
						taken <- names(batch)
						q.release(batch)
					}()
				}
				synctest.Wait()
				if len(taken) > 0 {
					t.Fatalf("%q is taken before", <-taken)
				}
				end(q)
				if got := <-taken + <-taken; got != "a" {
					t.Errorf("%q are taken", got)
				}
				q.recall(event) // once more does nothing
				if q.take(10) != nil {
					t.Error("something is left")
				}
			})
		})
	}
}

// TestWhatComesBackWaitsOnce checks that an event is in one batch at a time, also when requests of it wait or are applied as others
// come back.
func TestWhatComesBackWaitsOnce(t *testing.T) {
	for name, inFlight := range map[string]bool{"one waits": false, "one is applied": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q, event := newQueue(10), store.ID{1}
				q.put([]request{waiting(event, "b")})
				var batch []request
				if inFlight {
					batch = q.take(1)
				}
				if !q.putAside(waiting(event, "a"), time.Now().Add(time.Hour)) {
					t.Fatal("there is room")
				}
				if q.recallAll(); !inFlight {
					batch = q.take(1)
				}
				taken := make(chan string, 1)
				go func() { taken <- names(q.take(1)) }()
				synctest.Wait()
				if len(taken) > 0 {
					t.Fatalf("%q is taken while %q is in flight", <-taken, names(batch))
				}
				q.release(batch)
				if second := <-taken; names(batch) == second || len(second) != 1 {
					t.Errorf("%q is taken, and then %q", names(batch), second)
				}
			})
		})
	}
}

// TestWhatIsRecalledDoesNotRecallWhatFollows checks that requests which are put aside anew are held until their own time.
func TestWhatIsRecalledDoesNotRecallWhatFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, event := newQueue(10), store.ID{1}
		for _, until := range []time.Duration{time.Second, time.Hour} {
			q.recallAll()
			if !q.putAside(waiting(event, "a"), time.Now().Add(until)) {
				t.Fatal("there is room")
			}
		}
		time.Sleep(time.Minute)
		if n := q.heldRequests(); n != 1 {
			t.Errorf("%d requests are held before their time", n)
		}
		q.recallAll()
	})
}

// TestWhatIsHeldIsBounded together with what waits.
func TestWhatIsHeldIsBounded(t *testing.T) {
	q, event := newQueue(3), store.ID{1}
	q.put([]request{waiting(event, "a")})
	held := []request{waiting(event, "b"), waiting(event, "c"), waiting(event, "d")}
	for i, r := range held {
		if room := q.putAside(r, time.Now().Add(time.Hour)); room != (i < 2) {
			t.Errorf("%s is held: %t", r.RequestID, room)
		}
	}
	if q.heldRequests() != 2 || q.put(held) != 0 {
		t.Error("more is taken")
	}
	q.recallAll()
	if q.length() != 3 || q.put(held) != 0 {
		t.Errorf("%d wait", q.length())
	}
}
