// Package migrate changes the schema of a MongoDB database: it has the steps that lead from one
// version to the next (Steps), the indexes that the newest version has (Indexes), and the Migrator,
// which lets one process at a time make the pending steps.
package migrate

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

	"github.com/eventio/eventio/internal/wait"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
	"github.com/eventio/eventio/pkg/store/schema"
)

const (
	// schemaKey is the _id of the one document of the collection schema.
	schemaKey = "schema"
	// leaseTime is how long a process that was killed keeps others from migrating. The process
	// that migrates renews its lease three times within it.
	leaseTime = 30 * time.Second
	// pollInterval is how often a process that waits for another one looks again.
	pollInterval = 500 * time.Millisecond
	// logInterval is how often a long wait or step is logged.
	logInterval = 10 * time.Second
	// endLimit bounds how long the lease takes to give back when the caller's time is up.
	endLimit = time.Second
)

// schemaDoc is the document of the collection schema: which version the database has, and which
// process is changing it. All times are by the server's clock.
type schemaDoc struct {
	Version    *int      `bson:"version"`
	MigratedAt time.Time `bson:"migrated_at,omitempty"`
	Lease      *leaseDoc `bson:"lease,omitempty"`
}

// leaseDoc is the lease of a process that migrates.
type leaseDoc struct {
	Owner string    `bson:"owner"` // unique
	By    string    `bson:"by"`    // for people
	Since time.Time `bson:"since"`
	Until time.Time `bson:"until"` // when the lease ends, unless it is renewed
}

// errLeaseLost means that another process may be migrating by now.
var errLeaseLost = errors.New("the lease for the migration was lost")

// Migrator changes the schema of one database.
type Migrator struct {
	db    *mongo.Database
	steps []Step
	log   zerolog.Logger
	owner string // of the lease
	lease time.Duration
	poll  time.Duration
}

// New returns a migrator of db. It changes nothing yet.
func New(db *mongo.Database, log zerolog.Logger) *Migrator {
	return &Migrator{
		db: db, steps: Steps(), log: log, owner: store.NewID().Hex(), lease: leaseTime, poll: pollInterval,
	}
}

// Schema reads the version of the database and changes nothing.
func (m *Migrator) Schema(ctx context.Context) (schema.State, error) {
	s, _, err := m.read(ctx)
	return s, err
}

// read reads the schema, and the document that says it.
func (m *Migrator) read(ctx context.Context) (schema.State, schemaDoc, error) {
	var d schemaDoc
	raw, err := m.collection().FindOne(ctx, bson.D{{Key: "_id", Value: schemaKey}}).Raw()
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return m.schemaOf(0), d, nil
	case err != nil:
		return schema.State{}, d, fmt.Errorf("read the schema's version: %w", mongodb.ReadError(err, nil))
	}
	if err := bson.Unmarshal(raw, &d); err != nil {
		return schema.State{}, d, fmt.Errorf("%w: the document %q of the collection schema cannot be read: %w", store.ErrSchema, schemaKey, err)
	}
	if d.Version == nil {
		return schema.State{}, d, fmt.Errorf("%w: the document %q of the collection schema has no version", store.ErrSchema, schemaKey)
	}
	return m.schemaOf(*d.Version), d, nil
}

// schemaOf compares a version with the steps that are known.
func (m *Migrator) schemaOf(version int) schema.State {
	steps := make([]schema.Step, len(m.steps))
	for i, step := range m.steps {
		steps[i] = schema.Step{Number: i + 1, Name: step.Name}
	}
	return schema.New(version, steps)
}

// collection returns the collection schema.
func (m *Migrator) collection() *mongo.Collection { return m.db.Collection("schema") }

// Start brings the database to the newest version, and creates indexes that are missing. A database
// in order is only read.
func (m *Migrator) Start(ctx context.Context) error {
	renewed := false
	finished := func(s schema.Migration) {
		renewed = renewed || s.Finished && m.steps[s.Step.Number-1].Name == addressStep
	}
	if err := m.Migrate(ctx, len(m.steps), finished); err != nil {
		return err
	}
	if renewed {
		for kept, err := range m.SettleKeys(ctx) {
			if err != nil {
				return err
			}
			m.log.Warn().Str("user_id", kept.User.Hex()).Str("other_id", kept.Other.Hex()).Msg("two users have one address in two forms; eventio migrate lists them")
		}
	}
	return m.CreateMissing(ctx)
}

// CreateMissing creates the indexes of the newest version that are missing. What this user may not see or create is
// logged, and no error: a database without an index is slow, and as correct but for the unique ones, which
// only who may create them can have dropped.
func (m *Migrator) CreateMissing(ctx context.Context) error {
	missing, err := Missing(ctx, m.db, Indexes())
	if mongodb.HasCode(err, mongodb.CodeUnauthorized) {
		m.log.Warn().Err(err).Msg("cannot see whether all indexes are there")
		return nil
	}
	if err != nil {
		return err
	}
	for _, i := range missing {
		log := m.log.With().Str("collection", i.Collection).Str("index", i.Name()).Logger()
		log.Warn().Msg("an index is missing and is made")
		err := i.Create(ctx, m.db)
		if mongodb.HasCode(err, mongodb.CodeUnauthorized) {
			log.Error().Msg("an index is missing and this user may not make it: run eventio migrate as one who may")
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Migrate makes the pending steps up to version to, and calls report with its progress. While another
// process migrates, it waits for that one, as long as ctx allows.
func (m *Migrator) Migrate(ctx context.Context, to int, report func(schema.Migration)) error {
	logged := time.Time{}
	for {
		s, d, err := m.read(ctx)
		if err == nil {
			err = s.CheckTarget(to)
		}
		if err != nil || s.Version == to {
			return err
		}
		if d, err = m.acquire(ctx, to); err != nil {
			return err
		}
		if d.Lease != nil && d.Lease.Owner == m.owner {
			err := m.withLease(ctx, func(ctx context.Context) error { return m.run(ctx, *d.Version, to, report) })
			if err != nil && !errors.Is(err, errLeaseLost) {
				return err
			}
			continue
		}
		if d.Lease != nil && time.Since(logged) >= logInterval {
			logged = time.Now()
			m.log.Warn().Int("version", *d.Version).Int("want", to).Str("by", d.Lease.By).Time("since", d.Lease.Since).
				Msg("waiting for another process, which changes the database's schema")
		}
		if !wait.For(ctx, m.poll) {
			return fmt.Errorf("wait until %s has changed the database's schema from version %d (a long change is better made by eventio migrate, before the start): %w",
				d.by(), *d.Version, ctx.Err())
		}
	}
}

// by names the process that migrates.
func (d schemaDoc) by() string {
	if d.Lease == nil {
		return "another process"
	}
	return d.Lease.By
}

// acquire takes the lease if the version is below to and no process has it, and returns the
// document as it is then.
func (m *Migrator) acquire(ctx context.Context, to int) (schemaDoc, error) {
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
		err := m.collection().FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: schemaKey}}, update, how).Decode(&d)
		if first && mongo.IsDuplicateKeyError(err) {
			continue // another process wrote the document at the same moment, so now it is there
		}
		if mongodb.HasCode(err, mongodb.CodeUnauthorized) {
			return d, fmt.Errorf("%w: the database must be brought to version %d and this user may not change it: run eventio migrate as one who may: %w",
				store.ErrSchema, to, err)
		}
		if err != nil {
			return d, fmt.Errorf("take the lease for a migration: %w", err)
		}
		return d, nil
	}
}

// leaseEnd is when a lease that is taken or renewed now ends.
func (m *Migrator) leaseEnd() bson.D {
	return bson.D{{Key: "$add", Value: bson.A{"$$NOW", m.lease.Milliseconds()}}}
}

// ownLease selects the document of the schema as long as this process has the lease.
func (m *Migrator) ownLease() bson.D {
	return bson.D{{Key: "_id", Value: schemaKey}, {Key: "lease.owner", Value: m.owner}}
}

// withLease calls fn while it renews the lease, and then gives the lease back. The context of fn ends
// with errLeaseLost when the lease is lost.
func (m *Migrator) withLease(ctx context.Context, fn func(context.Context) error) error {
	holding, cancel := context.WithCancelCause(ctx)
	renewing := make(chan struct{})
	go func() {
		defer close(renewing)
		for renewed := time.Now(); wait.For(holding, m.lease/3); {
			begun := time.Now()
			res, err := m.collection().UpdateOne(holding, m.ownLease(), mongo.Pipeline{
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
	_, _ = m.collection().UpdateOne(end, m.ownLease(), bson.D{{Key: "$unset", Value: bson.D{{Key: "lease", Value: 1}}}})
	return err
}

// run makes the steps from one version to another. The process has the lease.
func (m *Migrator) run(ctx context.Context, from, to int, report func(schema.Migration)) error {
	for _, step := range m.schemaOf(from).Pending[:to-from] {
		log := m.log.With().Int("version", step.Number).Str("step", step.Name).Logger()
		log.Info().Msg("changing the database's schema")
		report(schema.Migration{Step: step})
		begun, logged := time.Now(), time.Now()
		err := m.steps[step.Number-1].Run(ctx, m.db, func(n, all int64) {
			report(schema.Migration{Step: step, Done: n, All: all})
			if time.Since(logged) >= logInterval {
				logged = time.Now()
				log.Info().Int64("done", n).Int64("of", all).Msg("still changing the database's schema")
			}
		})
		if err != nil {
			return fmt.Errorf("schema step %s: %w", step, err)
		}
		before := append(m.ownLease(), bson.E{Key: "version", Value: step.Number - 1})
		res, err := m.collection().UpdateOne(ctx, before, mongo.Pipeline{{{Key: "$set", Value: bson.D{
			{Key: "version", Value: step.Number}, {Key: "migrated_at", Value: "$$NOW"},
		}}}})
		if err != nil {
			return fmt.Errorf("schema step %s: %w", step, err)
		}
		if res.MatchedCount == 0 {
			return errLeaseLost
		}
		log.Info().Float64("duration_ms", float64(time.Since(begun).Microseconds())/1000).Msg("the database's schema has a new version")
		report(schema.Migration{Step: step, Finished: true})
	}
	return nil
}
