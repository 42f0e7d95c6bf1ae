package mongostore

import (
	"context"
	"iter"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// query sends a command that answers with a cursor. The server gives up (maxTimeMS) when ctx
// would end: the driver sees to that for commands, and not for Find and Aggregate, whose
// reads would go on in a busy server after their reader has left. Like the driver's own
// reads it is sent a second time when the first one met a lost connection or an election.
func query(ctx context.Context, from *mongo.Collection, command bson.D) (*mongo.Cursor, error) {
	command = append(command, bson.E{Key: "readConcern", Value: bson.D{{Key: "level", Value: "majority"}}})
	cursor, err := from.Database().RunCommandCursor(ctx, command)
	if err != nil && passes(err) && ctx.Err() == nil {
		cursor, err = from.Database().RunCommandCursor(ctx, command)
	}
	return cursor, err
}

// read reads all documents that a command answers.
func read[D any](ctx context.Context, from *mongo.Collection, command bson.D) ([]D, error) {
	cursor, err := query(ctx, from, command)
	if err != nil {
		return nil, err
	}
	var docs []D
	err = cursor.All(ctx, &docs)
	return docs, err
}

// batchSize lets a bounded answer come as one batch; 0 leaves it to the server.
func batchSize(limit int) int {
	if limit == 0 {
		return defaultBatch
	}
	return limit + 1
}

// defaultBatch is the server's own.
const defaultBatch = 101

// stream yields the documents that a command answers one by one.
func stream[D, T any](ctx context.Context, from *mongo.Collection, command bson.D, convert func(D) T) iter.Seq2[T, error] {
	return streamCursor(ctx, from.Name(), func() (*mongo.Cursor, error) { return query(ctx, from, command) }, convert)
}
