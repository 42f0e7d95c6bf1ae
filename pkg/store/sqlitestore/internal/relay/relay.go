// Package relay keeps what SQLite has for those who tell others of changes: how far each consumer of the
// record of changes has come, webhooks, what each of them was told, and mails to send.
package relay

import "github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"

// Relay implements store.Consumers, store.Webhooks and outbox.Outbox. It is safe for concurrent use.
type Relay struct {
	read     *sqldb.ReadPool
	transact sqldb.Transact
}

// New returns the relay's part of a database, which it reads by read and writes by transact.
func New(read *sqldb.ReadPool, transact sqldb.Transact) *Relay { return &Relay{read, transact} }
