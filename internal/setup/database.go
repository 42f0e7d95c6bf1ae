package setup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/eventio/eventio/pkg/store/imports"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/apikeys"
	"github.com/eventio/eventio/pkg/store/foreign"
	"github.com/eventio/eventio/pkg/store/mongostore"
	"github.com/eventio/eventio/pkg/store/outbox"
	"github.com/eventio/eventio/pkg/store/schema"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
	"github.com/eventio/eventio/pkg/store/verify"
)

// DatabaseFile is the name of the database's file in a data folder.
const DatabaseFile = "eventio.db"

// Database are the flags that name the database of a tool: a data folder or a replica set.
type Database struct {
	Data           string `env:"EVENTIO_DATA" type:"path" placeholder:"FOLDER" help:"Folder of the embedded store. Default ./data, when there is no --mongodb-uri."`
	MongoDBURI     string `name:"mongodb-uri" env:"MONGODB_URI" secret:"" placeholder:"URI" help:"MongoDB replica set of the production processes, instead of --data: mongodb://host:27017/eventio?replicaSet=rs0."`
	MongoDBURIFile string `name:"mongodb-uri-file" env:"MONGODB_URI_FILE" placeholder:"FILE" help:"File with this address, where it has a password."`
}

// Store is everything that tools do with a database.
type Store interface {
	store.Store
	imports.Store
	outbox.Outbox
	apikeys.Store
	foreign.Identities
}

// Resolve returns d with exactly one of its flags set: Data has its default when neither is
// given. It fails with process.ErrUsage when both are, and when the URI cannot be one.
func (d Database) Resolve() (Database, error) {
	switch {
	case d.Data != "" && d.MongoDBURI != "":
		return d, process.Usage("both --data and --mongodb-uri are given: say which database is meant by leaving one of them out")
	case d.MongoDBURI != "":
		return d, CheckMongoDBURI("--mongodb-uri", d.MongoDBURI)
	case d.Data == "":
		d.Data = DefaultFolder
	}
	return d, nil
}

// String names the database for people. It has no part of the URI, which may hold a password.
func (d Database) String() string {
	if d.MongoDBURI != "" {
		return "the MongoDB of --mongodb-uri"
	}
	return "the database in the folder " + d.Data
}

// SigningKeys reads the keys that sign the tokens of a database, which must exist and have a schema
// that is up to date.
func (d Database) SigningKeys(ctx context.Context, log zerolog.Logger) (keys identity.Keys, err error) {
	if err := d.RequireSchema(ctx, log); err != nil {
		return keys, err
	}
	st, err := d.Open(ctx, log)
	if err != nil {
		return keys, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	return identity.SharedKeys(ctx, st)
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
	if err := requireWritable(d.file()); err != nil {
		return nil, err
	}
	st, err := sqlitestore.Open(ctx, d.file())
	if err != nil {
		return nil, d.Explain(err)
	}
	return st, nil
}

// OpenVerifyReader opens a database that exists for a proof, which reads only.
func (d Database) OpenVerifyReader(ctx context.Context) (verify.Reader, error) {
	if d.MongoDBURI != "" {
		return mongostore.OpenVerifyReader(ctx, d.MongoDBURI)
	}
	if err := d.RequireFile(); err != nil {
		return nil, err
	}
	return d.ReopenVerifyReader(ctx)
}

// ReopenVerifyReader is OpenVerifyReader beside a store of the same database in this process. It does not
// try whether the file can be read: on most systems a process loses its locks on a file when it
// closes that once.
func (d Database) ReopenVerifyReader(ctx context.Context) (verify.Reader, error) {
	if d.MongoDBURI != "" {
		return mongostore.OpenVerifyReader(ctx, d.MongoDBURI)
	}
	reader, err := sqlitestore.OpenVerifyReader(ctx, d.file())
	if err != nil {
		return nil, d.Explain(err)
	}
	return reader, nil
}

// OpenMigrator opens a database that exists for looking at its schema and changing it.
func (d Database) OpenMigrator(ctx context.Context, log zerolog.Logger) (schema.Migrator, error) {
	if d.MongoDBURI != "" {
		return mongostore.OpenMigrator(ctx, d.MongoDBURI, log)
	}
	if err := d.RequireFile(); err != nil {
		return nil, err
	}
	m, err := sqlitestore.OpenMigrator(d.file())
	if err != nil {
		return nil, d.Explain(err)
	}
	return m, nil
}

// Explain is the function Explain for an error about the database, which the sentence names.
// It leaves what is not known to that function.
func (d Database) Explain(err error) error {
	if d.MongoDBURI != "" {
		return err
	}
	return explainFile(err, d.file())
}

// RequireFile fails with a Failure when the data folder has no database that can be read.
func (d Database) RequireFile() error {
	info, err := os.Stat(d.file())
	if err == nil && info.Mode().IsRegular() {
		var file *os.File
		if file, err = os.Open(d.file()); err == nil {
			err = file.Close()
		}
	} else if err == nil {
		err = syscall.EISDIR
	}
	if err == nil {
		return nil
	}
	about, reason := "there is no database in the folder "+d.Data, "it has no "+DatabaseFile
	if _, missing := os.Stat(d.Data); missing != nil {
		reason = cmp.Or(process.Reason(missing), "the system refuses it")
	} else if !errors.Is(err, fs.ErrNotExist) {
		about, reason = d.file()+" cannot be opened", cmp.Or(process.Reason(err), "the system refuses it")
	}
	return &process.Failure{Sentence: fmt.Sprintf("%s: %s; choose the folder with --data", about, reason), Cause: err}
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
	if err != nil {
		return d.Explain(err)
	}
	if err := s.CheckKnown(); err != nil {
		return err
	}
	if len(s.Pending) > 0 {
		return fmt.Errorf("%w: the database has version %d and this program needs version %d: start Event.io of this version, or run eventio migrate, first",
			store.ErrSchema, s.Version, s.Known)
	}
	return nil
}

func (d Database) file() string { return filepath.Join(d.Data, DatabaseFile) }
