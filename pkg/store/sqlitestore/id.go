package sqlitestore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"

	"github.com/eventio/eventio/pkg/store"
)

// selectDatabaseID reads the random number that a database keeps for its id.
const selectDatabaseID = `SELECT value FROM meta WHERE name = 'database_id'`

// DatabaseID implements store.Database. It is made of a random number in the file and of
// which file it is, by device and inode: a copy of the file is another database. The file
// keeps its id when it is renamed or moved within its file system. On systems without inodes
// a copy has the id of the original.
func (s *Store) DatabaseID() string { return s.id }

// DatabaseID implements store.VerifyReader.
func (a *VerifyReader) DatabaseID(ctx context.Context) (string, error) {
	var tables int
	err := a.db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'meta'`).Scan(&tables)
	if err == nil && tables == 0 {
		return "", store.ErrNoDatabaseID
	}
	var number []byte
	if err == nil {
		err = a.db.QueryRowContext(ctx, selectDatabaseID).Scan(&number)
	}
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", store.ErrNoDatabaseID
	case err != nil:
		return "", fmt.Errorf("read the database's id: %w", classify(err))
	}
	return databaseID(number, a.path)
}

// makeDatabaseID is the id of the database in the file at path, which gets its random number
// when it has none. Another process may do the same at this moment: one of them is first.
func makeDatabaseID(ctx context.Context, db *sql.DB, path string) (string, error) {
	number := make([]byte, 16)
	_, _ = rand.Read(number) // never fails
	if _, err := db.ExecContext(ctx, `INSERT INTO meta (name, value) VALUES ('database_id', ?) ON CONFLICT DO NOTHING`, number); err != nil {
		return "", fmt.Errorf("make the database's id: %w", err)
	}
	if err := db.QueryRowContext(ctx, selectDatabaseID).Scan(&number); err != nil {
		return "", fmt.Errorf("read the database's id: %w", err)
	}
	return databaseID(number, path)
}

func databaseID(number []byte, path string) (string, error) {
	place, err := fileIdentity(path)
	if err != nil {
		return "", fmt.Errorf("look at the database's file: %w", err)
	}
	return store.DatabaseIDOf([]byte("sqlite"), number, place), nil
}
