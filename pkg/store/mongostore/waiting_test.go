package mongostore

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/migrate"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/pkg/store/storetest/seats"
	"github.com/eventio/eventio/pkg/store/waiting"
)

// TestUncountedGaps checks that nobody has a wrong position by gaps that were not counted, and that the step of
// the schema counts them.
func TestUncountedGaps(t *testing.T) {
	s := open(t, testenv.MongoDB(t), "gaps")
	all := s.events.Database().Collection("waiting_gaps")
	seats.UncountedGaps(t, s, func(event store.ID) (gaps []waiting.Gaps) {
		docs, err := mongodb.FindAll[struct {
			Key struct {
				Block int64 `bson:"block"`
			} `bson:"_id"`
			Count int64 `bson:"count"`
		}](t.Context(), all, bson.D{{Key: "_id.event_id", Value: event}}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range docs {
			gaps = append(gaps, waiting.Gaps{Block: d.Key.Block, Count: d.Count})
		}
		return gaps
	}, func(event store.ID) {
		if _, err := all.DeleteMany(t.Context(), bson.D{{Key: "_id.event_id", Value: event}}); err != nil {
			t.Fatal(err)
		}
	}, func() {
		step := migrate.Steps()[migrate.WaitingStep-1]
		if err := step.Run(t.Context(), s.events.Database(), func(int64, int64) {}); err != nil {
			t.Fatal(err)
		}
	})
}

// TestAPositionCostsTheSameEverywhere checks that a position reads a few blocks of keys, wherever in a long list
// it is, also when people have left.
func TestAPositionCostsTheSameEverywhere(t *testing.T) {
	s, r := recorded(t, testenv.MongoDB(t), "recorded")
	const size = 20 * waiting.BlockSize
	event := storetest.NewWaitlistEvent(t, s, 1)
	cost := func(number int64) (keys int64) {
		t.Helper()
		r.take()
		if _, err := s.Position(storetest.Context(t), event.ID, number); err != nil {
			t.Fatal(err)
		}
		for _, command := range r.take() {
			for _, query := range queries(t, command) {
				keys += explain(t, s, query).keys
			}
		}
		return keys
	}
	var last store.SeatRequest
	for range size / 1024 {
		batch := storetest.NewRequests(event.ID, 1024)
		storetest.MustApply(t, s, batch...)
		last = batch[500]
	}
	for _, number := range []int64{2, size / 2, size} {
		if keys := cost(number); keys > 1 {
			t.Errorf("number %d of a list that nobody has left costs %d keys", number, keys)
		}
	}
	storetest.MustApply(t, s, storetest.NewCancel(last))
	for _, number := range []int64{2, size / 3, size / 2, size - 1} {
		if keys := cost(number); keys > 2*waiting.BlockSize+10 {
			t.Errorf("number %d of a list that somebody has left costs %d keys", number, keys)
		}
	}
}
