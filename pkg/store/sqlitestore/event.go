package sqlitestore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/search"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
)

// eventColumns returns the columns of the table events, in the order of store.EventFields.
var eventColumns = sync.OnceValue(func() string {
	var columns []string
	for _, f := range store.EventFields() {
		columns = append(columns, "events."+f.Column)
	}
	return strings.Join(columns, ", ")
})

// eventTargets returns what scans the eventColumns into e.
func eventTargets(e *store.Event) []any {
	targets := make([]any, len(store.EventFields()))
	for i, f := range store.EventFields() {
		targets[i] = sqldb.ScanTarget(f.Pointer(e))
	}
	return targets
}

func scanEvent(row sqldb.Scanner) (store.Event, error) {
	var e store.Event
	err := row.Scan(eventTargets(&e)...)
	return e, err
}

// CreateEvent implements store.Events.
func (s *Store) CreateEvent(ctx context.Context, e store.Event) error {
	err := s.transact(ctx, func(tx *sql.Tx) error { return insertEvent(ctx, tx, e.AsCreated()) })
	if err != nil {
		return fmt.Errorf("create event %s: %w", e.ID.Hex(), err)
	}
	return nil
}

// insertEvent adds an event as it is, and what searches find it by.
func insertEvent(ctx context.Context, tx *sql.Tx, e store.Event) error {
	var columns []string
	var values []any
	for _, f := range store.EventFields() {
		columns, values = append(columns, f.Column), append(values, sqldb.Value(f.Pointer(&e)))
	}
	//nolint:gosec // the names of columns are ours
	_, err := tx.ExecContext(ctx, `INSERT INTO events (`+strings.Join(columns, ", ")+`) VALUES (?`+
		strings.Repeat(`, ?`, len(columns)-1)+`)`, values...)
	if err != nil {
		return err
	}
	return addWordPrefixes(ctx, tx, e, search.WordPrefixes(e))
}

// Event implements store.Events.
func (s *Store) Event(ctx context.Context, eventID store.ID) (store.Event, error) {
	e, err := scanEvent(s.read.QueryRowContext(ctx, `SELECT `+eventColumns()+` FROM events WHERE id = ?`, eventID[:]))
	if err != nil {
		return store.Event{}, fmt.Errorf("read event %s: %w", eventID.Hex(), sqldb.ReadError(err, store.ErrEventNotFound))
	}
	return e, nil
}

// EventsByID implements store.Events.
func (s *Store) EventsByID(ctx context.Context, ids []store.ID) (map[store.ID]store.Event, error) {
	args := make([]any, len(ids))
	for i := range ids {
		args[i] = ids[i][:]
	}
	found := make(map[store.ID]store.Event, len(ids))
	for e, err := range sqldb.Stream(ctx, s.read, scanEvent, `SELECT `+eventColumns()+` FROM events
		WHERE id IN (`+placeholders("?", len(ids))+`)`, args...) {
		if err != nil {
			return nil, fmt.Errorf("read %d events: %w", len(ids), err)
		}
		found[e.ID] = e
	}
	return found, nil
}

// placeholders returns n times the placeholder of one value, with commas between.
func placeholders(one string, n int) string {
	return strings.TrimSuffix(strings.Repeat(one+", ", n), ", ")
}
