package mongostore

import (
	"context"
	"fmt"
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
			if err := s.nameAttendees(ctx, chunk); err != nil {
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

// nameAttendees reads the names and addresses of attendees, and fills them in.
func (s *Store) nameAttendees(ctx context.Context, attendees []store.Attendee) error {
	if len(attendees) == 0 {
		return nil
	}
	ids := make([]store.ID, len(attendees))
	for i, a := range attendees {
		ids[i] = a.UserID
	}
	type named struct {
		ID    store.ID `bson:"_id"`
		Name  string   `bson:"name"`
		Email string   `bson:"email"`
	}
	users, err := mongodb.QueryAll[named](ctx, s.users, bson.D{
		{Key: "find", Value: s.users.Name()}, {Key: "filter", Value: mongodb.In("_id", ids)},
		{Key: "projection", Value: bson.D{{Key: "name", Value: 1}, {Key: "email", Value: 1}}},
		{Key: "batchSize", Value: mongodb.BatchSize(len(ids))},
	})
	if err != nil {
		return fmt.Errorf("read the names of attendees: %w", mongodb.ReadError(err, nil))
	}
	byID := make(map[store.ID]named, len(users))
	for _, u := range users {
		byID[u.ID] = u
	}
	for i := range attendees {
		a := &attendees[i]
		a.Name, a.Email = byID[a.UserID].Name, byID[a.UserID].Email
	}
	return nil
}
