package lists

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/search"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// costPage is how many events a page of CheckCosts has.
const costPage = 20

// CheckCosts reads pages of many events with every kind of filter, in both orders, from the beginning
// and from a cursor, and checks their events and what they cost. load stores the events; examined
// returns how many entries of indexes were read since it was last called.
func CheckCosts(t *testing.T, s store.Store, load func(testing.TB, []store.Event), examined func(testing.TB) int) {
	t.Helper()
	organizer := store.NewID()
	all := manyEvents(organizer)
	load(t, all)
	slices.SortFunc(all, func(a, b store.Event) int { return a.Cursor().Compare(b.Cursor()) })
	middle := all[len(all)/2].Cursor() // most events start when this one does
	examined(t)
	for _, words := range []string{"", "common", "rare", "absent", "left", "left right", "common rare", "common left c"} {
		for filters := range 32 {
			has := func(bit int) bool { return filters&(1<<bit) != 0 }
			q := store.EventQuery{Limit: costPage, Available: has(0), Descending: has(1)}
			if words != "" {
				q.Words = search.Words(words)
			}
			if has(2) {
				q.OrganizerID = organizer
			}
			if has(3) {
				q.After = &middle
			}
			if has(4) {
				q.From, q.To = all[3].StartsAt, all[len(all)-3].StartsAt
			}
			t.Run(fmt.Sprintf("%s/%05b", words, filters), func(t *testing.T) { checkListCost(t, s, q, all, examined) })
		}
	}
}

func checkListCost(t *testing.T, s store.Store, q store.EventQuery, all []store.Event, examined func(testing.TB) int) {
	want := slices.DeleteFunc(slices.Clone(all), func(e store.Event) bool {
		behind := q.After == nil || e.Cursor().Compare(*q.After) > 0 != q.Descending && e.Cursor() != *q.After
		return !behind || !search.Matches(q, e)
	})
	if q.Descending {
		slices.Reverse(want)
	}
	lists := len(q.Words)
	if lists == 0 || q.Available || !q.OrganizerID.IsZero() {
		lists++
	}
	for pages := 0; ; pages++ {
		page := storetest.FindPage(t, s, q)
		n := len(page.Events)
		if n > len(want) || !sameEvents(page.Events, want[:n]) {
			t.Fatalf("page %d has %d events that are not the next ones", pages, n)
		}
		want = want[n:]
		looked, most := examined(t), costPage+10
		if lists > 1 { // where conditions meet seldom, this is when a page ends with what it has
			most = 1000 + 400*lists
		}
		if looked > most {
			t.Errorf("page %d: %d entries were looked at for %d events", pages, looked, n)
		}
		if page.Next == nil || n == costPage && pages > 0 { // two pages of a long list will do
			if page.Next == nil && len(want) > 0 {
				t.Errorf("the list ends %d events too early", len(want))
			}
			return
		}
		q.After = page.Next
	}
}

// manyEvents makes 3000 events, of which two in three start at the same moment and one in a hundred
// has free seats. Only the last one has both the words left and right.
func manyEvents(organizer store.ID) []store.Event {
	all := make([]store.Event, 3000)
	for i := range all {
		e := store.Event{
			ID: store.NewID(), OrganizerID: store.NewID(), Title: "Common", Venue: "left", Capacity: 5, TicketsSold: 5, ConfirmedThrough: 5,
			LastNumber: 5, StartsAt: storetest.Now().Add(time.Duration(i) * time.Minute), EndsAt: storetest.Now().AddDate(1, 0, 0), CreatedAt: storetest.Now(), Version: 1, Revision: 1,
		}
		if i >= 500 && i < 2500 {
			e.StartsAt = storetest.Now().Add(1000 * time.Minute)
		}
		if i%2 == 1 {
			e.Venue = "right"
		}
		if i%100 == 7 {
			e.TicketsSold = 4
		}
		if i%70 == 7 {
			e.OrganizerID = organizer
		}
		if i%900 == 7 || i == 900 {
			e.Description = "very rare"
		}
		if i == len(all)-1 {
			e.Venue = "left right"
		}
		all[i] = e
	}
	return all
}
