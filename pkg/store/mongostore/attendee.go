package mongostore

import (
	"context"
	"iter"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/waitlist"
)

// attendeeChunk is for how many registrations the users are read at once.
const attendeeChunk = 500

func (d registrationDoc) attendee() store.Attendee {
	return store.Attendee{UserID: d.Key.UserID, Number: d.Number, RegisteredAt: d.RegisteredAt}
}

// Attendees implements store.Attendees. It reads the users in chunks with $in: a $lookup reads them one
// by one within the server, and takes several times as long.
func (s *Store) Attendees(ctx context.Context, q store.AttendeeQuery) iter.Seq2[store.Attendee, error] {
	direction := 1
	if q.Descending {
		direction = -1
	}
	registrations := mongodb.Stream(ctx, s.registrations, bson.D{
		{Key: "find", Value: s.registrations.Name()}, {Key: "filter", Value: waitlist.Numbers(q.EventID, q.After, q.Through)},
		{Key: "sort", Value: bson.D{{Key: "number", Value: direction}}}, {Key: "limit", Value: q.Limit},
		{Key: "projection", Value: bson.D{{Key: "number", Value: 1}, {Key: "registered_at", Value: 1}}},
		{Key: "batchSize", Value: min(mongodb.BatchSize(q.Limit), attendeeChunk+1)},
	}, registrationDoc.attendee)
	return func(yield func(store.Attendee, error) bool) {
		chunk := make([]store.Attendee, 0, attendeeChunk)
		// send yields the chunk and empties it. It returns false when the reader has enough.
		send := func() bool {
			if err := s.People.NameAttendees(ctx, chunk); err != nil {
				yield(store.Attendee{}, err)
				return false
			}
			for _, a := range chunk {
				if !yield(a, nil) {
					return false
				}
			}
			chunk = chunk[:0]
			return true
		}
		for a, err := range registrations {
			if err != nil {
				yield(store.Attendee{}, err)
				return
			}
			if chunk = append(chunk, a); len(chunk) == attendeeChunk && !send() {
				return
			}
		}
		send()
	}
}
