package sqlitestore

import (
	"fmt"
	"os"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/migrate"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// OpenMigrator opens the file at path, which must exist, and changes nothing yet.
func OpenMigrator(path string) (store.Migrator, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	write, err := sqldb.OpenWriter(path)
	if err != nil {
		return nil, err
	}
	return migrate.New(path, write)
}
