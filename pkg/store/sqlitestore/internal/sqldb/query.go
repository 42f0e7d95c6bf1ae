package sqldb

import (
	"context"
	"database/sql"
	"iter"

	"github.com/eventio/eventio/pkg/store"
)

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
