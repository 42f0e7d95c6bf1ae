package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
)

// DatabaseFile is the name of the database's file in a data folder.
const DatabaseFile = "eventio.db"

// Database are the flags that name the database of a tool: a data folder or a replica set.
type Database struct {
	Data       string `env:"EVENTIO_DATA" type:"path" placeholder:"FOLDER" help:"Folder of the embedded store. Default ./data, when there is no --mongodb-uri."`
	MongoDBURI string `name:"mongodb-uri" env:"MONGODB_URI" placeholder:"URI" help:"MongoDB replica set of the production processes, instead of --data: mongodb://host:27017/eventio?replicaSet=rs0."`
}

// Store is everything that tools do with a database.
type Store interface {
	store.Store
	store.Importer
}

// Resolve returns d with exactly one of its flags set: Data has its default when neither is
// given. It fails when both are.
func (d Database) Resolve() (Database, error) {
	switch {
	case d.Data != "" && d.MongoDBURI != "":
		return d, errors.New("both --data and --mongodb-uri (or their variables EVENTIO_DATA and MONGODB_URI) are given: say which one is meant")
	case d.Data == "" && d.MongoDBURI == "":
		d.Data = "data"
	}
	return d, nil
}

// Exists reports whether there is a database to open. It does not ask a server.
func (d Database) Exists() bool {
	if d.MongoDBURI != "" {
		return true
	}
	_, err := os.Stat(d.file())
	return err == nil
}

// Open opens the database, brings its schema up to date, and waits for a server as long as
// ctx allows. A data folder must exist, and should be locked before.
func (d Database) Open(ctx context.Context, log zerolog.Logger) (Store, error) {
	if d.MongoDBURI != "" {
		return mongostore.Open(ctx, d.MongoDBURI, log)
	}
	return sqlitestore.Open(ctx, d.file())
}

// OpenAuditor opens the database for a proof, which reads only.
func (d Database) OpenAuditor(ctx context.Context) (store.Auditor, error) {
	if d.MongoDBURI != "" {
		return mongostore.OpenAuditor(ctx, d.MongoDBURI)
	}
	return sqlitestore.OpenAuditor(ctx, d.file())
}

// OpenMigrator opens the database for looking at its schema and changing it.
func (d Database) OpenMigrator(ctx context.Context, log zerolog.Logger) (store.Migrator, error) {
	if d.MongoDBURI != "" {
		return mongostore.OpenMigrator(ctx, d.MongoDBURI, log)
	}
	return sqlitestore.OpenMigrator(d.file())
}

// RequireSchema fails with store.ErrSchema on a database whose schema is not that of this
// program: a tool that only looks something up must not change it.
func (d Database) RequireSchema(ctx context.Context, log zerolog.Logger) (err error) {
	m, err := d.OpenMigrator(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	s, err := m.Schema(ctx)
	if err == nil {
		err = s.Fits()
	}
	if err == nil && len(s.Pending) > 0 {
		err = fmt.Errorf("%w: the database has version %d and this program needs version %d: start Event.io of this version, or run eventio migrate, first",
			store.ErrSchema, s.Version, s.Known)
	}
	return err
}

func (d Database) file() string { return filepath.Join(d.Data, DatabaseFile) }
