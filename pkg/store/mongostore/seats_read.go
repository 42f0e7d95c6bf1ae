package mongostore

import (
	"cmp"
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/eventcache"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/waitlist"
	"github.com/eventio/eventio/pkg/store/proven"
)

func newLoaded(events []eventDoc, registrations []registrationDoc) eventcache.Loaded {
	l := eventcache.New(len(events))
	for _, d := range events {
		l.States[d.ID] = store.EventState{Event: d.Event, Registrations: make(map[store.ID]store.Registration)}
		l.Fences[d.ID], l.Refusals[d.ID] = d.Fence, d.Refusals
	}
	for _, d := range registrations {
		if state, ok := l.States[d.Key.EventID]; ok {
			state.Registrations[d.Key.UserID] = d.registration()
		}
	}
	return l
}

// load reads what a batch is decided on, in the transaction of ctx: only there are several reads of
// one moment.
func (s *Store) load(ctx context.Context, batch []store.SeatRequest) (eventcache.Loaded, error) {
	ids, keys := batchKeys(batch)
	events, err := mongodb.FindAll[eventDoc](ctx, s.events, mongodb.In("_id", ids), options.Find().SetProjection(withoutTexts()))
	if err != nil {
		return eventcache.Loaded{}, err
	}
	var registrations []registrationDoc
	if len(events) > 0 && len(keys) > 0 {
		if registrations, err = mongodb.FindAll[registrationDoc](ctx, s.registrations, s.keysOf(ids, keys), options.Find()); err != nil {
			return eventcache.Loaded{}, err
		}
	}
	l := newLoaded(events, registrations)
	for id, state := range l.States {
		repaired := state.Event
		if store.Recounts(state.Event, batch) {
			if state.Counts, err = s.counts(ctx, state.Event); err != nil {
				return eventcache.Loaded{}, err
			}
			repaired, _ = state.Counts.Repair(state.Event)
			if err := errors.Join(s.repairSearch(ctx, id), s.lists.Recount(ctx, repaired)); err != nil {
				return eventcache.Loaded{}, err
			}
		}
		switch n, named := store.Promotable(repaired, batch); {
		case !named:
			state.Last, err = s.lists.Nth(ctx, repaired, n)
		case n > 0:
			state.Waiting, err = s.firstWaiting(ctx, repaired, n)
		}
		if err != nil {
			return eventcache.Loaded{}, err
		}
		l.States[id] = state
	}
	s.cache.SetElsewhere(l)
	return l, s.loadProven(ctx, l, batch)
}

// loadSnapshot reads what load does, apart from the waiting list and a recount, in one command at
// one moment. It sees everything that was acknowledged before, unless the primary was deposed and
// does not know it yet. It cannot be part of a transaction, which has no $unionWith.
func (s *Store) loadSnapshot(ctx context.Context, batch []store.SeatRequest) (eventcache.Loaded, error) {
	ids, keys := batchKeys(batch)
	match := func(filter bson.D) bson.D { return bson.D{{Key: "$match", Value: filter}} }
	events, registrations, err := s.snapshot(ctx, mongo.Pipeline{
		match(mongodb.In("_id", ids)), {{Key: "$project", Value: withoutTexts()}},
		{{Key: "$unionWith", Value: bson.D{
			{Key: "coll", Value: s.registrations.Name()}, {Key: "pipeline", Value: mongo.Pipeline{match(s.keysOf(ids, keys))}},
		}}},
	}, len(ids)+len(keys))
	if err != nil {
		return eventcache.Loaded{}, err
	}
	l := newLoaded(events, registrations)
	s.cache.SetElsewhere(l)
	return l, nil
}

// snapshot reads events, and registrations by a $unionWith of the pipeline, in one command at one moment: most of both together.
func (s *Store) snapshot(ctx context.Context, pipeline mongo.Pipeline, most int) (events []eventDoc, registrations []registrationDoc, err error) {
	cursor, err := s.events.Clone(options.Collection().SetReadConcern(readconcern.Snapshot())).Aggregate(ctx, pipeline,
		options.Aggregate().SetBatchSize(int32(most+1)))
	if err != nil {
		return nil, nil, err
	}
	defer mongodb.CloseCursor(ctx, cursor)
	for err == nil && cursor.Next(ctx) {
		if cursor.Current.Lookup("_id").Type == bson.TypeObjectID {
			events, err = appendDecoded(events, cursor)
		} else {
			registrations, err = appendDecoded(registrations, cursor)
		}
	}
	return events, registrations, cmp.Or(err, cursor.Err())
}

// keysOf selects registrations by their keys, which are of those events. A mongos finds the shard of an event in an equality
// with a whole key, but not in a list of keys (shard_key_pattern_test.cpp of MongoDB, and its manual, "Targeted
// Operations"): it would ask all shards. So there the events are named beside. A replica set gets the keys alone, by which it
// finds the registrations in one index, without a choice between two.
func (s *Store) keysOf(ids []store.ID, keys []registrationKey) bson.D {
	filter := mongodb.In("_id", keys)
	if s.sharded {
		filter = append(filter, mongodb.In("_id.event_id", ids)...)
	}
	return filter
}

func appendDecoded[D any](docs []D, cursor *mongo.Cursor) ([]D, error) {
	var d D
	err := cursor.Decode(&d)
	return append(docs, d), err
}

// batchKeys returns the ids of the events of a batch, and the keys of the registrations that it may
// be about.
func batchKeys(batch []store.SeatRequest) (ids []store.ID, keys []registrationKey) {
	seen := make(map[store.ID]bool)
	keys = make([]registrationKey, 0, len(batch)) // never nil, which would be no array
	for _, req := range batch {
		if !seen[req.EventID] {
			seen[req.EventID] = true
			ids = append(ids, req.EventID)
		}
		if !req.UserID.IsZero() {
			keys = append(keys, registrationKey{req.UserID, req.EventID})
		}
	}
	return ids, keys
}

// withoutTexts is a projection that leaves out what no decision needs.
func withoutTexts() bson.D {
	return bson.D{{Key: "title", Value: 0}, {Key: "description", Value: 0}, {Key: "beginnings", Value: 0}}
}

// firstWaiting reads the n registrations of the waiting list with the lowest numbers.
func (s *Store) firstWaiting(ctx context.Context, e store.Event, n int64) ([]store.NumberedUser, error) {
	docs, err := mongodb.FindAll[struct {
		Key    registrationKey `bson:"_id"`
		Number int64           `bson:"number"`
	}](ctx, s.registrations, waitlist.Numbers(e.ID, e.ConfirmedThrough, e.LastNumber),
		orderedByNumber().SetLimit(n).SetProjection(bson.D{{Key: "number", Value: 1}}))
	if err != nil {
		return nil, err
	}
	line := make([]store.NumberedUser, len(docs))
	for i, d := range docs {
		line[i] = store.NumberedUser{Number: d.Number, UserID: d.Key.UserID}
	}
	return line, nil
}

// loadProven reads which users of the batch have proven their addresses, for the events that ask for
// it. A proof is not part of what a transaction decides about: it is read as it is now.
func (s *Store) loadProven(ctx context.Context, l eventcache.Loaded, batch []store.SeatRequest) error {
	need := proven.Need(l.States, batch)
	if len(need) == 0 {
		return nil
	}
	filter := append(mongodb.In("_id", need), bson.E{Key: "email_proven_at", Value: bson.D{{Key: "$gt", Value: time.Time{}}}})
	found, err := mongodb.FindAll[struct {
		ID store.ID `bson:"_id"`
	}](ctx, s.users, filter, options.Find().SetProjection(mongodb.OnlyID()))
	if err != nil {
		return err
	}
	users := make([]store.ID, len(found))
	for i, d := range found {
		users[i] = d.ID
	}
	proven.Note(l.States, users)
	return nil
}
