package sqldb

import (
	"context"
	"database/sql"
	"iter"

	"github.com/eventio/eventio/pkg/store"
)

// KeysPerStatement is how many keys one statement looks up at most; SQLite takes 32,766 parameters.
const KeysPerStatement = 512

// Transact runs fn in one immediate transaction and syncs it to disk. An error that matches
// store.ErrNothingStored means that nothing was stored.
type Transact func(ctx context.Context, fn func(*sql.Tx) error) error

// Querier is a database or a transaction.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Scanner is a row, or the current one of several.
type Scanner interface{ Scan(to ...any) error }

// Stream yields the rows of a query one by one. It yields an error at most once, as the last
// element.
func Stream[T any](ctx context.Context, q Querier, scan func(Scanner) (T, error), query string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		if pool, ok := q.(*ReadPool); ok {
			var done func()
			ctx, done = pool.begin(ctx)
			defer done()
		}
		rows, err := q.QueryContext(ctx, query, args...)
		if err != nil {
			yield(none, streamError(ctx, err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			v, err := scan(rows)
			if err != nil {
				yield(none, streamError(ctx, err))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(none, streamError(ctx, err))
		}
	}
}

// All reads all rows of a query.
func All[T any](ctx context.Context, q Querier, scan func(Scanner) (T, error), query string, args ...any) ([]T, error) {
	var all []T
	for v, err := range Stream(ctx, q, scan, query, args...) {
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// ScanID scans a row of one column, an id.
func ScanID(row Scanner) (store.ID, error) {
	var id store.ID
	err := row.Scan(ID{&id})
	return id, err
}

// ScanValue scans a row of one column.
func ScanValue[T any](row Scanner) (T, error) {
	var v T
	err := row.Scan(&v)
	return v, err
}

// Affected returns how many rows a statement has changed.
func Affected(res sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return int(n), err
}

// Limit returns a limit as SQLite has it: -1 for none.
func Limit(limit int) int {
	if limit == 0 {
		return -1
	}
	return limit
}
