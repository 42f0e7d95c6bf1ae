package mongostore

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/eventio/eventio/pkg/store"
)

// errNamespaceExists is MongoDB's code for a collection that is there already.
const errNamespaceExists = 48

// DatabaseID implements store.Database. It is made of the database's name and the UUID that
// the server gave its collection events. Nothing is stored: the records of a database can be
// copied, its UUIDs are made anew by whatever makes a collection anew. A copy of the server's
// files, and mongorestore --preserveUUID, share the id of the original.
func (s *Store) DatabaseID() string { return s.id }

// DatabaseID implements store.VerifyReader.
func (a *VerifyReader) DatabaseID(ctx context.Context) (string, error) {
	id, err := a.s.readDatabaseID(ctx)
	if err == nil && id == "" {
		err = store.ErrNoDatabaseID
	}
	return id, err
}

// identify finds out which database this is. It makes the collection when it is missing;
// another process may do so at this moment.
func (s *Store) identify(ctx context.Context) (err error) {
	if s.id, err = s.readDatabaseID(ctx); err != nil || s.id != "" {
		return err
	}
	err = s.events.Database().CreateCollection(ctx, s.events.Name())
	var refused mongo.CommandError
	if err != nil && !(errors.As(err, &refused) && refused.Code == errNamespaceExists) {
		return fmt.Errorf("create collection %s: %w", s.events.Name(), err)
	}
	if s.id, err = s.readDatabaseID(ctx); err == nil && s.id == "" {
		err = fmt.Errorf("collection %s was dropped while the database was opened: %w", s.events.Name(), store.ErrDatabaseReplaced)
	}
	return err
}

// readDatabaseID asks the primary; "" means that the collection is not there. The role
// readWrite on the database allows it, action listCollections.
func (s *Store) readDatabaseID(ctx context.Context) (string, error) {
	db := s.events.Database()
	found, err := db.ListCollectionSpecifications(ctx, bson.D{{Key: "name", Value: s.events.Name()}})
	if err != nil {
		return "", fmt.Errorf("read the UUID of collection %s: %w", s.events.Name(), readError(err, nil))
	}
	if len(found) == 0 {
		return "", nil
	}
	if found[0].UUID == nil {
		return "", fmt.Errorf("collection %s has no UUID: it is a %s", s.events.Name(), found[0].Type)
	}
	return store.DatabaseIDOf([]byte("mongodb"), []byte(db.Name()), found[0].UUID.Data), nil
}
