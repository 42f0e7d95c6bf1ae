// Package record keeps the record of changes in SQLite: its rows, those who follow it, and what is
// forgotten of it.
package record

import (
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// Record implements store.Changes. It is safe for concurrent use.
type Record struct {
	read     *sqldb.ReadPool
	transact sqldb.Transact
	news     news // of commits, for Follow
}

// New returns the record of a database, which it reads by read and writes by transact.
func New(read *sqldb.ReadPool, transact sqldb.Transact) *Record {
	return &Record{read: read, transact: transact}
}

// Committed tells those who follow that this process has committed.
func (s *Record) Committed() { s.news.tell() }
