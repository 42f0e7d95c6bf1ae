package setup

import (
	"fmt"

	"github.com/eventio/eventio/pkg/store/mongostore"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
)

// MongoDBSchema says which schema of MongoDB this program knows, for its --version.
func MongoDBSchema() string { return fmt.Sprintf("MongoDB schema %d", mongostore.SchemaVersion()) }

// SQLiteSchema says which schema of SQLite this program knows, for its --version.
func SQLiteSchema() string { return fmt.Sprintf("SQLite schema %d", sqlitestore.SchemaVersion()) }
