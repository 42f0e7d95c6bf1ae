package mongostore

import (
	"context"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/changes"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/scan"
	"github.com/eventio/eventio/pkg/store/storetest/tooltest"
)

func TestTools(t *testing.T) {
	tooltest.Run(t, func(tb testing.TB) tooltest.Target {
		uri := testenv.MongoDB(tb)
		s := open(tb, uri, "tools")
		a, err := OpenVerifyReader(tb.Context(), uri)
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() {
			if err := a.Close(); err != nil {
				tb.Error(err)
			}
		})
		removeSearch := func(tb testing.TB, id store.ID) {
			tb.Helper()
			_, err := s.events.UpdateByID(tb.Context(), id, bson.D{{Key: "$unset", Value: bson.D{{Key: "beginnings", Value: 1}, {Key: "available", Value: 1}}}})
			if err != nil {
				tb.Fatal(err)
			}
		}
		change := func(do func(ctx context.Context, key bson.D, packed []byte) error) func(testing.TB, store.ChangeRecord) {
			return func(tb testing.TB, r store.ChangeRecord) {
				tb.Helper()
				if err := do(tb.Context(), bson.D{{Key: "event_id", Value: r.EventID}, {Key: "revision", Value: r.Revision}}, changes.Pack(r)); err != nil {
					tb.Fatal(err)
				}
			}
		}
		setPacked := func(ctx context.Context, key bson.D, packed []byte) error {
			_, err := s.changes.UpdateByID(ctx, key, bson.D{{Key: "$set", Value: bson.D{{Key: "packed", Value: packed}}}})
			return err
		}
		return tooltest.Target{
			SetChange: change(setPacked),
			CutChange: change(func(ctx context.Context, key bson.D, packed []byte) error {
				return setPacked(ctx, key, packed[:len(packed)-1])
			}),
			RemoveChange: change(func(ctx context.Context, key bson.D, _ []byte) error {
				_, err := s.changes.DeleteOne(ctx, bson.D{{Key: "_id", Value: key}})
				return err
			}),
			Store: s, VerifyReader: a, RemoveSearch: removeSearch, SetCounters: func(tb testing.TB, e store.Event) {
				tb.Helper()
				_, err := s.events.UpdateByID(tb.Context(), e.ID, bson.D{{Key: "$set", Value: bson.D{
					{Key: "capacity", Value: e.Capacity}, {Key: "tickets_sold", Value: e.TicketsSold}, {Key: "waiting", Value: e.Waiting},
					{Key: "last_number", Value: e.LastNumber}, {Key: "confirmed_through", Value: e.ConfirmedThrough},
				}}})
				if err != nil {
					tb.Fatal(err)
				}
			}}
	})
}

func TestCanonicalKeys(t *testing.T) {
	a, b := store.NewID(), store.NewID()
	for name, c := range map[string]struct {
		key  any
		want bool
	}{
		"as it is written": {registrationKey{a, b}, true},
		"the other order":  {bson.D{{Key: "event_id", Value: b}, {Key: "user_id", Value: a}}, false},
		"one field more":   {bson.D{{Key: "user_id", Value: a}, {Key: "event_id", Value: b}, {Key: "x", Value: 1}}, false},
		"one field less":   {bson.D{{Key: "user_id", Value: a}}, false},
		"a text":           {bson.D{{Key: "user_id", Value: a.Hex()}, {Key: "event_id", Value: b}}, false},
		"nothing":          {bson.D{}, false},
	} {
		raw, err := bson.Marshal(c.key)
		if err != nil {
			t.Fatal(err)
		}
		if got := scan.Canonical(raw); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
