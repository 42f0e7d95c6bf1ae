package mongostore

import (
	"context"
	"fmt"
	"iter"
	"math"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/migrate"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/record"
	"github.com/eventio/eventio/pkg/store/verify"
)

// rowsTogether is how many numbers and revisions events have that are read in one snapshot, or one event
// has more. Reading that many takes a few seconds; the server keeps a snapshot for
// minSnapshotHistoryWindowInSeconds (300 by default).
const rowsTogether = 100_000

// ReadEvents implements verify.Reader. The events of a snapshot, their registrations and their records are
// read by one cursor each, so that a small event costs no query of its own.
func (r *VerifyReader) ReadEvents(ctx context.Context, ids []store.ID, read func(verify.Snapshot) error) error {
	for len(ids) > 0 {
		n, err := r.readTogether(ctx, ids, read)
		if err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

// readTogether reads the first of some events in one snapshot, and returns how many these were.
func (r *VerifyReader) readTogether(ctx context.Context, ids []store.ID, read func(verify.Snapshot) error) (int, error) {
	session, err := r.s.client.StartSession(options.Session().SetSnapshot(true))
	if err != nil {
		return 0, mongodb.NothingStored(err)
	}
	defer session.EndSession(context.WithoutCancel(ctx))
	ctx = mongo.NewSessionContext(ctx, session)
	page, err := r.events(ctx, ids)
	if err != nil {
		return 0, err
	}
	ids = ids[:len(page)]
	rows := r.openRows(ctx, ids)
	defer rows.close()
	for _, s := range page {
		s.Registrations, s.Changes = rows.registrations(ctx, r, s.ID), rows.records(s.ID)
		if err := read(s); err != nil {
			return 0, err
		}
	}
	return len(page), nil
}

// events reads the first of some events that may be read in one snapshot, without what belongs to them.
func (r *VerifyReader) events(ctx context.Context, ids []store.ID) ([]verify.Snapshot, error) {
	found := make(map[store.ID]verify.Snapshot, len(ids))
	for s, err := range readDocuments(ctx, r.s.events, mongodb.In("_id", ids), options.Find(), func(raw bson.Raw) (verify.Snapshot, error) {
		return r.event(raw), nil
	}) {
		if err != nil {
			return nil, err
		}
		found[s.ID] = s
	}
	var page []verify.Snapshot
	var organizers []store.ID
	var rows int64
	for _, id := range ids {
		s := found[id]
		s.ID = id
		rows += max(s.Event.LastNumber, 0) + max(s.Event.Revision, 0)
		if len(page) > 0 && (rows > rowsTogether || !s.Found) { // nothing tells how many rows an event without a document has
			break
		}
		page = append(page, s)
		if organizers = append(organizers, s.Event.OrganizerID); !s.Found {
			break
		}
	}
	known := make(map[store.ID]bool)
	for _, who := range []*mongo.Collection{r.s.users, r.s.erasedUsers} {
		for id, err := range readDocuments(ctx, who, mongodb.In("_id", organizers), options.Find().SetProjection(mongodb.OnlyID()), func(raw bson.Raw) (store.ID, error) {
			id, _ := raw.Lookup("_id").ObjectIDOK()
			return id, nil
		}) {
			if err != nil {
				return nil, fmt.Errorf("look for organizers: %w", err)
			}
			known[id] = true
		}
	}
	for i := range page {
		page[i].OrganizerKnown = known[page[i].Event.OrganizerID]
	}
	return page, nil
}

// event reads a document of the collection events.
func (r *VerifyReader) event(raw bson.Raw) verify.Snapshot {
	id, _ := raw.Lookup("_id").ObjectIDOK()
	var d storedEvent
	if err := bson.Unmarshal(raw, &d); err != nil {
		return verify.Snapshot{ID: id, Damaged: damaged("event %s: it cannot be read: %v", id.Hex(), err)}
	}
	s := verify.Snapshot{ID: id, Event: d.Event, Found: true}
	if r.version >= migrate.SearchStep {
		s.StaleSearch = d.staleSearch()
	}
	return s
}

// eventRows has the rows of some events, by cursors that go through the events in one order.
type eventRows struct {
	held, cancelled, neither mongodb.EventCursor // registrations
	changes                  mongodb.EventCursor
}

// openRows reads the rows of events. It sends nothing yet.
func (r *VerifyReader) openRows(ctx context.Context, ids []store.ID) *eventRows {
	const event, cancelled = "_id.event_id", "cancelled"
	order := bson.D{{Key: event, Value: 1}, {Key: cancelled, Value: 1}, {Key: "number", Value: 1}} // that of the index
	registrations := func(which any) mongodb.EventCursor {
		return mongodb.NewEventCursor(ctx, r.s.registrations, append(mongodb.In(event, ids), bson.E{Key: cancelled, Value: which}), order)
	}
	return &eventRows{
		held: registrations(false), cancelled: registrations(true),
		neither: registrations(bson.D{{Key: "$nin", Value: bson.A{false, true}}}),
		changes: mongodb.NewEventCursor(ctx, r.s.changes, record.OfEvents(ids[0], ids[len(ids)-1]), bson.D{{Key: "_id", Value: 1}}),
	}
}

func (e *eventRows) close() {
	for _, c := range []*mongodb.EventCursor{&e.held, &e.cancelled, &e.neither, &e.changes} {
		c.Close()
	}
}

// records yields the record of an event.
func (e *eventRows) records(id store.ID) iter.Seq2[store.ChangeRecord, error] {
	return func(yield func(store.ChangeRecord, error) bool) {
		for {
			switch raw, err := e.changes.Peek(id); {
			case err != nil:
				yield(store.ChangeRecord{}, err)
				return
			case raw == nil || !yield(record.Decode(raw)):
				return
			}
			e.changes.Take()
		}
	}
}

// registrations yields all registrations of an event by number: it merges those that are cancelled with
// the others, which the index has apart.
func (e *eventRows) registrations(ctx context.Context, r *VerifyReader, id store.ID) iter.Seq2[store.Registration, error] {
	return func(yield func(store.Registration, error) bool) {
		for {
			var from *mongodb.EventCursor
			var row bson.Raw
			var lowest int64 = math.MaxInt64
			for _, c := range []*mongodb.EventCursor{&e.neither, &e.held, &e.cancelled} {
				raw, err := c.Peek(id)
				if err != nil {
					yield(store.Registration{}, err)
					return
				}
				if raw == nil {
					continue
				}
				number, ok := raw.Lookup("number").AsInt64OK()
				if c == &e.neither || !ok {
					number = math.MinInt64 // damaged, and told of first
				}
				if from == nil || number < lowest {
					from, row, lowest = c, raw, number
				}
			}
			if from == nil {
				return
			}
			var next store.Registration
			var err error
			if from == &e.neither {
				err = damaged("the registration %s: cancelled is neither true nor false", row.Lookup("_id"))
			} else {
				next, err = r.registration(ctx, row)
			}
			if !yield(next, err) {
				return
			}
			from.Take()
		}
	}
}

// registration decodes a registration and checks its key. The key is unique; that a user has no two
// registrations in an event follows only if each user and event can have one key.
func (r *VerifyReader) registration(ctx context.Context, raw bson.Raw) (store.Registration, error) {
	var d registrationDoc
	if err := bson.Unmarshal(raw, &d); err != nil {
		return store.Registration{}, damaged("the registration %s cannot be read: %v", raw.Lookup("_id"), err)
	}
	key, ok := raw.Lookup("_id").DocumentOK()
	if ok && canonical(key) {
		return d.registration(), nil
	}
	twin := r.s.registrations.FindOne(ctx, bson.D{{Key: "_id", Value: d.Key}}).Err()
	if twin == nil {
		return store.Registration{}, damaged("user %s is there twice, once under the key %s", d.Key.UserID.Hex(), key)
	}
	return store.Registration{}, damaged("the key %s of a registration is not {user_id, event_id}: it does not keep its user from being there twice", key)
}

// canonical reports whether a key is exactly {user_id: ObjectID, event_id: ObjectID}. It compares
// bytes, because it is called for every registration.
func canonical(key bson.Raw) bool {
	const idSize = 12
	user, event := []byte("\x07user_id\x00"), []byte("\x07event_id\x00")
	at := 4 // after the length
	for _, name := range [][]byte{user, event} {
		if len(key) < at+len(name)+idSize || string(key[at:at+len(name)]) != string(name) {
			return false
		}
		at += len(name) + idSize
	}
	return len(key) == at+1
}
