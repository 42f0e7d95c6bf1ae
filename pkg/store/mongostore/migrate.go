package mongostore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/eventio/eventio/pkg/store"
)

const (
	// schemaKey is the _id of the one document of the collection schema.
	schemaKey = "schema"
	// migrationLease is how long a process that was killed keeps others from migrating. The
	// one that migrates renews it three times as often.
	migrationLease = 30 * time.Second
	// migrationPoll is how often who waits for another process looks again.
	migrationPoll = 500 * time.Millisecond
	// sayAgain is how often a long wait or step is told to the log.
	sayAgain = 10 * time.Second
)

// schemaDoc says which version the database has, and who is changing it. All times are the
// server's.
type schemaDoc struct {
	Version    *int      `bson:"version"`
	MigratedAt time.Time `bson:"migrated_at,omitempty"`
	Lease      *leaseDoc `bson:"lease,omitempty"`
}

// leaseDoc is a process that migrates.
type leaseDoc struct {
	Owner string    `bson:"owner"` // unique
	By    string    `bson:"by"`    // for people
	Since time.Time `bson:"since"`
	Until time.Time `bson:"until"` // when the lease ends, unless it is renewed
}

// errLeaseLost says that another process may be migrating by now.
var errLeaseLost = errors.New("the lease for the migration was lost")

// migrator changes the schema of one database.
type migrator struct {
	db    *mongo.Database
	steps []migration
	log   zerolog.Logger
	owner string
	lease time.Duration
	poll  time.Duration
}

func newMigrator(db *mongo.Database, log zerolog.Logger) *migrator {
	return &migrator{
		db: db, steps: migrations(), log: log, owner: store.NewID().Hex(), lease: migrationLease, poll: migrationPoll,
	}
}

// Migrator is a migrator with a connection of its own.
type Migrator struct {
	*migrator
	s *Store
}

var _ store.Migrator = (*Migrator)(nil)

// OpenMigrator connects to the replica set at uri and changes nothing yet. While no primary
// can be reached it waits, until ctx ends.
func OpenMigrator(ctx context.Context, uri string, log zerolog.Logger) (*Migrator, error) {
	s, err := connect(uri, log)
	if err != nil {
		return nil, err
	}
	if err := reach(ctx, log, func() error { return s.check(ctx, log) }); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &Migrator{newMigrator(s.users.Database(), log), s}, nil
}

// Close closes all connections.
func (m *Migrator) Close() error { return m.s.Close() }

// Migrate implements store.Migrator. It waits for a process that migrates already, and for
// a primary, as long as ctx allows.
func (m *Migrator) Migrate(ctx context.Context, to int, report func(store.Migration)) error {
	return reach(ctx, m.log, func() error { return m.migrate(ctx, to, report) })
}

// Schema implements store.Migrator.
func (m *migrator) Schema(ctx context.Context) (store.Schema, error) {
	s, _, err := m.schema(ctx)
	return s, err
}

func (m *migrator) schema(ctx context.Context) (store.Schema, schemaDoc, error) {
	var d schemaDoc
	raw, err := m.documents().FindOne(ctx, bson.D{{Key: "_id", Value: schemaKey}}).Raw()
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return m.schemaOf(0), d, nil
	case err != nil:
		return store.Schema{}, d, fmt.Errorf("read the schema's version: %w", readError(err, nil))
	}
	if err := bson.Unmarshal(raw, &d); err != nil {
		return store.Schema{}, d, fmt.Errorf("%w: the document %q of the collection schema cannot be read: %w", store.ErrSchema, schemaKey, err)
	}
	if d.Version == nil {
		return store.Schema{}, d, fmt.Errorf("%w: the document %q of the collection schema has no version", store.ErrSchema, schemaKey)
	}
	return m.schemaOf(*d.Version), d, nil
}

func (m *migrator) schemaOf(version int) store.Schema {
	steps := make([]store.SchemaStep, len(m.steps))
	for i, step := range m.steps {
		steps[i] = store.SchemaStep{Number: i + 1, Name: step.name}
	}
	return store.NewSchema(version, steps)
}

func (m *migrator) documents() *mongo.Collection { return m.db.Collection("schema") }

// start brings the database to the newest version. One that is up to date is only read,
// unless an index is missing.
func (m *migrator) start(ctx context.Context) error {
	if err := m.migrate(ctx, len(m.steps), func(store.Migration) {}); err != nil {
		return err
	}
	absent, err := missing(ctx, m.db, indexes())
	if hasCode(err, codeUnauthorized) {
		m.log.Warn().Err(err).Msg("cannot see whether all indexes are there")
		return nil
	}
	if err != nil {
		return err
	}
	for _, i := range absent {
		m.log.Warn().Str("collection", i.on).Str("index", i.name()).Msg("an index is missing and is made")
		if err := i.make(ctx, m.db); err != nil {
			return err
		}
	}
	return nil
}

// migrate makes the pending steps up to version `to`, or waits until another process has.
func (m *migrator) migrate(ctx context.Context, to int, report func(store.Migration)) error {
	said := time.Time{}
	for {
		s, d, err := m.schema(ctx)
		if err == nil {
			err = s.Reaches(to)
		}
		if err != nil || s.Version == to {
			return err
		}
		if d, err = m.acquire(ctx, to); err != nil {
			return err
		}
		if d.Lease != nil && d.Lease.Owner == m.owner {
			err := m.hold(ctx, func(ctx context.Context) error { return m.run(ctx, *d.Version, to, report) })
			if err != nil && !errors.Is(err, errLeaseLost) {
				return err
			}
			continue
		}
		if d.Lease != nil && time.Since(said) >= sayAgain {
			said = time.Now()
			m.log.Warn().Int("version", *d.Version).Int("want", to).Str("by", d.Lease.By).Time("since", d.Lease.Since).
				Msg("waiting for another process, which changes the database's schema")
		}
		if !wait(ctx, m.poll) {
			return fmt.Errorf("wait until %s has changed the database's schema from version %d (a long change is better made by eventio migrate, before the start): %w",
				d.by(), *d.Version, ctx.Err())
		}
	}
}

func (d schemaDoc) by() string {
	if d.Lease == nil {
		return "another process"
	}
	return d.Lease.By
}

// acquire takes the lease if the version is below `to` and nobody has it, and returns the
// document as it is then.
func (m *migrator) acquire(ctx context.Context, to int) (schemaDoc, error) {
	version := bson.D{{Key: "$ifNull", Value: bson.A{"$version", 0}}}
	free := bson.D{{Key: "$and", Value: bson.A{
		bson.D{{Key: "$lt", Value: bson.A{version, to}}},
		bson.D{{Key: "$lte", Value: bson.A{bson.D{{Key: "$ifNull", Value: bson.A{"$lease.until", time.UnixMilli(0)}}}, "$$NOW"}}},
	}}}
	host, _ := os.Hostname() // only names the process
	lease := bson.D{
		{Key: "owner", Value: m.owner},
		{Key: "by", Value: bson.D{{Key: "$literal", Value: fmt.Sprintf("process %d on %s", os.Getpid(), host)}}},
		{Key: "since", Value: "$$NOW"}, {Key: "until", Value: m.leaseEnd()},
	}
	update := bson.A{bson.D{{Key: "$set", Value: bson.D{
		{Key: "version", Value: version},
		// $$REMOVE leaves out what is not there.
		{Key: "lease", Value: bson.D{{Key: "$cond", Value: bson.A{free, lease,
			bson.D{{Key: "$ifNull", Value: bson.A{"$lease", "$$REMOVE"}}}}}}},
	}}}}
	how := options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)
	var d schemaDoc
	for first := true; ; first = false {
		err := m.documents().FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: schemaKey}}, update, how).Decode(&d)
		if first && mongo.IsDuplicateKeyError(err) {
			continue // another one wrote it at the same moment; now it is there
		}
		if hasCode(err, codeUnauthorized) {
			return d, fmt.Errorf("%w: the database must be brought to version %d and this user may not change it: run eventio migrate as one who may: %w",
				store.ErrSchema, to, err)
		}
		if err != nil {
			return d, fmt.Errorf("take the lease for a migration: %w", err)
		}
		return d, nil
	}
}

func (m *migrator) leaseEnd() bson.D {
	return bson.D{{Key: "$add", Value: bson.A{"$$NOW", m.lease.Milliseconds()}}}
}

// mine is the schema's document while this process has the lease.
func (m *migrator) mine() bson.D {
	return bson.D{{Key: "_id", Value: schemaKey}, {Key: "lease.owner", Value: m.owner}}
}

// hold runs fn while it renews the lease, and gives it back. fn's context ends with
// errLeaseLost when the lease does.
func (m *migrator) hold(ctx context.Context, fn func(context.Context) error) error {
	holding, cancel := context.WithCancelCause(ctx)
	renewing := make(chan struct{})
	go func() {
		defer close(renewing)
		for renewed := time.Now(); wait(holding, m.lease/3); {
			begun := time.Now()
			res, err := m.documents().UpdateOne(holding, m.mine(), mongo.Pipeline{
				{{Key: "$set", Value: bson.D{{Key: "lease.until", Value: m.leaseEnd()}}}},
			})
			switch {
			case err == nil && res.MatchedCount == 1:
				renewed = begun
			case err == nil || time.Since(renewed) > m.lease:
				cancel(errLeaseLost)
			}
		}
	}()
	err := fn(holding)
	if errors.Is(context.Cause(holding), errLeaseLost) {
		err = errors.Join(errLeaseLost, err)
	}
	cancel(nil)
	<-renewing
	end, stop := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
	defer stop()
	// If this fails the lease ends by itself.
	_, _ = m.documents().UpdateOne(end, m.mine(), bson.D{{Key: "$unset", Value: bson.D{{Key: "lease", Value: 1}}}})
	return err
}

// run makes the steps from one version to another, under the lease.
func (m *migrator) run(ctx context.Context, from, to int, report func(store.Migration)) error {
	for _, step := range m.schemaOf(from).Pending[:to-from] {
		log := m.log.With().Int("version", step.Number).Str("step", step.Name).Logger()
		log.Info().Msg("changing the database's schema")
		report(store.Migration{Step: step})
		begun, said := time.Now(), time.Now()
		err := m.steps[step.Number-1].run(ctx, m.db, func(n, all int64) {
			report(store.Migration{Step: step, Done: n, All: all})
			if time.Since(said) >= sayAgain {
				said = time.Now()
				log.Info().Int64("done", n).Int64("of", all).Msg("still changing the database's schema")
			}
		})
		if err != nil {
			return fmt.Errorf("schema step %s: %w", step, err)
		}
		before := append(m.mine(), bson.E{Key: "version", Value: step.Number - 1})
		res, err := m.documents().UpdateOne(ctx, before, mongo.Pipeline{{{Key: "$set", Value: bson.D{
			{Key: "version", Value: step.Number}, {Key: "migrated_at", Value: "$$NOW"},
		}}}})
		if err != nil {
			return fmt.Errorf("schema step %s: %w", step, err)
		}
		if res.MatchedCount == 0 {
			return errLeaseLost
		}
		log.Info().Float64("duration_ms", float64(time.Since(begun).Microseconds())/1000).Msg("the database's schema has a new version")
		report(store.Migration{Step: step, Over: true})
	}
	return nil
}
