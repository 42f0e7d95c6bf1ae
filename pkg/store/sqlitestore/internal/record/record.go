// Package record keeps the record of changes in SQLite: its rows, those who follow it, and what is
// forgotten of it.
package record

import (
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// Record implements store.Changes and store.Refusals. It is safe for concurrent use.
type Record struct {
	read     *sqldb.ReadPool
	transact sqldb.Transact
	news     *News
}

// New returns the record of a database, which it reads by read and writes by transact. It learns from news
// of commits of this process.
func New(read *sqldb.ReadPool, transact sqldb.Transact, news *News) *Record {
	return &Record{read: read, transact: transact, news: news}
}
