package mongostore

import (
	"context"

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

// identify reads the database id, see mongodb.Identify.
func (s *Store) identify(ctx context.Context) (err error) {
	s.id, err = mongodb.Identify(ctx, s.events)
	return err
}

// readDatabaseID reads the database id from the primary; "": the collection events does not exist.
func (s *Store) readDatabaseID(ctx context.Context) (string, error) {
	return mongodb.DatabaseID(ctx, s.events)
}
