package sqlitestore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// selectDatabaseID reads the random number that a database keeps for its id.
const selectDatabaseID = `SELECT value FROM meta WHERE name = 'database_id'`

// DatabaseID implements store.Database. The id follows from a random number in the file, and from
// which file it is, by device and inode: so a copy of the file is another database. The id stays
// when the file is renamed or moved within its file system. On systems without inodes a copy has the
// id of the original.
func (s *Store) DatabaseID() string { return s.id }

// DatabaseID implements verify.Reader.
func (r *VerifyReader) DatabaseID(ctx context.Context) (string, error) {
	var tables int
	err := r.db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'meta'`).Scan(&tables)
	if err == nil && tables == 0 {
		return "", store.ErrNoDatabaseID
	}
	var number []byte
	if err == nil {
		err = r.db.QueryRowContext(ctx, selectDatabaseID).Scan(&number)
	}
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", store.ErrNoDatabaseID
	case err != nil:
		return "", fmt.Errorf("read the database's id: %w", sqldb.NothingStored(err))
	}
	return databaseID(number, r.path)
}

// makeDatabaseID returns the id of the database in the file at path. It gives the file a random number
// if it has none; of several processes that do so at the same moment, the first counts.
func makeDatabaseID(ctx context.Context, db *sql.DB, path string) (string, error) {
	var number []byte
	err := db.QueryRowContext(ctx, selectDatabaseID).Scan(&number)
	if errors.Is(err, sql.ErrNoRows) {
		number, err = makeDatabaseNumber(ctx, db)
	}
	if err != nil {
		return "", fmt.Errorf("read or make the database's id: %w", err)
	}
	return databaseID(number, path)
}

// makeDatabaseNumber stores a random number for the id of a database, and returns the one that is stored.
func makeDatabaseNumber(ctx context.Context, db *sql.DB) ([]byte, error) {
	number := make([]byte, 16)
	_, _ = rand.Read(number) // never fails
	err := sqldb.Within(ctx, db, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('database_id', ?) ON CONFLICT DO NOTHING`, number); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, selectDatabaseID).Scan(&number)
	})
	return number, err
}

// databaseID makes the id of the random number in the file at path.
func databaseID(number []byte, path string) (string, error) {
	place, err := sqldb.FileIdentity(path)
	if err != nil {
		return "", fmt.Errorf("look at the database's file: %w", err)
	}
	return store.DatabaseIDOf([]byte("sqlite"), number, place), nil
}
