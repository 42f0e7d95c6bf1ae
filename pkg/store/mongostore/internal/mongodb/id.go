package mongodb

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/eventio/eventio/pkg/store"
)

// Identify reads the id of the database of a collection, which it creates when it is missing; another process may do
// so at the same moment.
func Identify(ctx context.Context, c *mongo.Collection) (id string, err error) {
	if id, err = DatabaseID(ctx, c); err != nil || id != "" {
		return id, err
	}
	err = c.Database().CreateCollection(ctx, c.Name())
	var refused mongo.CommandError
	if err != nil && !(errors.As(err, &refused) && refused.Code == CodeNamespaceExists) {
		return "", fmt.Errorf("create collection %s: %w", c.Name(), err)
	}
	if id, err = DatabaseID(ctx, c); err == nil && id == "" {
		err = fmt.Errorf("collection %s was dropped while the database was opened: %w", c.Name(), store.ErrDatabaseReplaced)
	}
	return id, err
}

// DatabaseID reads the id of the database of a collection from the primary; "": the collection does not exist.
// It needs the right listCollections, which the role readWrite has.
func DatabaseID(ctx context.Context, c *mongo.Collection) (string, error) {
	db := c.Database()
	found, err := db.ListCollectionSpecifications(ctx, bson.D{{Key: "name", Value: c.Name()}})
	if err != nil {
		return "", fmt.Errorf("read the UUID of collection %s: %w", c.Name(), ReadError(err, nil))
	}
	if len(found) == 0 {
		return "", nil
	}
	if found[0].UUID == nil {
		return "", fmt.Errorf("collection %s has no UUID: it is a %s", c.Name(), found[0].Type)
	}
	return store.DatabaseIDOf([]byte("mongodb"), []byte(db.Name()), found[0].UUID.Data), nil
}
