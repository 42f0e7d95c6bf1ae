package sqlitestore

import (
	"errors"
	"fmt"
	"os"

	"github.com/eventio/eventio/pkg/store/schema"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/migrate"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// SchemaVersion returns the newest version of the schema that this package knows.
func SchemaVersion() int { return migrate.Newest() }

// OpenMigrator opens the file at path, which must exist, and changes nothing yet.
func OpenMigrator(path string) (schema.Migrator, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	hadLog := !sqldb.NoLog(path)
	if _, err := Protect(path); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	write, err := sqldb.OpenWriter(path)
	if err != nil {
		return nil, err
	}
	m, err := migrate.New(path, write)
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	return &markedMigrator{m, write, hadLog}, nil
}
