package lists

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/search"
	"github.com/eventio/eventio/pkg/store/storetest"
)

func testSearch(t *testing.T, target storetest.Target) {
	s := target.Store
	ada, bob := store.NewID(), store.NewID()
	day := func(n int) time.Time { return storetest.Now().AddDate(0, 0, n) }
	var all []store.Event
	for i, e := range []store.Event{
		{OrganizerID: ada, Title: "Konzert am Hafen", Description: "Live", StartsAt: day(1), Capacity: 1},
		{OrganizerID: bob, Title: "STRASSE", Description: "ein Fest (mit Musik)", StartsAt: day(2), Capacity: 2},
		{OrganizerID: ada, Title: "Straße 🎟", Description: "100% .*", StartsAt: day(2), Capacity: 2},
		{OrganizerID: bob, Title: "ΤΈΛΟΣ", Description: "Кино под небом\nзавтра, k 9", StartsAt: day(3), Capacity: 2},
		{OrganizerID: ada, Title: "İstanbul", Description: "273 \u212A", Venue: "Žižkov, 東京タワー", StartsAt: day(4), Capacity: 2},
	} {
		e.ID, e.EndsAt, e.CreatedAt = store.NewID(), e.StartsAt.Add(time.Hour), storetest.Now()
		if err := s.CreateEvent(storetest.Context(t), e); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		all = append(all, e)
	}
	storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewRequest(all[0].ID)), store.Registered) // the first is sold out
	place := func(i int) *store.EventCursor { return &store.EventCursor{StartsAt: all[i].StartsAt, ID: all[i].ID} }
	find := func(text string) store.EventQuery { return store.EventQuery{Words: search.Words(text)} }
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
		"of an organizer, with places left":  {store.EventQuery{Available: true, OrganizerID: ada, Descending: true}, []int{4, 2}},
		"limit":                              {store.EventQuery{Limit: 2}, []int{0, 1}},
		"after one of equal start":           {store.EventQuery{After: place(1)}, []int{2, 3, 4}},
		"after, descending, of equal start":  {store.EventQuery{After: place(2), Descending: true}, []int{1, 0}},
		"after the last":                     {store.EventQuery{After: place(4)}, nil},
		"all of it together":                 {store.EventQuery{OrganizerID: ada, From: day(1), Available: true, After: place(0), Limit: 1, Words: search.Words("STRAßE")}, []int{2}},
		"a limit counts only what is found":  {store.EventQuery{Words: search.Words("stra"), Limit: 2}, []int{1, 2}},
		"in any case":                        {find("kONZERT"), []int{0}},
		"in the description":                 {find("musik"), []int{1}},
		"in the place":                       {find("zizkov"), []int{4}},
		"the beginning of a word":            {find("konz"), []int{0}},
		"one character":                      {find("k"), []int{0, 3, 4}},
		"not the rest of a word":             {find("onzert"), nil},
		"every word, in any order":           {find("hafen live"), []int{0}},
		"every word, each somewhere else":    {find("ZIZ 27 istan"), []int{4}},
		"a word that is nowhere":             {find("hafen musik"), nil},
		"sharp s is not two letters":         {find("straße"), []int{2}},
		"sharp s in capitals":                {find("STRA\u1E9EE"), []int{2}},
		"greek, without accents":             {find("τελος"), []int{3}},
		"greek, with the other small sigma":  {find("τέλοσ"), []int{3}},
		"cyrillic":                           {find("КИНО НЕБОМ"), []int{3}},
		"accents that are not there":         {find("Ístänbül"), []int{4}},
		"accents of their own":               {find("z\u030ciz\u030cKOV"), []int{4}},
		"kelvin is k":                        {find("\u212A"), []int{0, 3, 4}},
		"any part where there are no blanks": {find("京タワ"), []int{4}},
		"two lines are two words":            {find("небом\nзавтра"), []int{3}},
		"signs part words":                   {find("(mit/ein)"), []int{1}},
		"signs alone find nothing":           {find("🎟 .*"), nil},
		"a word longer than any":             {find(strings.Repeat("konzert", 50)), nil},
		"no search":                          {store.EventQuery{Words: nil}, []int{0, 1, 2, 3, 4}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []int
			for _, e := range storetest.FindPage(t, s, c.query).Events {
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
			whole := storetest.FindPage(t, s, q).Events
			q.Limit = 2
			var paged []store.Event
			for n := 1; ; n++ {
				page := storetest.FindPage(t, s, q)
				paged = append(paged, page.Events...)
				if page.Next == nil {
					break
				}
				if len(page.Events) != q.Limit {
					t.Fatalf("page %d has %d events and a next one", n, len(page.Events))
				}
				q.After = page.Next
			}
			if !sameEvents(paged, whole) {
				t.Fatalf("got %+v, want %+v", paged, whole)
			}
		}
	})
	t.Run("what is edited, filled and cancelled is found as it is", func(t *testing.T) { testSearchAfterEdits(t, s) })
	t.Run("random queries agree with the definition", func(t *testing.T) { testSearchModel(t, s) })
}

// testSearchAfterEdits checks that the indexes follow an event through every change.
func testSearchAfterEdits(t *testing.T, s store.Store) {
	event := storetest.NewEvent(t, s, 1)
	found := func(q store.EventQuery) bool {
		q.OrganizerID = event.OrganizerID
		return len(storetest.FindPage(t, s, q).Events) == 1
	}
	finds := func(step string, available bool, words map[string]bool) {
		t.Helper()
		if got := found(store.EventQuery{Available: true}); got != available {
			t.Errorf("%s: available is %v", step, got)
		}
		for word, want := range words {
			if got := found(store.EventQuery{Words: search.Words(word)}); got != want {
				t.Errorf("%s: by %q it is found: %v", step, word, got)
			}
			if got := slices.ContainsFunc(storetest.FindPage(t, s, store.EventQuery{Words: search.Words(word), From: event.StartsAt}).Events,
				func(e store.Event) bool { return e.ID == event.ID }); got != want {
				t.Errorf("%s: by %q alone it is found: %v", step, word, got)
			}
		}
	}
	change := func(e store.Edit) {
		e.Version = store.AnyVersion
		storetest.WantOutcomes(t, storetest.MustApply(t, s, storetest.NewEdit(event.ID, e)), store.Edited)
	}
	finds("created", true, map[string]bool{"concert": true, "harb": true, "kiel": false})
	request := storetest.NewRequest(event.ID)
	storetest.MustApply(t, s, request)
	finds("full", false, map[string]bool{"concert": true})
	storetest.MustApply(t, s, storetest.NewCancel(request))
	finds("given back", true, map[string]bool{"concert": true})
	title, place, text, later := "Lesung", "Kiel", "", event.StartsAt.Add(time.Hour)
	change(store.Edit{Title: &title})
	finds("another title", true, map[string]bool{"concert": false, "les": true, "harb": true})
	change(store.Edit{Venue: &place, StartsAt: &later})
	finds("a place, and later", true, map[string]bool{"les": true, "harb": true, "kiel": true})
	change(store.Edit{Description: &text})
	finds("no description", true, map[string]bool{"les": true, "harb": false, "kiel": true})
	storetest.MustApply(t, s, storetest.NewRequest(event.ID))
	two := int64(2)
	finds("full again", false, nil)
	change(store.Edit{Capacity: &two})
	finds("more places", true, nil)
	change(store.Edit{Cancel: true})
	finds("cancelled", false, map[string]bool{"les": true, "kiel": true})
}

// testSearchModel compares random queries with search.Matches over all events, in order.
func testSearchModel(t *testing.T, s store.Store) {
	vocabulary := []string{"Kino", "kinder", "KÄSE", "Hafen", "Haus", "a", "東京"}
	organizers := []store.ID{store.NewID(), store.NewID()}
	starts := func(n int) time.Time { return storetest.Now().AddDate(1, 0, n) }
	text := rapid.Map(rapid.SliceOfN(rapid.SampledFrom(vocabulary), 0, 3), func(words []string) string { return strings.Join(words, " ") })
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(0, 3).Draw(rt, "events") {
			e := store.Event{
				ID: store.NewID(), OrganizerID: rapid.SampledFrom(organizers).Draw(rt, "organizer"), Title: text.Draw(rt, "title"),
				Description: text.Draw(rt, "description"), Venue: text.Draw(rt, "place"), Capacity: 1, CreatedAt: storetest.Now(),
				StartsAt: starts(rapid.IntRange(0, 4).Draw(rt, "starts")), EndsAt: starts(9),
			}
			if err := s.CreateEvent(storetest.Context(t), e); err != nil {
				t.Fatal(err)
			}
			if rapid.Bool().Draw(rt, "full") {
				storetest.MustApply(t, s, storetest.NewRequest(e.ID))
			}
		}
		q := store.EventQuery{
			Available: rapid.Bool().Draw(rt, "available"), Descending: rapid.Bool().Draw(rt, "descending"),
			OrganizerID: rapid.SampledFrom(append(organizers, store.ID{})).Draw(rt, "of"),
			From:        rapid.SampledFrom([]time.Time{{}, starts(1), starts(2)}).Draw(rt, "from"),
			EndsAfter:   rapid.SampledFrom([]time.Time{{}, starts(2)}).Draw(rt, "ends after"),
			To:          rapid.SampledFrom([]time.Time{{}, starts(2), starts(4)}).Draw(rt, "to"),
		}
		if typed := text.Draw(rt, "search"); typed != "" {
			typed = typed[:rapid.IntRange(1, len(typed)).Draw(rt, "cut")]
			q.Words = search.Words(strings.ToValidUTF8(typed, ""))
		}
		want := storetest.Collect(t, search.All(storetest.Context(t), s, store.EventQuery{Descending: q.Descending}))
		want = slices.DeleteFunc(want, func(e store.Event) bool { return !search.Matches(q, e) })
		q.Limit = rapid.IntRange(1, 5).Draw(rt, "limit")
		if got := storetest.Collect(t, search.All(storetest.Context(t), s, q)); !sameEvents(got, want) {
			rt.Fatalf("%+v: got %d events, want %d", q, len(got), len(want))
		}
	})
}

func sameEvents(a, b []store.Event) bool { return slices.EqualFunc(a, b, store.Event.Equal) }
