package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// ErrDatabaseReplaced means that the database is not the one that was opened: it was dropped,
// restored or exchanged meanwhile. Waiting does not cure it; the process must be restarted.
var ErrDatabaseReplaced = errors.New("the database was replaced under this process, restart this process")

// ErrNoDatabaseID means that nothing has prepared this database yet, so it has no id.
var ErrNoDatabaseID = errors.New("the database has no id yet: start Event.io on it once")

// databaseIDSize is that of an id before it is written in hex digits: 80 bits, too many for
// two databases to meet by chance.
const databaseIDSize = 10

// DatabaseIDOf makes a database's id of all that together tells it from every other: 20
// digits of 0-9 and a-f, the same for the same parts.
func DatabaseIDOf(parts ...[]byte) string {
	h := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(h, "%d:", len(part)) // so that no two lists of parts look alike
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil)[:databaseIDSize])
}
