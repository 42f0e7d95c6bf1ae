package mongostore

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
)

// DatabaseID implements store.Database. The id follows from the database's name and the UUID that the
// server gave to its collection events. Copying the records of a database makes new UUIDs, and so a
// new id. A copy of the server's files, and mongorestore --preserveUUID, keep the id.
func (s *Store) DatabaseID() string { return s.id }

// DatabaseID implements verify.Reader.
func (r *VerifyReader) DatabaseID(ctx context.Context) (string, error) {
	id, err := r.s.readDatabaseID(ctx)
	if err == nil && id == "" {
		err = store.ErrNoDatabaseID
	}
	return id, err
}

// identify reads the database id. It creates the collection events when it is missing; another
// process may do so at the same moment.
func (s *Store) identify(ctx context.Context) (err error) {
	if s.id, err = s.readDatabaseID(ctx); err != nil || s.id != "" {
		return err
	}
	err = s.events.Database().CreateCollection(ctx, s.events.Name())
	var refused mongo.CommandError
	if err != nil && !(errors.As(err, &refused) && refused.Code == mongodb.CodeNamespaceExists) {
		return fmt.Errorf("create collection %s: %w", s.events.Name(), err)
	}
	if s.id, err = s.readDatabaseID(ctx); err == nil && s.id == "" {
		err = fmt.Errorf("collection %s was dropped while the database was opened: %w", s.events.Name(), store.ErrDatabaseReplaced)
	}
	return err
}

// readDatabaseID reads the database id from the primary; "": the collection events does not exist.
// It needs the right listCollections, which the role readWrite has.
func (s *Store) readDatabaseID(ctx context.Context) (string, error) {
	db := s.events.Database()
	found, err := db.ListCollectionSpecifications(ctx, bson.D{{Key: "name", Value: s.events.Name()}})
	if err != nil {
		return "", fmt.Errorf("read the UUID of collection %s: %w", s.events.Name(), mongodb.ReadError(err, nil))
	}
	if len(found) == 0 {
		return "", nil
	}
	if found[0].UUID == nil {
		return "", fmt.Errorf("collection %s has no UUID: it is a %s", s.events.Name(), found[0].Type)
	}
	return store.DatabaseIDOf([]byte("mongodb"), []byte(db.Name()), found[0].UUID.Data), nil
}
