package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

func testFind(t *testing.T, target Target) {
	s := target.Store
	ada, bob := store.NewID(), store.NewID()
	day := func(n int) time.Time { return now.AddDate(0, 0, n) }
	var all []store.Event
	for i, e := range []store.Event{
		{OrganizerID: ada, Title: "Konzert am Hafen", Description: "Live", StartsAt: day(1), Capacity: 1},
		{OrganizerID: bob, Title: "STRASSE", Description: "ein Fest (mit Musik)", StartsAt: day(2), Capacity: 2},
		{OrganizerID: ada, Title: "Straße 🎟", Description: "100% .*", StartsAt: day(2), Capacity: 2},
		{OrganizerID: bob, Title: "ΤΈΛΟΣ", Description: "Кино под небом\nзавтра", StartsAt: day(3), Capacity: 2},
		{OrganizerID: ada, Title: "İstanbul", Description: "273 \u212A", StartsAt: day(4), Capacity: 2},
	} {
		e.ID, e.EndsAt, e.CreatedAt = store.NewID(), e.StartsAt.Add(time.Hour), now
		if err := s.CreateEvent(context10s(t), e); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		all = append(all, e)
	}
	wantOutcomes(t, apply(t, s, Wish(all[0].ID)), store.Registered) // the first is sold out
	place := func(i int) *store.EventPlace { return &store.EventPlace{StartsAt: all[i].StartsAt, ID: all[i].ID} }
	search := func(text string) store.EventQuery { return store.EventQuery{Words: store.Words(text)} }
	for name, c := range map[string]struct {
		query store.EventQuery
		want  []int // places in all
	}{
		"all":                                {store.EventQuery{}, []int{0, 1, 2, 3, 4}},
		"descending":                         {store.EventQuery{Descending: true}, []int{4, 3, 2, 1, 0}},
		"from is included":                   {store.EventQuery{From: day(2)}, []int{1, 2, 3, 4}},
		"to is excluded":                     {store.EventQuery{To: day(2)}, []int{0}},
		"from and to":                        {store.EventQuery{From: day(2), To: day(3)}, []int{1, 2}},
		"from equals to":                     {store.EventQuery{From: day(2), To: day(2)}, nil},
		"of an organizer":                    {store.EventQuery{OrganizerID: ada}, []int{0, 2, 4}},
		"of nobody":                          {store.EventQuery{OrganizerID: store.NewID()}, nil},
		"with places left":                   {store.EventQuery{Available: true}, []int{1, 2, 3, 4}},
		"limit":                              {store.EventQuery{Limit: 2}, []int{0, 1}},
		"after one of equal start":           {store.EventQuery{After: place(1)}, []int{2, 3, 4}},
		"after, descending, of equal start":  {store.EventQuery{After: place(2), Descending: true}, []int{1, 0}},
		"after the last":                     {store.EventQuery{After: place(4)}, nil},
		"all of it together":                 {store.EventQuery{OrganizerID: ada, From: day(1), Available: true, After: place(0), Limit: 1, Words: store.Words("STRAßE")}, []int{2}},
		"a limit counts only what is found":  {store.EventQuery{Words: store.Words("stra"), Limit: 2}, []int{1, 2}},
		"in any case":                        {search("kONZERT"), []int{0}},
		"in title or description":            {search("musik"), []int{1}},
		"part of a word":                     {search("onzer"), []int{0}},
		"every word, in any order":           {search("hafen live"), []int{0}},
		"a word that is nowhere":             {search("hafen musik"), nil},
		"sharp s is not two letters":         {search("straße"), []int{2}},
		"sharp s in capitals":                {search("STRA\u1E9EE"), []int{2}},
		"greek, with both small sigmas":      {search("τέλος"), []int{3}},
		"greek, with the other small sigma":  {search("τέλοσ"), []int{3}},
		"cyrillic":                           {search("КИНО НЕБОМ"), []int{3}},
		"dotted capital i is not i":          {search("istanbul"), nil},
		"kelvin is k":                        {search("K"), []int{0, 1, 4}},
		"not over a line end":                {search("небом\nзавтра"), []int{3}}, // two words
		"an emoji":                           {search("🎟"), []int{2}},
		"a pattern is text":                  {search(".*"), []int{2}},
		"a pattern that would run for years": {search("(a+)+$"), nil},
		"brackets":                           {search("(mit"), []int{1}},
		"characters with a meaning":          {search(`[\^$.|?*+(){}`), nil},
		"per cent":                           {search("100%"), []int{2}},
		"underscore is no wildcard":          {search("_"), nil},
		"blanks only":                        {search(" \t"), []int{0, 1, 2, 3, 4}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []int
			for _, e := range collect(t, s.FindEvents(context10s(t), c.query)) {
				got = append(got, slices.IndexFunc(all, func(x store.Event) bool { return x.ID == e.ID }))
			}
			if !slices.Equal(got, c.want) {
				t.Fatalf("got %v, want %v", got, c.want)
			}
		})
	}
	t.Run("page by page is the whole", func(t *testing.T) {
		for _, descending := range []bool{false, true} {
			q := store.EventQuery{Descending: descending}
			whole := collect(t, s.FindEvents(context10s(t), q))
			q.Limit = 2
			var paged []store.Event
			for {
				page := collect(t, s.FindEvents(context10s(t), q))
				paged = append(paged, page...)
				if len(page) < q.Limit {
					break
				}
				last := page[len(page)-1]
				q.After = &store.EventPlace{StartsAt: last.StartsAt, ID: last.ID}
			}
			if !slices.Equal(paged, whole) {
				t.Fatalf("got %+v, want %+v", paged, whole)
			}
		}
	})
}

func testLookups(t *testing.T, target Target) {
	s := target.Store
	event := NewEvent(t, s, 2)
	wish := Wish(event.ID)
	seat := apply(t, s, wish)[0].Registration
	t.Run("a registration is read back", func(t *testing.T) {
		if got, err := target.Again(t).Registration(context10s(t), event.ID, wish.UserID); err != nil || got != seat {
			t.Fatalf("got %+v, %v; want %+v", got, err, seat)
		}
	})
	for name, key := range map[string][2]store.ID{
		"of another user": {event.ID, store.NewID()}, "of another event": {store.NewID(), wish.UserID},
	} {
		t.Run("a registration "+name+" is not found", func(t *testing.T) {
			if _, err := s.Registration(context10s(t), key[0], key[1]); !errors.Is(err, store.ErrRegistrationNotFound) {
				t.Fatalf("error is %v, want ErrRegistrationNotFound", err)
			}
		})
	}
	ada := newUser("ada@example.org")
	if err := s.CreateUser(context10s(t), ada); err != nil {
		t.Fatal(err)
	}
	t.Run("a user is read by id", func(t *testing.T) {
		if got, err := target.Again(t).User(context10s(t), ada.ID); err != nil || got != ada {
			t.Fatalf("got %+v, %v; want %+v", got, err, ada)
		}
		if _, err := s.User(context10s(t), store.NewID()); !errors.Is(err, store.ErrUserNotFound) {
			t.Fatalf("error is %v, want ErrUserNotFound", err)
		}
	})
	t.Run("an id that exists is not written twice", func(t *testing.T) {
		for name, err := range map[string]error{
			"user":  s.CreateUser(context10s(t), store.User{ID: ada.ID, Name: "Eve", Email: "eve@example.org", PasswordHash: "x", CreatedAt: now}),
			"event": s.CreateEvent(context10s(t), event),
		} {
			if err == nil {
				t.Errorf("%s: a second one was accepted", name)
			}
		}
		if got := fmt.Sprint(Check(t, s, event.ID)); got != fmt.Sprint([]store.Registration{seat}) {
			t.Errorf("roster is %s", got)
		}
	})
}
