// Package relay keeps what SQLite has for those who tell others of changes: how far each consumer of the
// record of changes has come, webhooks, and what each of them was told.
package relay

import "github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"

// Relay implements store.Consumers and store.Webhooks. It is safe for concurrent use.
type Relay struct {
	read     *sqldb.ReadPool
	transact sqldb.Transact
}

// New returns the relay's part of a database, which it reads by read and writes by transact.
func New(read *sqldb.ReadPool, transact sqldb.Transact) *Relay { return &Relay{read, transact} }
