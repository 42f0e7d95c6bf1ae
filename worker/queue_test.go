package worker

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

func waiting(event store.ID, name string) request {
	return request{SeatRequest: messages.SeatRequest{EventID: event, RequestID: name}}
}

// raise is a request that may promote any number of people.
func raise(event store.ID, name string) request {
	r := waiting(event, name)
	r.Kind, r.Edit = messages.KindEditEvent, &store.Edit{Capacity: new(int64(1_000_000))}
	return r
}

// TestQueue uses a queue at random and compares it with a model: it is bounded, an event is in one
// batch at a time and its requests in order of arrival, one that may promote many is alone among
// those of its event, and no request stays behind.
func TestQueue(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const bound = 20
		q := newQueue(bound)
		events := []store.ID{{1}, {2}, {3}}
		lines := make(map[store.ID][]string)
		var flying [][]request
		inFlight := make(map[store.ID]bool)
		held, n := 0, 0
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			ready := slices.ContainsFunc(events, func(e store.ID) bool { return len(lines[e]) > 0 && !inFlight[e] })
			switch action := rapid.IntRange(0, 3).Draw(rt, "action"); {
			case action < 2:
				event := rapid.SampledFrom(events).Draw(rt, "event")
				n++
				name := string(rune(n))
				kind := rapid.SampledFrom([]func(store.ID, string) request{waiting, waiting, raise}).Draw(rt, "kind")
				if ok := q.put([]request{kind(event, name)}) == 1; ok != (held < bound) {
					rt.Fatalf("put with %d held is %v", held, ok)
				} else if ok {
					held++
					lines[event] = append(lines[event], name)
				}
			case action == 2 && ready:
				size := rapid.IntRange(1, 8).Draw(rt, "size")
				batch := q.take(size)
				if len(batch) == 0 || len(batch) > size {
					rt.Fatalf("a batch of %d, at most %d", len(batch), size)
				}
				alone, together := make(map[store.ID]bool), make(map[store.ID]int)
				for _, r := range batch {
					if inFlight[r.EventID] {
						rt.Fatal("an event is in two batches")
					}
					alone[r.EventID] = alone[r.EventID] || promotesMany(r)
					if together[r.EventID]++; alone[r.EventID] && together[r.EventID] > 1 {
						rt.Fatal("a request that may promote many is not alone")
					}
					if lines[r.EventID][0] != r.RequestID {
						rt.Fatalf("%q comes before %q", r.RequestID, lines[r.EventID][0])
					}
					lines[r.EventID] = lines[r.EventID][1:]
				}
				for _, r := range batch {
					inFlight[r.EventID] = true
				}
				held -= len(batch)
				flying = append(flying, batch)
			case action == 3 && len(flying) > 0:
				for _, r := range flying[0] {
					delete(inFlight, r.EventID)
				}
				q.release(flying[0])
				flying = flying[1:]
			}
		}
		for _, batch := range flying {
			q.release(batch)
		}
		q.close()
		for batch := q.take(5); batch != nil; batch = q.take(5) {
			held -= len(batch)
			q.release(batch)
		}
		if held != 0 || q.put([]request{waiting(events[0], "late")}) > 0 {
			rt.Fatalf("%d are left behind", held)
		}
	})
}

func TestAQuietEventIsInTheNextBatch(t *testing.T) {
	q := newQueue(10_000)
	hot, quiet := store.ID{1}, store.ID{2}
	for range 5000 {
		q.put([]request{waiting(hot, "x")})
	}
	q.put([]request{waiting(quiet, "y")})
	batch := q.take(100)
	if len(batch) != 100 || !slices.ContainsFunc(batch, func(r request) bool { return r.EventID == quiet }) {
		t.Fatalf("a batch of %d without the quiet event", len(batch))
	}
}

// TestWhoPromotesManyIsAlone checks what a batch has of an event with edits of the capacity and a recount
// between other requests, and that another event does not wait for that.
func TestWhoPromotesManyIsAlone(t *testing.T) {
	q := newQueue(100)
	hot, other := store.ID{1}, store.ID{2}
	recount, title := waiting(hot, "recount"), waiting(hot, "title")
	recount.Kind = messages.KindRecount
	title.Kind, title.Edit = messages.KindEditEvent, &store.Edit{Title: new("a title")}
	q.put([]request{
		raise(hot, "raise"), waiting(hot, "a"), title, waiting(hot, "b"), recount, raise(hot, "again"), waiting(hot, "c"),
		waiting(other, "d"), waiting(other, "e"),
	})
	for _, want := range [][]string{{"raise", "d", "e"}, {"a", "title", "b"}, {"recount"}, {"again"}, {"c"}} {
		batch := q.take(50)
		var got []string
		for _, r := range batch {
			got = append(got, r.RequestID)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("a batch has %q, want %q", got, want)
		}
		q.release(batch)
	}
}

// TestABatchSharesItsRoom checks how a batch is filled: an equal share for each event, and the rest by those with
// more, the longest waiting first.
func TestABatchSharesItsRoom(t *testing.T) {
	q := newQueue(1000)
	for i, n := range []int{50, 2, 50, 1} {
		for j := range n {
			q.put([]request{waiting(store.ID{byte(i)}, fmt.Sprint(j))})
		}
	}
	got := make(map[byte]int)
	for _, r := range q.take(10) {
		got[r.EventID[0]]++
	}
	if want := map[byte]int{0: 5, 1: 2, 2: 2, 3: 1}; !maps.Equal(got, want) {
		t.Errorf("the batch has %v, want %v", got, want)
	}
	if got := q.waiting; got != 93 {
		t.Errorf("%d wait", got)
	}
}
