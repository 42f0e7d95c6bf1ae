// Package mongostore keeps everything in a MongoDB replica set.
//
// # Guarantees
//
// A batch of seat requests is one transaction with snapshot reads and a journaled majority
// commit. It writes every event that it decided about: where it changes nothing it moves the
// event's fence, and a batch that changes nothing at all is one read and one such update. So
// refusals, too, rest on the latest state of their events, and nothing that was decided before
// can land after them (see Apply). All other writes are journaled on a majority, all other
// reads are majority reads from the primary. The concerns are set here explicitly: the
// server's defaults can be changed under us.
//
// # What a server must offer
//
// Transactions need a replica set; one node is enough. Snapshot reads outside of them need
// MongoDB 5.0; the tests run on 6.0. A worker that is killed inside a
// transaction leaves its locks until transactionLifetimeLimitSeconds, so that should be 2
// (measured: with the default of 60 the event stays frozen for over a minute).
//
// # Collections
//
// events and users as in the original Event.io, except that the roster is not in the event:
// registrations has one small document a seat, unique by its _id {user_id, event_id}.
//
// # Changing what is stored
//
// The schema has a version, kept in the one document of the collection schema, and numbered
// steps that lead from one version to the next: the list migrations. Open makes those that
// are pending. One process at a time does, under a lease of the server's clock that it
// renews; the others wait. A process that finds the newest version only reads, so it needs
// no right to change indexes. To change the schema add a step at the end of the list, with
// its code in a file of its own (migration_0003.go), and new indexes to the list indexes. A
// step that has been released is never edited.
//
// A step can be interrupted anywhere and begins again, so what it does twice must be as if
// done once. It leaves the database usable for running processes of the version before: it
// adds, and takes away only what that version has stopped using.
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
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"github.com/eventio/eventio/pkg/store"
)

const (
	// defaultDatabase is used when the URI names none.
	defaultDatabase = "eventio"

	// A request waits 5 s at most (api.Config.RequestTimeout); finding a primary must leave
	// time to answer. The driver's default is 30 s.
	serverSelectionTimeout = 1500 * time.Millisecond
	connectTimeout         = 1500 * time.Millisecond
	// heartbeat is how often a lost primary is looked for. The driver's default is 10 s.
	heartbeat = time.Second
	// A worker has few batches in flight and the API reads little: a pool near that number
	// keeps a burst from opening the driver's default of 100 connections, two at a time.
	minPool, maxPool, maxConnecting = 4, 64, 8

	// saneLifetimeLimit is the highest transactionLifetimeLimitSeconds without a warning.
	saneLifetimeLimit = 5
	// endLimit bounds the abort of a transaction whose caller is gone.
	endLimit = time.Second
)

// Store keeps everything in one database. It is safe for concurrent use.
type Store struct {
	client        *mongo.Client
	users         *mongo.Collection
	events        *mongo.Collection
	registrations *mongo.Collection
	keys          *mongo.Collection // of idempotency
	signingKeys   *mongo.Collection
	guesses       guesses
	guard         guard
	id            string // of the database
}

// guard is what keeps two writers from breaking a promise, whatever they believe: the
// condition under which events may change, and the document whose key is unique.
type guard struct {
	events func([]move) bson.D
	seat   func(store.Registration) any
}

var _ store.Store = (*Store)(nil)

// Open connects to the replica set at uri, brings the schema up to date, creates what
// indexes are missing and warns about settings that hurt. While no primary can be reached,
// or while another process changes the schema, it waits, until ctx ends. It fails at once on
// a server that has no transactions, and says how to make it one that has; and with
// store.ErrSchema on a database whose schema it does not know.
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

// connect makes a store that has not spoken to its server yet. Later settings win.
func connect(uri string, log zerolog.Logger, settings ...*options.ClientOptions) (*Store, error) {
	cs, err := connstring.ParseAndValidate(uri)
	if err != nil {
		return nil, fmt.Errorf("MONGODB_URI: %w", err)
	}
	name := cs.Database
	if name == "" {
		name = defaultDatabase
	}
	logins := newLogins(log)
	client, err := mongo.Connect(append([]*options.ClientOptions{options.Client().
		SetDialer(logins).
		SetMonitor(logins.monitor()).
		SetServerSelectionTimeout(serverSelectionTimeout).
		SetConnectTimeout(connectTimeout).
		SetHeartbeatInterval(heartbeat).
		SetMinPoolSize(minPool).
		SetMaxPoolSize(maxPool).
		SetMaxConnecting(maxConnecting).
		SetAppName("eventio").
		ApplyURI(uri). // what the operator says in the URI wins over all of the above
		// A second attempt of the driver's own hides what the first one may have done: of two, the
		// error of the second is told, "no primary, nothing was done". Who asks again is the caller.
		SetRetryWrites(false).
		SetWriteConcern(journaledMajority()).
		SetReadConcern(readconcern.Majority()).
		SetReadPreference(readpref.Primary())}, settings...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to MongoDB: %w", err)
	}
	db := client.Database(name)
	return &Store{
		client:        client,
		users:         db.Collection("users"),
		events:        db.Collection("events"),
		registrations: db.Collection("registrations"),
		guard:         guard{events: unmoved, seat: func(r store.Registration) any { return registrationDocOf(r) }},
		keys:          db.Collection("idempotency_keys"),
		signingKeys:   db.Collection("signing_keys"),
	}, nil
}

// journaledMajority is the one write concern: a write is acknowledged when a majority of
// the nodes has it on disk.
func journaledMajority() *writeconcern.WriteConcern {
	journaled := true
	return &writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journaled}
}

// prepare waits for a primary, checks it, brings the schema up to date, and finds out which
// database this is.
func (s *Store) prepare(ctx context.Context, log zerolog.Logger) error {
	m := newMigrator(s.users.Database(), log)
	return reach(ctx, log, func() error {
		if err := s.check(ctx, log); err != nil {
			return err
		}
		if err := m.start(ctx); err != nil {
			return err
		}
		return s.identify(ctx)
	})
}

// reach calls fn until it meets a server that lets it finish, or until ctx ends.
func reach(ctx context.Context, log zerolog.Logger, fn func() error) error {
	for {
		err := fn()
		// A login that is wrong at the start is most often a mistake, and is told at once.
		if err == nil || ctx.Err() == nil && (!passes(err) || loginRefused(err)) {
			return err
		}
		log.Warn().Err(err).Msg("waiting for MongoDB")
		if !wait(ctx, heartbeat) {
			return fmt.Errorf("wait for MongoDB: %w", errors.Join(ctx.Err(), err))
		}
	}
}

// errStandalone is what a server without transactions gets.
var errStandalone = errors.New("this MongoDB is a standalone server and has no transactions: " +
	"start mongod with --replSet rs0 and run rs.initiate() once (one node is enough)")

// check looks at the server's settings.
func (s *Store) check(ctx context.Context, log zerolog.Logger) error {
	admin := s.client.Database("admin")
	var hello struct {
		SetName string `bson:"setName"`
		Msg     string `bson:"msg"` // "isdbgrid" from a mongos
	}
	if err := admin.RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		return fmt.Errorf("greet MongoDB: %w", err)
	}
	if hello.SetName == "" && hello.Msg != "isdbgrid" {
		return errStandalone
	}
	const parameter = "transactionLifetimeLimitSeconds"
	var limit bson.M
	err := admin.RunCommand(ctx, bson.D{{Key: "getParameter", Value: 1}, {Key: parameter, Value: 1}}).Decode(&limit)
	switch seconds, ok := limit[parameter].(int32); {
	case err != nil && passes(err):
		return fmt.Errorf("read %s: %w", parameter, err)
	case err != nil || !ok:
		log.Warn().Err(err).Msgf("cannot read %s: make sure that it is 2, or a killed worker freezes its events for long", parameter)
	case seconds > saneLifetimeLimit:
		log.Warn().Int32("seconds", seconds).Msgf("%s is high: a killed worker freezes its events that long; "+
			"set it with db.adminCommand({setParameter: 1, %s: 2}) on every node", parameter, parameter)
	}
	return nil
}

// Ping reports whether the database is still the one that was opened, whether its primary
// takes writes, and whether a majority confirms them. Its update finds no event, and so writes
// nothing, but is acknowledged like one that does: when a majority has all that the primary had
// before it.
func (s *Store) Ping(ctx context.Context) error {
	id, err := s.readDatabaseID(ctx)
	if err != nil {
		return err
	}
	if id != s.id {
		return fmt.Errorf("%w: collection %s is not the one that was opened", store.ErrDatabaseReplaced, s.events.Name())
	}
	nothing := bson.D{{Key: "$inc", Value: bson.D{{Key: "fence", Value: 1}}}}
	if _, err := s.events.UpdateOne(ctx, bson.D{{Key: "_id", Value: store.ID{}}}, nothing); err != nil {
		return nothingStored(err)
	}
	return nil
}

// Close closes all connections.
func (s *Store) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), endLimit)
	defer cancel()
	return s.client.Disconnect(ctx)
}
