package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"

	"modernc.org/sqlite"
)

const (
	// keptStatements is how many statements a connection keeps prepared. A store has about as many that
	// clients call often.
	keptStatements = 64
	// longestKept bounds the text of a statement that is kept, in bytes. What is longer has a list of keys,
	// and is another statement for each length of the list.
	longestKept = 2048
)

// openDB opens a database whose connections keep their statements prepared. It makes connections only when
// they are used. writes says that their transactions need the lock of the file.
func openDB(dsn string, writes bool) (*sql.DB, error) {
	base, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector{base, writes}), nil
}

// connector makes connections that keep their statements.
type connector struct {
	driver.Connector
	writes bool
}

// Connect implements driver.Connector.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	base, ok := conn.(sqliteConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the driver of SQLite has a connection of type %T", conn), conn.Close())
	}
	made := &connection{sqliteConn: base, writes: c.writes, kept: make(map[string]*statement)}
	if c.writes {
		// BeginTx waits by itself from now on, and checkpoints say for how long. A read would have to wait only for the
		// recovery of a log, which is over when a connection is open.
		if _, err := made.ExecContext(ctx, `PRAGMA busy_timeout = 0`, nil); err != nil {
			return nil, errors.Join(err, made.Close())
		}
	}
	return made, nil
}

// sqliteConn is what a connection of the driver can do.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
	sqlite.FileControl
	NewBackup(to string) (*sqlite.Backup, error)
}

// connection is a connection that keeps the statements which it was used for last. As database/sql demands
// of a connection, it is not safe for concurrent use.
type connection struct {
	sqliteConn
	writes bool                  // see connector
	kept   map[string]*statement // by their texts; those that run are not among them
	uses   int64
}

// statement is a prepared statement.
type statement struct {
	driver.Stmt
	text string
	used int64 // connection.uses when it was used last
}

// Unwrap returns the connection of the driver, as package sqlite asks of those that wrap one.
func (c *connection) Unwrap() driver.Conn { return c.sqliteConn }

// Close implements driver.Conn.
func (c *connection) Close() error {
	var err error
	for _, s := range c.kept {
		err = errors.Join(err, s.Close())
	}
	c.kept = nil
	return errors.Join(err, c.sqliteConn.Close())
}

// keeps reports whether a statement is kept. Others run when they are prepared (some PRAGMAs), or once.
func keeps(text string) bool {
	if len(text) > longestKept {
		return false
	}
	for _, verb := range [...]string{"SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "} {
		if strings.HasPrefix(text, verb) {
			return true
		}
	}
	return false
}

// take returns the statement of a text, which is the caller's until give.
func (c *connection) take(ctx context.Context, text string) (*statement, error) {
	if s := c.kept[text]; s != nil {
		delete(c.kept, text)
		return s, nil
	}
	prepared, err := c.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	return &statement{Stmt: prepared, text: text}, nil
}

// give gives back what take has returned. After an error the statement is closed.
func (c *connection) give(s *statement, failed bool) error {
	if failed || c.kept == nil || c.kept[s.text] != nil {
		return s.Close()
	}
	c.uses++
	s.used = c.uses
	c.kept[s.text] = s
	if len(c.kept) <= keptStatements {
		return nil
	}
	oldest := s
	for _, k := range c.kept {
		if k.used < oldest.used {
			oldest = k
		}
	}
	delete(c.kept, oldest.text)
	return oldest.Close()
}

// ExecContext implements driver.ExecerContext.
func (c *connection) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	if !keeps(text) {
		return c.sqliteConn.ExecContext(ctx, text, args)
	}
	s, err := c.take(ctx, text)
	if err != nil {
		return nil, err
	}
	result, err := s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
	return result, errors.Join(err, c.give(s, err != nil))
}

// QueryContext implements driver.QueryerContext.
func (c *connection) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	if !keeps(text) {
		return c.sqliteConn.QueryContext(ctx, text, args)
	}
	s, err := c.take(ctx, text)
	if err != nil {
		return nil, err
	}
	found, err := s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
	if err != nil {
		return nil, errors.Join(err, c.give(s, true))
	}
	return &rows{Rows: found, of: c, statement: s}, nil
}

// rows gives its statement back when it is closed.
type rows struct {
	driver.Rows
	of        *connection
	statement *statement // nil: given back
	failed    bool
}

// Next implements driver.Rows.
func (r *rows) Next(to []driver.Value) error {
	err := r.Rows.Next(to)
	if err != nil && !errors.Is(err, io.EOF) {
		r.failed = true
	}
	return err
}

// Close implements driver.Rows.
func (r *rows) Close() error {
	if r.statement == nil {
		return nil
	}
	err := r.Rows.Close()
	err = errors.Join(err, r.of.give(r.statement, r.failed || err != nil))
	r.statement = nil
	return err
}
