package mongodb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/eventio/eventio/internal/telemetry/tracing"
	"github.com/eventio/eventio/internal/wait"
)

// The pause before a transaction is retried grows from MinPause to MaxPause, with full jitter, so
// that workers that collided do not collide again.
const (
	MinPause = 2 * time.Millisecond
	MaxPause = 100 * time.Millisecond
)

// System is what traces call this database, by the conventions of OpenTelemetry.
const System = "mongodb"

// EndLimit bounds the end of a session or a cursor whose caller has left.
const EndLimit = time.Second

// ErrCommit marks an error of a commit.
var ErrCommit = errors.New("commit")

// JournaledMajority returns the write concern of all writes: a write is acknowledged when a majority
// of the nodes has it on disk.
func JournaledMajority() *writeconcern.WriteConcern {
	journaled := true
	return &writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journaled}
}

// Snapshot returns the options of all transactions: snapshot reads from the primary and a journaled
// majority commit.
func Snapshot() *options.TransactionOptionsBuilder {
	return options.Transaction().SetReadConcern(readconcern.Snapshot()).
		SetWriteConcern(JournaledMajority()).SetReadPreference(readpref.Primary())
}

// Retryable reports whether another transaction may succeed after this error: an error of a commit,
// of the network, of an election or of a login that is being changed, or a key that another
// transaction has taken meanwhile.
func Retryable(err error) bool {
	return errors.Is(err, ErrCommit) || mongo.IsDuplicateKeyError(err) || Transient(err)
}

// Transaction runs fn in one transaction, and again while ctx allows after an error that passes. fn must
// have the same effect when it runs twice.
func Transaction(ctx context.Context, client *mongo.Client, fn func(context.Context) error) error {
	for pause := MinPause; ; pause = min(2*pause, MaxPause) {
		err := TryTransaction(ctx, client, fn)
		if err == nil || !Retryable(err) || !wait.For(ctx, pause) {
			return err
		}
	}
}

// TryTransaction runs fn in one transaction.
func TryTransaction(ctx context.Context, client *mongo.Client, fn func(context.Context) error) (err error) {
	span := tracing.Transaction(ctx, System)
	defer func() { tracing.End(span, tracing.Cause(err)) }()
	session, err := client.StartSession()
	if err != nil {
		return err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), EndLimit)
		defer cancel()
		session.EndSession(end)
	}()
	err = session.StartTransaction(Snapshot())
	if err != nil {
		return err
	}
	if err := fn(mongo.NewSessionContext(ctx, session)); err != nil {
		return err
	}
	if err := session.CommitTransaction(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrCommit, err)
	}
	return nil
}
