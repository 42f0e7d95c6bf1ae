package mongostore

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/migrate"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/scan"
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
	rows := scan.OpenRows(ctx, ids, r.s.registrations, r.s.changes)
	defer rows.Close()
	decode := func(raw bson.Raw) (store.Registration, error) { return r.registration(ctx, raw) }
	for _, s := range page {
		s.Registrations, s.Changes = rows.Registrations(s.ID, decode), rows.Records(s.ID)
		if err := read(s); err != nil {
			return 0, err
		}
	}
	return len(page), nil
}

// events reads the first of some events that may be read in one snapshot, without what belongs to them.
func (r *VerifyReader) events(ctx context.Context, ids []store.ID) ([]verify.Snapshot, error) {
	found := make(map[store.ID]verify.Snapshot, len(ids))
	for s, err := range scan.Documents(ctx, r.s.events, mongodb.In("_id", ids), options.Find(), func(raw bson.Raw) (verify.Snapshot, error) {
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
		for id, err := range scan.Documents(ctx, who, mongodb.In("_id", organizers), options.Find().SetProjection(mongodb.OnlyID()), func(raw bson.Raw) (store.ID, error) {
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
		return verify.Snapshot{ID: id, Damaged: scan.Damaged("event %s: it cannot be read: %v", id.Hex(), err)}
	}
	s := verify.Snapshot{ID: id, Event: d.Event, Found: true}
	if r.version >= migrate.SearchStep {
		s.StaleSearch = d.staleSearch()
	}
	return s
}

// registration decodes a registration and checks its key. The key is unique; that a user has no two
// registrations in an event follows only if each user and event can have one key.
func (r *VerifyReader) registration(ctx context.Context, raw bson.Raw) (store.Registration, error) {
	var d registrationDoc
	if err := bson.Unmarshal(raw, &d); err != nil {
		return store.Registration{}, scan.Damaged("the registration %s cannot be read: %v", raw.Lookup("_id"), err)
	}
	key, ok := raw.Lookup("_id").DocumentOK()
	if ok && scan.Canonical(key) {
		return d.registration(), nil
	}
	twin := r.s.registrations.FindOne(ctx, bson.D{{Key: "_id", Value: d.Key}}).Err()
	if twin == nil {
		return store.Registration{}, scan.Damaged("user %s is there twice, once under the key %s", d.Key.UserID.Hex(), key)
	}
	return store.Registration{}, scan.Damaged("the key %s of a registration is not {user_id, event_id}: it does not keep its user from being there twice", key)
}
