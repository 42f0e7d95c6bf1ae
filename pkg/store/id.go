package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// ID identifies a user or an event: 12 bytes, written as 24 hex digits on every store.
type ID = bson.ObjectID

// NewID makes an ID that no other process makes.
func NewID() ID { return bson.NewObjectID() }

// ParseID reads 24 hex digits of either case. It fails on everything else.
func ParseID(s string) (ID, error) { return bson.ObjectIDFromHex(s) }

// Database tells which database a store is over.
type Database interface {
	// DatabaseID returns the database id: 1 to 32 lower-case letters and digits. All processes
	// over one database get the same, and no other database has it: not a copy of its records,
	// and not one with another name. The id does not change while the store is open. Each adapter
	// says which ways of copying or moving a database keep its id.
	DatabaseID() string
}

// databaseIDSize is the size of a database id in bytes, before it is written as hex digits: 80
// bits, too many for two databases to get the same one by chance.
const databaseIDSize = 10

// DatabaseIDOf returns the database id that follows from parts, which together must tell the
// database from every other one: 20 hex digits, the same for the same parts.
func DatabaseIDOf(parts ...[]byte) string {
	h := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(h, "%d:", len(part)) // so that no two lists of parts look alike
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil)[:databaseIDSize])
}
