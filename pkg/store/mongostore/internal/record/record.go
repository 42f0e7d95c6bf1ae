// Package record keeps the record of changes in MongoDB: its rows, those who follow it, and what is
// forgotten of it.
package record

import "go.mongodb.org/mongo-driver/v2/mongo"

// Record implements store.Changes and store.Refusals. It is safe for concurrent use.
type Record struct {
	client     *mongo.Client
	changes    *mongo.Collection
	events     *mongo.Collection
	refusals   *mongo.Collection
	databaseID func() string
}

// New returns the record of a database. databaseID returns the id of the database, which positions name.
func New(db *mongo.Database, databaseID func() string) *Record {
	return &Record{client: db.Client(), changes: db.Collection("changes"), events: db.Collection("events"),
		refusals: db.Collection("refusals"), databaseID: databaseID}
}
