// Package sqldb is SQLite as sqlitestore and its migrations use it: how a file is opened, what an
// error means for what is stored, and how values are stored in columns.
package sqldb

import (
	"database/sql"
	"fmt"
	"net/url"
	"time"
)

const (
	// BusyTimeout is how long a reader, and a writer that opens the file, waits for another process that has it. Transactions
	// wait as BeginTx says.
	BusyTimeout = 2 * time.Second
	// LogLimit is the size in bytes above which the write-ahead log is cut. It starts anew at about
	// 4 MB, unless a reader prevents it, so it is seldom cut.
	LogLimit = 16 << 20
)

// OpenWriter opens the file at path for writing, over one connection whose transactions are
// immediate. It makes connections only when they are used.
func OpenWriter(path string) (*sql.DB, error) {
	write, err := openDB(DSN(path, "immediate"), true)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	write.SetMaxOpenConns(1)
	return write, nil
}

// OpenReader opens the file at path for reading, beside an OpenWriter of the same process.
func OpenReader(path string) (*sql.DB, error) {
	return openDB(DSN(path, "deferred")+"&_pragma=query_only(1)", false)
}

// OpenReadOnly opens the file at path over connections that can change nothing, not even the
// journal mode of the file.
func OpenReadOnly(path string) (*sql.DB, error) {
	q := url.Values{"mode": {"ro"}, "_txlock": {"deferred"}, "_pragma": {
		fmt.Sprintf("busy_timeout(%d)", BusyTimeout.Milliseconds()), "query_only(1)",
	}}
	return openDB((&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String(), false)
}

// DSN returns the data source name of a file, whose transactions begin as txlock says: "immediate" or
// "deferred".
func DSN(path, txlock string) string {
	q := url.Values{
		"_txlock": {txlock},
		"_pragma": {
			fmt.Sprintf("busy_timeout(%d)", BusyTimeout.Milliseconds()),
			"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
			fmt.Sprintf("journal_size_limit(%d)", LogLimit),
		},
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}
