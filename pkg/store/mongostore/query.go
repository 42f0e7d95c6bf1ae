package mongostore

import (
	"context"
	"fmt"
	"iter"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// query sends a command that answers with a cursor, at read concern majority. The server gives up
// (maxTimeMS) when ctx ends: the driver sees to that for commands, but not for Find and Aggregate,
// whose reads would go on in a busy server after their reader has left. query retries once after a
// lost connection or an election, as the driver does with reads of its own.
func query(ctx context.Context, from *mongo.Collection, command bson.D) (*mongo.Cursor, error) {
	command = append(command, bson.E{Key: "readConcern", Value: bson.D{{Key: "level", Value: "majority"}}})
	cursor, err := from.Database().RunCommandCursor(ctx, command)
	if err != nil && transient(err) && ctx.Err() == nil {
		cursor, err = from.Database().RunCommandCursor(ctx, command)
	}
	return cursor, err
}

// queryAll reads all documents that a command answers.
func queryAll[D any](ctx context.Context, from *mongo.Collection, command bson.D) ([]D, error) {
	cursor, err := query(ctx, from, command)
	if err != nil {
		return nil, err
	}
	var docs []D
	err = cursor.All(ctx, &docs)
	return docs, err
}

// findAll reads all documents that a filter selects. Within a transaction it reads in that.
func findAll[D any](ctx context.Context, from *mongo.Collection, filter bson.D, how *options.FindOptionsBuilder) ([]D, error) {
	cursor, err := from.Find(ctx, filter, how)
	if err != nil {
		return nil, err
	}
	var docs []D
	err = cursor.All(ctx, &docs)
	return docs, err
}

// in selects documents whose field has one of the values.
func in[T any](field string, values []T) bson.D {
	return bson.D{{Key: field, Value: bson.D{{Key: "$in", Value: values}}}}
}

// onlyID is a projection that leaves out everything but the _id.
func onlyID() bson.D { return bson.D{{Key: "_id", Value: 1}} }

// batchSize returns the batchSize with which limit documents come in one batch. 0, for no limit,
// has the server's default.
func batchSize(limit int) int {
	const serverDefault = 101
	if limit == 0 {
		return serverDefault
	}
	return limit + 1
}

// stream yields the documents that a command answers one by one.
func stream[D, T any](ctx context.Context, from *mongo.Collection, command bson.D, convert func(D) T) iter.Seq2[T, error] {
	return streamCursor(ctx, from.Name(), func() (*mongo.Cursor, error) { return query(ctx, from, command) }, convert)
}

// streamCursor yields the documents of a cursor one by one. name is that of the collection.
func streamCursor[D, T any](ctx context.Context, name string, open func() (*mongo.Cursor, error), convert func(D) T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		cursor, err := open()
		if err != nil {
			yield(none, fmt.Errorf("read %s: %w", name, readError(err, nil)))
			return
		}
		defer closeCursor(ctx, cursor)
		for cursor.Next(ctx) {
			var d D
			if err := cursor.Decode(&d); err != nil {
				yield(none, fmt.Errorf("read %s: %w", name, readError(err, nil)))
				return
			}
			if !yield(convert(d), nil) {
				return
			}
		}
		if err := cursor.Err(); err != nil {
			yield(none, fmt.Errorf("read %s: %w", name, readError(err, nil)))
		}
	}
}

// closeLimit bounds the closing of a cursor, for which its reader waits. The server ends a cursor
// that nobody closes.
const closeLimit = 100 * time.Millisecond

// closeCursor closes a cursor, also when ctx has ended.
func closeCursor(ctx context.Context, cursor *mongo.Cursor) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
	defer cancel()
	_ = cursor.Close(ctx)
}
