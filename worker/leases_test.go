package worker

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/leases"
)

// said is what the store says of the leases of an event.
func said(outcome store.Outcome, granted int64, lease time.Duration) store.SeatResult {
	return store.SeatResult{Outcome: outcome, LeasesGranted: granted, Lease: lease}
}

// TestWhenAWorkerKnowsThatLeasesHaveEnded tells what the store says, one after the other with a second or less between, and
// asks then up to which lease they have ended.
func TestWhenAWorkerKnowsThatLeasesHaveEnded(t *testing.T) {
	const long = store.MaxLease
	short := 100 * time.Millisecond
	granted, out := said(store.SoldOut, 3, short), said(store.LeaseOut, 3, short)
	ending := said(store.SoldOut, 3, 0)
	cancel, register := request{}, request{}
	cancel.Kind, register.Kind = messages.KindCancel, messages.KindRegister
	aside := register
	aside.putAside = true
	for name, c := range map[string]struct {
		said  []store.SeatResult
		every time.Duration
		after time.Duration
		asks  request
		want  int64
	}{
		"nothing is known":                                  {nil, 0, time.Hour, cancel, 0},
		"it has granted the last just now":                  {[]store.SeatResult{granted}, 0, leases.Wait(long) - 1, cancel, 0},
		"it has granted the last, and others may be long":   {[]store.SeatResult{granted}, 0, leases.Wait(short), cancel, 0},
		"it has granted the last long ago":                  {[]store.SeatResult{granted}, 0, leases.Wait(long), cancel, 3},
		"it knows how long they are":                        {[]store.SeatResult{granted, out}, 0, leases.Wait(short), cancel, 3},
		"it knows, and one is out":                          {[]store.SeatResult{granted, out}, 0, leases.Wait(short) - 1, cancel, 0},
		"it counts from the grant":                          {[]store.SeatResult{granted, out}, leases.Wait(short), 0, cancel, 3},
		"others have granted":                               {[]store.SeatResult{out}, 0, leases.Wait(short) - 1, cancel, 0},
		"others have granted, and it has waited":            {[]store.SeatResult{out}, 0, leases.Wait(short), cancel, 3},
		"others have granted anew":                          {[]store.SeatResult{granted, said(store.LeaseOut, 4, short)}, time.Second, leases.Wait(short) - 1, cancel, 0},
		"it heard twice, and counts from the first":         {[]store.SeatResult{out, out}, leases.Wait(short), 0, cancel, 3},
		"a registration does not end them":                  {[]store.SeatResult{granted}, 0, time.Hour, register, 0},
		"a registration that waited for them does":          {[]store.SeatResult{granted}, 0, leases.Wait(long), aside, 3},
		"somebody else is about to end them":                {[]store.SeatResult{ending}, 0, abandonedAfter - 1, register, 0},
		"who was about to end them is dead":                 {[]store.SeatResult{ending}, 0, abandonedAfter, register, 3},
		"another is about to end them":                      {[]store.SeatResult{ending, said(store.SoldOut, 4, 0)}, time.Second, abandonedAfter - 1, register, 0},
		"it heard twice of that, and counts from the first": {[]store.SeatResult{ending, ending}, time.Second, abandonedAfter - time.Second, register, 3},
		"what says nothing of leases changes nothing":       {[]store.SeatResult{granted, {Outcome: store.Registered}}, 0, leases.Wait(long), cancel, 3},
		"it was to end them, and did not":                   {[]store.SeatResult{out}, 0, abandonedAfter, register, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var l leaseTimes
				c.asks.EventID = store.ID{1}
				for i, res := range c.said {
					if i > 0 {
						time.Sleep(c.every)
					}
					l.note([]request{{SeatRequest: messages.SeatRequest{EventID: store.ID{2}}}, c.asks}, []store.SeatResult{{Outcome: store.SoldOut}, res})
				}
				time.Sleep(c.after)
				if got := l.ended(c.asks); got != c.want {
					t.Errorf("they have ended up to %d, want %d", got, c.want)
				}
			})
		})
	}
}

// TestLeasesAreCountedOnce: a lease that many are told of is one, and what others have granted is none.
func TestLeasesAreCountedOnce(t *testing.T) {
	for name, c := range map[string]struct {
		results []store.SeatResult
		want    int
	}{
		"two are told of one, and one of none": {[]store.SeatResult{said(store.SoldOut, 3, 1), said(store.SoldOut, 3, 1), {Outcome: store.SoldOut}}, 1},
		"two of one event":                     {[]store.SeatResult{said(store.SoldOut, 3, 1), said(store.SoldOut, 4, 1)}, 2},
		"others have granted, and are asked":   {[]store.SeatResult{said(store.LeaseOut, 4, 1), said(store.SoldOut, 4, 1)}, 0},
		"others have granted, and end them":    {[]store.SeatResult{said(store.SoldOut, 4, 0), said(store.LeaseOut, 4, 1), {Outcome: store.Registered}}, 0},
	} {
		if got := new(leaseTimes).note(make([]request, len(c.results)), c.results); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// TestTheEventsWithLeasesAreBounded checks that any but the last may be forgotten.
func TestTheEventsWithLeasesAreBounded(t *testing.T) {
	var l leaseTimes
	for range 5 * maxLeased {
		event := store.NewID()
		l.note([]request{{SeatRequest: messages.SeatRequest{EventID: event}}}, []store.SeatResult{said(store.SoldOut, 1, 1)})
		if l.events[event].granted != 1 {
			t.Fatal("the last is forgotten")
		}
	}
	if len(l.events) != maxLeased {
		t.Errorf("%d are remembered", len(l.events))
	}
}
