package mongostore

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
)

// FindEvents implements store.Finder.
func (s *Store) FindEvents(ctx context.Context, q store.EventQuery) iter.Seq2[store.Event, error] {
	filter := bson.D{}
	var starts bson.D
	if !q.From.IsZero() {
		starts = append(starts, bson.E{Key: "$gte", Value: q.From})
	}
	if !q.To.IsZero() {
		starts = append(starts, bson.E{Key: "$lt", Value: q.To})
	}
	if len(starts) > 0 {
		filter = append(filter, bson.E{Key: "starts_at", Value: starts})
	}
	if !q.OrganizerID.IsZero() {
		filter = append(filter, bson.E{Key: "organizer_id", Value: q.OrganizerID})
	}
	if q.Available {
		filter = append(filter, bson.E{Key: "$expr", Value: bson.D{{Key: "$lt", Value: bson.A{"$tickets_sold", "$capacity"}}}})
	}
	direction, beyond := 1, "$gt"
	if q.Descending {
		direction, beyond = -1, "$lt"
	}
	var all bson.A
	if q.After != nil {
		// The first condition is what the index can use.
		all = append(all, bson.D{{Key: "starts_at", Value: bson.D{{Key: beyond + "e", Value: q.After.StartsAt}}}}, either(
			bson.D{{Key: "starts_at", Value: bson.D{{Key: beyond, Value: q.After.StartsAt}}}},
			bson.D{{Key: "_id", Value: bson.D{{Key: beyond, Value: q.After.ID}}}},
		))
	}
	for _, w := range q.Words {
		part := bson.Regex{Pattern: literally(w)}
		all = append(all, either(bson.D{{Key: "title", Value: part}}, bson.D{{Key: "description", Value: part}}))
	}
	if len(all) > 0 {
		filter = append(filter, bson.E{Key: "$and", Value: all})
	}
	order := options.Find().SetLimit(int64(q.Limit)).
		SetSort(bson.D{{Key: "starts_at", Value: direction}, {Key: "_id", Value: direction}})
	return stream(ctx, s.events, filter, order, eventDoc.event)
}

func either(a, b bson.D) bson.D { return bson.D{{Key: "$or", Value: bson.A{a, b}}} }

// literally is a regular expression that finds the word in any case and nothing else. Every
// character is written as the class of the code points that fold to it: none keeps a
// meaning of its own, nothing repeats, and what counts as equal is store.Fold, not the
// server's version of Unicode.
func literally(word string) string {
	var b strings.Builder
	for _, r := range word {
		b.WriteByte('[')
		for _, c := range store.Cases(r) {
			fmt.Fprintf(&b, `\x{%x}`, c)
		}
		b.WriteByte(']')
	}
	return b.String()
}
