// Package people keeps what SQLite has of people and of those who call: users, their sessions,
// the keys that sign tokens, idempotency keys and quotas. It knows nothing of seats.
package people

import (
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// People implements store.Users, Accounts, Sessions, Keys, Idempotency and Quotas, apikeys.Store and foreign.Identities, but for what erases
// somebody from registrations too. It is safe for concurrent use.
type People struct {
	read     *sqldb.ReadPool
	transact sqldb.Transact
	quotaDay int64 // the last day of UseQuota; whoever may write may use it
}

// New returns the people of a database, which it reads by read and writes by transact.
func New(read *sqldb.ReadPool, transact sqldb.Transact) *People {
	return &People{read: read, transact: transact}
}
