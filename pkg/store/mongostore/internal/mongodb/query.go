package mongodb

import (
	"context"
	"fmt"
	"iter"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Query sends a command that answers with a cursor, at read concern majority. The server gives up
// (maxTimeMS) when ctx ends: the driver sees to that for commands, but not for Find and Aggregate,
// whose reads would go on in a busy server after their reader has left. Query retries once after a
// lost connection or an election, as the driver does with reads of its own.
func Query(ctx context.Context, from *mongo.Collection, command bson.D) (*mongo.Cursor, error) {
	command = append(command, bson.E{Key: "readConcern", Value: bson.D{{Key: "level", Value: "majority"}}})
	cursor, err := from.Database().RunCommandCursor(ctx, command)
	if err != nil && Transient(err) && ctx.Err() == nil {
		cursor, err = from.Database().RunCommandCursor(ctx, command)
	}
	return cursor, err
}

// QueryAll reads all documents that a command answers.
func QueryAll[D any](ctx context.Context, from *mongo.Collection, command bson.D) ([]D, error) {
	cursor, err := Query(ctx, from, command)
	if err != nil {
		return nil, err
	}
	var docs []D
	err = cursor.All(ctx, &docs)
	return docs, err
}

// FindAll reads all documents that a filter selects. Within a transaction it reads in that.
func FindAll[D any](ctx context.Context, from *mongo.Collection, filter bson.D, how *options.FindOptionsBuilder) ([]D, error) {
	cursor, err := from.Find(ctx, filter, how)
	if err != nil {
		return nil, err
	}
	var docs []D
	err = cursor.All(ctx, &docs)
	return docs, err
}

// In selects documents whose field has one of the values.
func In[T any](field string, values []T) bson.D {
	return bson.D{{Key: field, Value: bson.D{{Key: "$in", Value: values}}}}
}

// OnlyID is a projection that leaves out everything but the _id.
func OnlyID() bson.D { return bson.D{{Key: "_id", Value: 1}} }

// BatchSize returns the batchSize with which limit documents come in one batch. 0, for no limit,
// has the server's default.
func BatchSize(limit int) int {
	const serverDefault = 101
	if limit == 0 {
		return serverDefault
	}
	return limit + 1
}

// Stream yields the documents that a command answers one by one.
func Stream[D, T any](ctx context.Context, from *mongo.Collection, command bson.D, convert func(D) T) iter.Seq2[T, error] {
	return StreamCursor(ctx, from.Name(), func() (*mongo.Cursor, error) { return Query(ctx, from, command) }, convert)
}

// StreamCursor yields the documents of a cursor one by one. name is that of the collection.
func StreamCursor[D, T any](ctx context.Context, name string, open func() (*mongo.Cursor, error), convert func(D) T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		cursor, err := open()
		if err != nil {
			yield(none, fmt.Errorf("read %s: %w", name, ReadError(err, nil)))
			return
		}
		defer CloseCursor(ctx, cursor)
		for cursor.Next(ctx) {
			var d D
			if err := cursor.Decode(&d); err != nil {
				yield(none, fmt.Errorf("read %s: %w", name, ReadError(err, nil)))
				return
			}
			if !yield(convert(d), nil) {
				return
			}
		}
		if err := cursor.Err(); err != nil {
			yield(none, fmt.Errorf("read %s: %w", name, ReadError(err, nil)))
		}
	}
}

// Pages collects what a sequence yields into pages: the first of so many, each following one twice as large
// as the one before, and none larger than most. An error is the last element, and comes without a page.
func Pages[T any](all iter.Seq2[T, error], first, most int) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		page := make([]T, 0, first)
		for v, err := range all {
			if err != nil {
				yield(nil, err)
				return
			}
			if page = append(page, v); len(page) < cap(page) {
				continue
			}
			if !yield(page, nil) {
				return
			}
			page = make([]T, 0, min(2*cap(page), most))
		}
		if len(page) > 0 {
			yield(page, nil)
		}
	}
}

// closeLimit bounds the closing of a cursor, for which its reader waits. The server ends a cursor
// that nobody closes.
const closeLimit = 100 * time.Millisecond

// CloseCursor closes a cursor, also when ctx has ended.
func CloseCursor(ctx context.Context, cursor *mongo.Cursor) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
	defer cancel()
	_ = cursor.Close(ctx)
}

// InsertAll adds documents by one command insert.
func InsertAll(ctx context.Context, to *mongo.Collection, documents bson.A) error {
	var reply struct {
		N           int `bson:"n"`
		WriteErrors []struct {
			Code    int32  `bson:"code"`
			Message string `bson:"errmsg"`
		} `bson:"writeErrors"`
	}
	err := to.Database().RunCommand(ctx, bson.D{
		{Key: "insert", Value: to.Name()}, {Key: "documents", Value: documents},
	}).Decode(&reply)
	switch {
	case err != nil:
		return err
	case len(reply.WriteErrors) > 0: // which RunCommand takes for success
		first := reply.WriteErrors[0]
		return mongo.CommandError{Code: first.Code, Message: first.Message}
	case reply.N != len(documents):
		return fmt.Errorf("%d of %d documents were inserted into %s", reply.N, len(documents), to.Name())
	}
	return nil
}
