package mongostore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/eventio/eventio/internal/wait"
	"github.com/eventio/eventio/pkg/store/imports"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/record"
)

var _ imports.Store = (*Store)(nil)

// importBatch is how many registrations are inserted at once.
const importBatch = 2000

// ImportEvent implements imports.Store. It writes the registrations first and the event last: so an
// event that exists is complete, and nobody can register for it before.
//
// Registrations that an interrupted import has left are used when this import would have written the
// same. Otherwise, because the source has changed since, they are replaced.
func (s *Store) ImportEvent(ctx context.Context, e store.Event, roster []store.ID, progress func(int)) (imports.Outcome, error) {
	reported := 0
	report := func(stored int) {
		if progress != nil && stored > reported {
			progress(stored - reported)
			reported = stored
		}
	}
	outcome, err := s.importEvent(ctx, e, roster, report)
	// The last command of an import that was interrupted may still be running on the server.
	for pause := mongodb.MinPause; errors.Is(err, errImporting) && pause < maxImportPause && wait.For(ctx, pause); pause *= 2 {
		outcome, err = s.importEvent(ctx, e, roster, report)
	}
	if err != nil {
		return "", fmt.Errorf("import event %s: %w", e.ID.Hex(), err)
	}
	return outcome, nil
}

// errImporting means that another process writes the same registrations.
var errImporting = errors.New("another import of this event is under way")

// maxImportPause bounds the pauses in which an import waits for another one of the same event.
const maxImportPause = time.Second

// importEvent imports an event once. It calls report with the number of registrations that are
// stored.
func (s *Store) importEvent(ctx context.Context, e store.Event, roster []store.ID, report func(stored int)) (imports.Outcome, error) {
	switch _, err := s.Event(ctx, e.ID); {
	case err == nil:
		return imports.AlreadyThere, nil
	case !errors.Is(err, store.ErrEventNotFound):
		return "", err
	}
	ofEvent := bson.E{Key: "_id.event_id", Value: e.ID}
	// Registrations that no import made, or that have changed since.
	foreign := s.registrations.FindOne(ctx, bson.D{ofEvent, {Key: "$or", Value: bson.A{
		bson.D{{Key: "request_id", Value: bson.D{{Key: "$ne", Value: store.ImportRequestID}}}},
		bson.D{{Key: "cancelled", Value: bson.D{{Key: "$ne", Value: false}}}},
		bson.D{{Key: "past", Value: bson.D{{Key: "$exists", Value: true}}}},
	}}}).Err()
	if foreign == nil {
		return imports.NotFromImport, nil
	}
	if !errors.Is(foreign, mongo.ErrNoDocuments) {
		return "", mongodb.ReadError(foreign, nil)
	}
	stored, same, err := s.importedSoFar(ctx, e, roster)
	if err != nil {
		return "", err
	}
	if !same {
		if _, err := s.registrations.DeleteMany(ctx, bson.D{ofEvent}); err != nil {
			return "", mongodb.WriteError(err)
		}
		stored = 0
	}
	report(stored)
	for start := stored; start < len(roster); start += importBatch {
		chunk := roster[start:min(start+importBatch, len(roster))]
		docs := make([]any, len(chunk))
		for i, user := range chunk {
			docs[i] = newRegistrationDoc(imports.Registration(e, start+i, user))
		}
		// In order, so that an interruption leaves the beginning of the roster.
		_, err := s.registrations.InsertMany(ctx, docs)
		if mongo.IsDuplicateKeyError(err) {
			return "", errImporting
		}
		if err != nil {
			return "", mongodb.WriteError(err)
		}
		report(start + len(chunk))
	}
	start := store.ImportRecord(e, roster, time.Now())
	err = mongodb.TryTransaction(ctx, s.client, func(ctx context.Context) error {
		if _, err := s.events.InsertOne(ctx, newStoredEvent(store.ImportedEvent(e, len(roster)))); err != nil {
			return err
		}
		return record.Insert(ctx, s.changes, []store.ChangeRecord{start}, s.preconditions.change)
	})
	if mongodb.KeyTaken(err) {
		return imports.AlreadyThere, nil
	}
	if err != nil {
		return "", mongodb.WriteError(err)
	}
	return imports.Imported, nil
}

// importedSoFar returns how many registrations of an event are stored, and whether they are the
// beginning of the roster as this import would write it.
func (s *Store) importedSoFar(ctx context.Context, e store.Event, roster []store.ID) (stored int, same bool, err error) {
	for r, err := range s.Roster(ctx, e.ID, math.MinInt64, math.MaxInt64, 0) {
		if err != nil {
			return 0, false, err
		}
		if stored == len(roster) || !r.Equal(imports.Registration(e, stored, roster[stored])) {
			return 0, false, nil
		}
		stored++
	}
	return stored, true, nil
}
