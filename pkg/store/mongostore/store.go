// Package mongostore implements store.Store on a MongoDB replica set.
//
// # Guarantees
//
// A batch of seat requests is one transaction, with snapshot reads and a journaled majority commit.
// It writes every event that it decided about, at least the event's fence: so refusals, too, rest
// on the latest state of their events, and nothing that was decided before can be stored after
// them. See Store.Apply. All other writes are journaled on a majority, and all other reads are
// majority reads from the primary. The concerns are set explicitly here, because the defaults of a
// server can change.
//
// # What a server must offer
//
// Transactions need a replica set; one node is enough. Snapshot reads outside of transactions need
// MongoDB 5.0. A worker that is killed inside a transaction leaves its locks until
// transactionLifetimeLimitSeconds, so that should be 2: with the default of 60 an event stays
// frozen for over a minute.
//
// # Collections
//
// The collections events and users are those of the original Event.io, except that the roster is
// not in the event: the collection registrations has one small document for each registration,
// with the unique _id {user_id, event_id}. The collection changes is the record of changes: one
// document for each event that a batch changed, with the unique _id {event_id, revision}. The collection
// webhook_marks has what each webhook was told of each event. The collection waiting_gaps counts the numbers
// that people who have left waiting lists had.
//
// # Sharding
//
// The collections of the hot path may be sharded by event: events by _id, registrations, changes and waiting_gaps by
// _id.event_id, all hashed. Every statement of Apply carries that key, so that a mongos sends it to one shard, and a
// batch of one event is a transaction of one shard. docs/scale.md has the commands and what was tried.
//
// # Changing what is stored
//
// The schema has a version and numbered steps that lead from one version to the next: see package
// migrate, in internal/migrate. Open makes the steps that are pending. One process at a time does,
// under a lease that it renews; the others wait. A process that finds the newest version only
// reads, so it needs no right to change indexes. To change the schema, add a step at the end of
// migrate.Steps and new indexes to migrate.Indexes. A step that was released is never changed.
//
// A step may be interrupted anywhere and begins again, so running it twice must have the same
// effect as running it once. It leaves the database usable for running processes of the version
// before: it adds, and it removes only what that version no longer uses.
package mongostore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"github.com/eventio/eventio/internal/wait"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/eventcache"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/migrate"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/mongodb"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/people"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/record"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/relay"
	"github.com/eventio/eventio/pkg/store/mongostore/internal/waitlist"
)

const (
	// defaultDatabase is used when the URI names none.
	defaultDatabase = "eventio"

	// A request waits 5 s at most (api.Config.RequestTimeout), so the search for a primary must end
	// before that. The driver's default is 30 s.
	serverSelectionTimeout = 1500 * time.Millisecond
	connectTimeout         = 1500 * time.Millisecond
	// heartbeat is how often the driver looks for a primary that was lost. Its default is 10 s.
	heartbeat = time.Second
	// A worker has few batches in flight, and the API reads little. A pool of about that size keeps
	// a burst from opening 100 connections, two at a time, as the driver would by default.
	minPool, maxPool, maxConnecting = 4, 64, 8

	// maxLifetimeLimit is the highest transactionLifetimeLimitSeconds without a warning.
	maxLifetimeLimit = 5
)

// Store implements store.Store over one database. It is safe for concurrent use.
type Store struct {
	*people.People
	*relay.Relay
	*record.Record

	client        *mongo.Client
	users         *mongo.Collection
	events        *mongo.Collection
	registrations *mongo.Collection
	changes       *mongo.Collection
	deletedEvents *mongo.Collection
	erasedUsers   *mongo.Collection
	erasures      *mongo.Collection
	pings         *mongo.Collection // does not exist, see Ping
	lists         waitlist.Lists
	cache         eventcache.Cache
	stats         *mongoStats
	preconditions preconditions
	id            string // of the database
	sharded       bool   // the server is a mongos; see keysOf
}

var _ store.Store = (*Store)(nil)

// Open connects to the replica set at uri, brings the schema up to date, creates missing indexes, and
// warns about harmful settings of the server. While no primary can be reached, or another process
// changes the schema, it waits until ctx ends. It fails at once on a server without transactions,
// and then says how to get them; and with store.ErrSchema on a database whose schema it does not
// know.
func Open(ctx context.Context, uri string, log zerolog.Logger) (*Store, error) {
	s, err := connect(uri, log)
	if err != nil {
		return nil, err
	}
	if err := s.prepare(ctx, log); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// connect returns a store that has not spoken to its server yet. Of several settings the last one
// counts.
func connect(uri string, log zerolog.Logger, settings ...*options.ClientOptions) (*Store, error) {
	cs, err := connstring.ParseAndValidate(uri)
	if err != nil {
		return nil, fmt.Errorf("MONGODB_URI: %w", err)
	}
	name := cs.Database
	if name == "" {
		name = defaultDatabase
	}
	connections, counted := mongodb.NewConnections(log), newStats()
	client, err := mongo.Connect(append([]*options.ClientOptions{options.Client().
		SetDialer(connections).
		SetMonitor(counted.driver.CommandMonitor(connections.Failed)).
		SetPoolMonitor(counted.driver.PoolMonitor()).
		SetServerSelectionTimeout(serverSelectionTimeout).
		SetConnectTimeout(connectTimeout).
		SetHeartbeatInterval(heartbeat).
		SetMinPoolSize(minPool).
		SetMaxPoolSize(maxPool).
		SetMaxConnecting(maxConnecting).
		SetAppName("eventio").
		ApplyURI(uri). // what the operator says in the URI takes precedence over all of the above
		// A retry by the driver would hide what the first attempt may have done: it returns the
		// error of the retry, "no primary, nothing was done". Callers retry instead.
		SetRetryWrites(false).
		SetWriteConcern(mongodb.JournaledMajority()).
		SetReadConcern(readconcern.Majority()).
		SetReadPreference(readpref.Primary())}, settings...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to MongoDB: %w", err)
	}
	db := client.Database(name)
	s := &Store{
		People:        people.New(db),
		Relay:         relay.New(db),
		client:        client,
		stats:         counted,
		users:         db.Collection("users"),
		events:        db.Collection("events"),
		registrations: db.Collection("registrations"),
		preconditions: newPreconditions(),
		changes:       db.Collection("changes"),
		deletedEvents: db.Collection("deleted_events"),
		erasedUsers:   db.Collection("erased_users"),
		erasures:      db.Collection("erasures"),
		pings:         db.Collection("pings"),
		lists:         waitlist.New(db),
	}
	s.Record = record.New(db, s.DatabaseID)
	return s, nil
}

// prepare waits for a primary, checks the server, brings the schema up to date, and reads the
// database id.
func (s *Store) prepare(ctx context.Context, log zerolog.Logger) error {
	m := migrate.New(s.users.Database(), log)
	return retryTransient(ctx, log, func() error {
		if err := s.checkServer(ctx, log); err != nil {
			return err
		}
		if err := m.Start(ctx); err != nil {
			return err
		}
		return s.identify(ctx)
	})
}

// retryTransient calls fn until it succeeds, fails for a reason that does not pass, or ctx ends.
func retryTransient(ctx context.Context, log zerolog.Logger, fn func() error) error {
	for {
		err := fn()
		// A login that is wrong at the start is most often a mistake, so it is reported at once.
		if err == nil || ctx.Err() == nil && (!mongodb.Transient(err) || mongodb.LoginRefused(err)) {
			return err
		}
		log.Warn().Err(err).Msg("waiting for MongoDB")
		if !wait.For(ctx, heartbeat) {
			return fmt.Errorf("wait for MongoDB: %w", errors.Join(ctx.Err(), err))
		}
	}
}

// errStandalone means that the server has no transactions.
var errStandalone = errors.New("this MongoDB is a standalone server and has no transactions: " +
	"start mongod with --replSet rs0 and run rs.initiate() once (one node is enough)")

// errNotInitiated means that nobody has made the server a replica set yet.
var errNotInitiated = errors.New("this MongoDB was started with --replSet and is no replica set yet: run rs.initiate() there once, " +
	"for instance mongosh --eval 'rs.initiate()'")

// checkServer returns an error when the server has no transactions, and warns about settings that do
// harm.
func (s *Store) checkServer(ctx context.Context, log zerolog.Logger) error {
	admin := s.client.Database("admin")
	var hello struct {
		SetName string `bson:"setName"`
		Ghost   bool   `bson:"isreplicaset"` // started with --replSet, and not initiated
		Msg     string `bson:"msg"`          // "isdbgrid" from a mongos
	}
	if err := admin.RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		return fmt.Errorf("greet MongoDB: %w", err)
	}
	if hello.Ghost {
		return errNotInitiated
	}
	if hello.SetName == "" && hello.Msg != "isdbgrid" {
		return errStandalone
	}
	s.sharded = hello.Msg == "isdbgrid"
	const parameter = "transactionLifetimeLimitSeconds"
	var limit bson.M
	err := admin.RunCommand(ctx, bson.D{{Key: "getParameter", Value: 1}, {Key: parameter, Value: 1}}).Decode(&limit)
	switch seconds, ok := limit[parameter].(int32); {
	case err != nil && mongodb.Transient(err):
		return fmt.Errorf("read %s: %w", parameter, err)
	case err != nil || !ok:
		log.Warn().Err(err).Msgf("cannot read %s: make sure that it is 2, or a killed worker freezes its events for long", parameter)
	case seconds > maxLifetimeLimit:
		log.Warn().Int32("seconds", seconds).Msgf("%s is high: a killed worker freezes its events that long; "+
			"set it with db.adminCommand({setParameter: 1, %s: 2}) on every node", parameter, parameter)
	}
	return nil
}

// Ping implements store.Store: it reports whether the database is still the one that was opened,
// whether its primary takes writes, and whether a majority confirms them. Its update is of a collection
// that nobody creates, so that every user may have the right to it, and writes nothing, but is acknowledged like
// any other: when a majority has everything that the primary had before it.
func (s *Store) Ping(ctx context.Context) error {
	id, err := s.readDatabaseID(ctx)
	if err != nil {
		return err
	}
	if id != s.id {
		return fmt.Errorf("%w: collection %s is not the one that was opened", store.ErrDatabaseReplaced, s.events.Name())
	}
	nothing := bson.D{{Key: "$inc", Value: bson.D{{Key: "fence", Value: 1}}}}
	if _, err := s.pings.UpdateOne(ctx, bson.D{{Key: "_id", Value: store.ID{}}}, nothing); err != nil {
		return mongodb.NothingStored(err)
	}
	return nil
}

// Close closes all connections.
func (s *Store) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), mongodb.EndLimit)
	defer cancel()
	return s.client.Disconnect(ctx)
}
