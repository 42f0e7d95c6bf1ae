package mongostore

import (
	"context"
	"errors"
	"iter"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/migrate"
	"github.com/eventio/eventio/pkg/store/schema"
)

// Migrator changes the schema of a database over connections of its own.
type Migrator struct {
	s   *Store
	m   *migrate.Migrator
	log zerolog.Logger
}

var _ schema.Migrator = (*Migrator)(nil)

// OpenMigrator connects to the replica set at uri and changes nothing yet. While no primary can be
// reached it waits, until ctx ends.
func OpenMigrator(ctx context.Context, uri string, log zerolog.Logger) (*Migrator, error) {
	s, err := connect(uri, log)
	if err != nil {
		return nil, err
	}
	if err := retryTransient(ctx, log, func() error { return s.checkServer(ctx, log) }); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &Migrator{s, migrate.New(s.users.Database(), log), log}, nil
}

// SchemaVersion returns the newest version of the schema that this package knows.
func SchemaVersion() int { return len(migrate.Steps()) }

// Close closes all connections.
func (m *Migrator) Close() error { return m.s.Close() }

// Schema implements schema.Migrator.
func (m *Migrator) Schema(ctx context.Context) (schema.State, error) { return m.m.Schema(ctx) }

// SettleKeys implements schema.Migrator.
func (m *Migrator) SettleKeys(ctx context.Context) iter.Seq2[store.KeptKey, error] {
	return m.m.SettleKeys(ctx)
}

// Migrate implements schema.Migrator. While another process migrates, or no primary can be reached,
// it waits as long as ctx allows. In a database of the newest version it also creates what is missing: indexes, and
// the collection events, which the users of other processes may not create.
func (m *Migrator) Migrate(ctx context.Context, to int, report func(schema.Migration)) error {
	return retryTransient(ctx, m.log, func() error {
		err := m.m.Migrate(ctx, to, report)
		if err != nil || to < len(migrate.Steps()) {
			return err
		}
		if err := m.m.CreateMissing(ctx); err != nil {
			return err
		}
		return m.s.identify(ctx)
	})
}
