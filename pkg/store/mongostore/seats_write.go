package mongostore

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/record"
)

// eventWrite is what a batch writes to one event: its change or, when Before and After are the
// same, only the next fence and whether somebody was refused.
type eventWrite struct {
	store.Change
	fence   int64 // of the event when the batch was decided
	refused bool  // whether the batch refuses somebody
}

// eventWrites lists what the batch writes to each event that it decided about.
func (a *attempt) eventWrites() []eventWrite {
	writes := make([]eventWrite, 0, len(a.States))
	changed := make(map[store.ID]bool, len(a.changes))
	for _, c := range a.changes {
		changed[c.Before.ID] = true
		writes = append(writes, eventWrite{c, a.Fences[c.Before.ID], a.refused[c.Before.ID]})
	}
	for id, state := range a.States {
		if !changed[id] {
			writes = append(writes, eventWrite{store.Change{Before: state.Event, After: state.Event}, a.Fences[id], a.refused[id]})
		}
	}
	return writes
}

// preconditions keep two concurrent batches from breaking a guarantee. They are fields of Store so
// that a test can remove each of them and see a guarantee break.
type preconditions struct {
	// events returns the filter of an update that gives the same delta to several events.
	events func([]eventWrite) bson.D
	// registration returns the document of a registration, whose _id is unique for each user and
	// event.
	registration func(store.Registration) any
	// change returns the document of a row of the record, whose _id is unique for each event and
	// revision.
	change func(store.ChangeRecord) any
}

func newPreconditions() preconditions {
	return preconditions{
		events:       unchanged,
		registration: func(r store.Registration) any { return newRegistrationDoc(r) },
		change:       func(r store.ChangeRecord) any { return record.NewDoc(r) },
	}
}

// unchanged selects the events of writes, which have the same delta, as long as nothing was decided
// about them since they were loaded and each has enough free seats.
func unchanged(writes []eventWrite) bson.D {
	expected := make(bson.A, len(writes))
	for i, w := range writes {
		expected[i] = bson.D{
			{Key: "id", Value: w.Before.ID}, {Key: "revision", Value: w.Before.Revision}, {Key: "fence", Value: w.fence},
			{Key: "granted", Value: w.Before.LeasesGranted},
		}
	}
	actual := bson.D{
		{Key: "id", Value: "$_id"}, {Key: "revision", Value: "$revision"},
		{Key: "fence", Value: bson.D{{Key: "$ifNull", Value: bson.A{"$fence", 0}}}}, // missing until the first batch
		{Key: "granted", Value: bson.D{{Key: "$ifNull", Value: bson.A{"$leases_granted", 0}}}},
	}
	conditions := bson.A{bson.D{{Key: "$in", Value: bson.A{actual, bson.D{{Key: "$literal", Value: expected}}}}}}
	filter := byID(writes)
	edit := writes[0].Edit
	if d := deltaOf(writes[0]); d.sold > 0 || edit != nil && edit.Capacity != nil {
		sold := bson.D{{Key: "$add", Value: bson.A{"$tickets_sold", d.sold}}}
		var capacity any = "$capacity"
		if edit != nil { // which is alone in writes, and may change the capacity
			capacity = writes[0].After.Capacity
		}
		conditions = append(conditions, bson.D{{Key: "$lte", Value: bson.A{sold, capacity}}})
		// A missing field would be null, which is less than any capacity; a text would be more
		// than any number.
		isNumber := bson.D{{Key: "$type", Value: "number"}}
		filter = append(filter, bson.E{Key: "tickets_sold", Value: isNumber}, bson.E{Key: "capacity", Value: isNumber})
	}
	return append(filter, bson.E{Key: "$expr", Value: bson.D{{Key: "$and", Value: conditions}}})
}

// byID selects the events of writes, whatever their state.
func byID(writes []eventWrite) bson.D {
	ids := make([]store.ID, len(writes))
	for i, w := range writes {
		ids[i] = w.Before.ID
	}
	return mongodb.In("_id", ids)
}

// writeBatch writes everything that a batch changes, in the transaction of ctx: first its events,
// under their preconditions, then their rows of the record of changes, then the registrations that it
// replaces, then those that it adds. It returns errConflict when a precondition fails.
func (s *Store) writeBatch(ctx context.Context, writes []eventWrite) error {
	if len(writes) == 0 {
		return nil
	}
	var replaced []mongo.WriteModel
	var added []store.Registration
	var changes []store.Change
	var recorded []store.ChangeRecord
	for _, w := range writes {
		recorded = append(recorded, w.Records()...)
		changes, added = append(changes, w.Change), append(added, w.Added...)
		for _, r := range w.Replaced {
			replaced = append(replaced, mongo.NewReplaceOneModel().
				SetFilter(bson.D{{Key: "_id", Value: registrationKey{r.UserID, r.EventID}}}).SetReplacement(newRegistrationDoc(r)))
		}
	}
	if err := s.updateEvents(ctx, writes); err != nil {
		return err
	}
	if err := record.Insert(ctx, s.changes, recorded, s.preconditions.change); err != nil {
		return err
	}
	if err := s.lists.Add(ctx, changes); err != nil {
		return err
	}
	if len(replaced) > 0 {
		res, err := s.registrations.BulkWrite(ctx, replaced)
		if err != nil {
			return err
		}
		if res.MatchedCount != int64(len(replaced)) { // retention has removed one since it was loaded
			return errConflict
		}
	}
	if len(added) > 0 {
		return s.insertRegistrations(ctx, added)
	}
	return nil
}

// updateEvents writes what a batch changes in its events themselves. It returns errConflict when a precondition fails.
func (s *Store) updateEvents(ctx context.Context, writes []eventWrite) error {
	var updates []mongo.WriteModel
	for _, group := range groupByDelta(writes) {
		update, err := s.eventUpdate(ctx, group[0])
		if err != nil {
			return err
		}
		updates = append(updates, mongo.NewUpdateManyModel().SetFilter(s.preconditions.events(group)).SetUpdate(update))
	}
	res, err := s.events.BulkWrite(ctx, updates)
	if err == nil && res.MatchedCount != int64(len(writes)) {
		err = errConflict
	}
	return err
}

// delta is by how much a write changes the counters of its event. Each may be negative, and all
// are zero when only the fence changes.
type delta struct {
	sold, waiting, lastNumber, confirmedThrough, revision int64
	recorded, refusals                                    int64
	available                                             bool // afterwards, if the event changes
	leases                                                leaseDelta
}

// leaseDelta is what a write changes in the leases of its event: how many more were granted, and, when anything changes, what
// the others are afterwards.
type leaseDelta struct {
	granted, millis int64
	ending, moved   bool
}

func leaseDeltaOf(w eventWrite) leaseDelta {
	b, a := w.Before, w.After
	if a.LeasesGranted == b.LeasesGranted && a.LeaseMillis == b.LeaseMillis && a.LeasesEnding == b.LeasesEnding {
		return leaseDelta{}
	}
	return leaseDelta{a.LeasesGranted - b.LeasesGranted, a.LeaseMillis, a.LeasesEnding, true}
}

func deltaOf(w eventWrite) delta {
	var refusals int64
	if w.refused {
		refusals = 1
	}
	return delta{
		refusals: refusals,
		sold:     w.After.TicketsSold - w.Before.TicketsSold, waiting: w.After.Waiting - w.Before.Waiting,
		lastNumber: w.After.LastNumber - w.Before.LastNumber, confirmedThrough: w.After.ConfirmedThrough - w.Before.ConfirmedThrough,
		revision: w.After.Revision - w.Before.Revision, recorded: w.After.Recorded - w.Before.Recorded,
		available: w.After.Revision != w.Before.Revision && w.After.IsAvailable(), leases: leaseDeltaOf(w),
	}
}

// groupByDelta groups writes that have the same delta, so that one statement makes them: a
// statement costs the server more than what it changes in an event. A write with an edit is a group
// of its own.
func groupByDelta(writes []eventWrite) [][]eventWrite {
	var groups [][]eventWrite
	groupOf := make(map[delta]int)
	for _, w := range writes {
		d := deltaOf(w)
		if i, found := groupOf[d]; found && w.Edit == nil {
			groups[i] = append(groups[i], w)
			continue
		}
		if w.Edit == nil {
			groupOf[d] = len(groups)
		}
		groups = append(groups, []eventWrite{w})
	}
	return groups
}

// eventUpdate returns the update of an event, which is the same for all writes with the same delta.
func (s *Store) eventUpdate(ctx context.Context, w eventWrite) (bson.D, error) {
	d := deltaOf(w)
	counters := bson.D{{Key: "fence", Value: 1}}
	for _, c := range []struct {
		field string
		by    int64
	}{
		{"tickets_sold", d.sold}, {"waiting", d.waiting}, {"last_number", d.lastNumber},
		{"confirmed_through", d.confirmedThrough}, {"revision", d.revision},
		{"recorded", d.recorded}, {"refusals", d.refusals}, {"leases_granted", d.leases.granted},
	} {
		if c.by != 0 {
			counters = append(counters, bson.E{Key: c.field, Value: c.by})
		}
	}
	update, set := bson.D{{Key: "$inc", Value: counters}}, bson.D{}
	if d.revision != 0 {
		set = append(set, bson.E{Key: "available", Value: d.available})
	}
	if d.leases.moved {
		set = append(set, bson.E{Key: "lease_ms", Value: d.leases.millis}, bson.E{Key: "leases_ending", Value: d.leases.ending})
	}
	if w.Edit != nil {
		words, err := s.editedSearch(ctx, w.Change)
		if err != nil {
			return nil, err
		}
		set = append(append(set, editedFields(w.Change)...), words...)
	}
	if len(set) > 0 { // an empty one is an error before version 5 of the server
		update = append(update, bson.E{Key: "$set", Value: set})
	}
	return update, nil
}

// editedFields returns the fields of an event that an organizer's edit sets.
func editedFields(c store.Change) bson.D {
	set := bson.D{
		{Key: "version", Value: c.After.Version}, {Key: "last_edit", Value: c.After.LastEdits},
		{Key: "cancelled_at", Value: c.After.CancelledAt},
	}
	for field, value := range c.Edit.Fields() {
		set = append(set, bson.E{Key: field.Key, Value: value})
	}
	return set
}

// insertRegistrations adds registrations by the command insert: the driver's InsertMany would read
// each document's _id back and decode it, which doubles the cost of a large batch.
func (s *Store) insertRegistrations(ctx context.Context, added []store.Registration) error {
	documents := make(bson.A, len(added))
	for i, r := range added {
		documents[i] = s.preconditions.registration(r)
	}
	return mongodb.InsertAll(ctx, s.registrations, documents)
}
