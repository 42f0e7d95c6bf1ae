package mongostore

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/migrate"
	"github.com/eventio/eventio/pkg/store/storetest/benchtest"
)

func BenchmarkSeats(b *testing.B) { benchtest.Seats(b, target) }

func BenchmarkUserRegistrations(b *testing.B) { benchtest.UserRegistrations(b, target) }

// BenchmarkLists loads the events as the version before stored them, so that the step of the schema
// is measured too.
func BenchmarkLists(b *testing.B) {
	s := open(b, testenv.MongoDB(b), "lists")
	for _, index := range migrate.Indexes() {
		if index.Step == migrate.SearchStep {
			if err := s.events.Indexes().DropOne(b.Context(), index.Name()); err != nil {
				b.Fatal(err)
			}
		}
	}
	benchtest.Search(b, s, func(tb testing.TB, events []store.Event) {
		docs := make([]any, len(events))
		for i, e := range events {
			docs[i] = e
		}
		if _, err := s.events.InsertMany(tb.Context(), docs); err != nil {
			tb.Fatal(err)
		}
	}, func(tb testing.TB) {
		begun := time.Now()
		if err := migrate.Steps()[migrate.SearchStep-1].Run(tb.Context(), s.events.Database(), func(int64, int64) {}); err != nil {
			tb.Fatal(err)
		}
		var stats struct {
			Size        int64            `bson:"size"`
			StorageSize int64            `bson:"storageSize"`
			IndexSizes  map[string]int64 `bson:"indexSizes"`
		}
		if err := s.events.Database().RunCommand(tb.Context(), bson.D{{Key: "collStats", Value: "events"}}).Decode(&stats); err != nil {
			tb.Fatal(err)
		}
		tb.Logf("step %d took %v; sizes %+v", migrate.SearchStep, time.Since(begun).Round(time.Millisecond), stats)
	})
}

func BenchmarkVerify(b *testing.B) {
	uri := testenv.MongoDB(b)
	s := open(b, uri, "verify")
	reader, err := OpenVerifyReader(b.Context(), uri)
	if err != nil {
		b.Fatal(err)
	}
	defer reader.Close()
	benchtest.Verify(b, s, reader)
}
