package mongostore

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/migrate"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
	"github.com/eventio/eventio/pkg/store/search"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// TestWhatIsOldFindsNothingWrong checks that lists have only events that match, when a process of
// an earlier version has changed events and left their search fields as they were.
func TestWhatIsOldFindsNothingWrong(t *testing.T) {
	s := open(t, testenv.MongoDB(t), "a")
	full, renamed, cancelled := storetest.NewEvent(t, s, 5), storetest.NewEvent(t, s, 5), storetest.NewEvent(t, s, 5)
	for id, change := range map[store.ID]bson.D{
		full.ID:      {{Key: "tickets_sold", Value: 5}},
		renamed.ID:   {{Key: "title", Value: "Reading"}},
		cancelled.ID: {{Key: "cancelled_at", Value: full.StartsAt}},
	} {
		if _, err := s.events.UpdateByID(t.Context(), id, bson.D{{Key: "$set", Value: change}}); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		query store.EventQuery
		want  int
	}{
		"with places left":            {store.EventQuery{Available: true}, 1},
		"by a word":                   {store.EventQuery{Words: search.Words("concert")}, 2},
		"by a word, with places left": {store.EventQuery{Words: search.Words("concert"), Available: true}, 0},
		"by two words":                {store.EventQuery{Words: search.Words("concert harbour")}, 2},
	} {
		page, err := s.FindEvents(t.Context(), c.query)
		if err != nil || len(page.Events) != c.want {
			t.Errorf("%s: %d events, %v; want %d", name, len(page.Events), err, c.want)
		}
	}
}

// TestFillingGoesOnWhereItWas checks that step 3, interrupted while people register and an
// organizer edits, ends with the right search fields for every event.
func TestFillingGoesOnWhereItWas(t *testing.T) {
	s := open(t, testenv.MongoDB(t), "a")
	const batch = 500 // events at once
	fillSearch := migrate.Steps()[migrate.SearchStep-1].Run
	var docs []any
	for i := range 3*batch + 7 {
		docs = append(docs, store.Event{ID: store.NewID(), Title: "Concert", Capacity: 1, TicketsSold: int64(i % 2), Version: 1, Revision: 1})
	}
	if _, err := s.events.InsertMany(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
	db := s.events.Database()
	for _, index := range migrate.Indexes() {
		if index.Step == migrate.SearchStep {
			if err := s.events.Indexes().DropOne(t.Context(), index.Name()); err != nil {
				t.Fatal(err)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := fillSearch(ctx, db, func(n, _ int64) {
		if n > batch {
			cancel()
		}
	})
	if err == nil {
		t.Fatal("it was not cut off")
	}
	first, last := docs[0].(store.Event).ID, docs[len(docs)-1].(store.Event).ID
	for _, id := range []store.ID{first, last} { // as a process of the version before does
		update := bson.D{{Key: "$set", Value: bson.D{{Key: "tickets_sold", Value: 1}}}, {Key: "$inc", Value: bson.D{{Key: "revision", Value: 1}}}}
		if _, err := s.events.UpdateByID(t.Context(), id, update); err != nil {
			t.Fatal(err)
		}
	}
	var told int64
	if err := fillSearch(t.Context(), db, func(n, all int64) {
		if n <= told || n > all {
			t.Errorf("%d of %d after %d", n, all, told)
		}
		told = n
	}); err != nil {
		t.Fatal(err)
	}
	if absent, err := migrate.Missing(t.Context(), db, migrate.Indexes()); err != nil || len(absent) > 0 {
		t.Fatalf("missing are %v, %v", absent, err)
	}
	stored, err := mongodb.FindAll[storedEvent](t.Context(), s.events, bson.D{}, options.Find())
	if err != nil || len(stored) != len(docs) {
		t.Fatalf("%d events, %v", len(stored), err)
	}
	for _, d := range stored {
		// The first one was filled before a process of the version before sold its place.
		if got := d.staleSearch(); got != "" && (d.Event.ID != first || got != "its places left") {
			t.Errorf("event %s is not found by %s", d.Event.ID.Hex(), got)
		}
	}
}

// TestASlowReadEnds checks that a read ends with its caller's time, with a transient error.
func TestASlowReadEnds(t *testing.T) {
	uri := testenv.MongoDB(t)
	s, admin := open(t, uri, "slow"), open(t, uri, "admin")
	failPoint(t, admin, "alwaysOn", bson.D{
		{Key: "failCommands", Value: bson.A{"find"}}, {Key: "appName", Value: "slow"},
		{Key: "blockConnection", Value: true}, {Key: "blockTimeMS", Value: 3000},
	})
	defer failPoint(t, admin, "off", nil)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, err := s.FindEvents(ctx, store.EventQuery{Words: search.Words("concert")})
	if !errors.Is(err, store.ErrUnavailable) || time.Since(begun) > 2*time.Second {
		t.Fatalf("after %v: %v", time.Since(begun), err)
	}
	failPoint(t, admin, "alwaysOn", bson.D{
		{Key: "failCommands", Value: bson.A{"find"}}, {Key: "appName", Value: "slow"}, {Key: "errorCode", Value: 50}, // MaxTimeMSExpired
	})
	if _, err := s.FindEvents(t.Context(), store.EventQuery{}); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("the server gave up: %v", err)
	}
}
