package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/record"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/waitlist"
)

// errConflict means that an event is not as it was loaded. In an immediate transaction that cannot
// happen while the file is sound.
var errConflict = errors.New("the event was changed by another batch")

// writeBatch writes everything that a batch changes: its events, each under the precondition that it
// is as it was loaded and has enough seats, their rows of the record of changes, and the registrations
// that it replaces and adds.
func writeBatch(ctx context.Context, tx *sql.Tx, changes []store.Change) error {
	var rows []store.Registration
	for _, c := range changes {
		if err := updateEvent(ctx, tx, c); err != nil {
			return err
		}
		if err := record.Insert(ctx, tx, c.Records()); err != nil {
			return err
		}
		// Replaced rows are deleted here and inserted with the new ones, not by INSERT OR REPLACE: so
		// the primary key refuses a second registration of a user.
		for _, r := range c.Replaced {
			if _, err := tx.ExecContext(ctx, `DELETE FROM registrations WHERE user_id = ? AND event_id = ?`, r.UserID[:], r.EventID[:]); err != nil {
				return err
			}
		}
		rows = append(append(rows, c.Replaced...), c.Added...)
	}
	if err := waitlist.Add(ctx, tx, changes); err != nil {
		return err
	}
	for some := range slices.Chunk(rows, rowsPerStatement) {
		if err := insertRegistrations(ctx, tx, some); err != nil {
			return err
		}
	}
	return nil
}

func insertRegistrations(ctx context.Context, tx *sql.Tx, rows []store.Registration) error {
	var values []any
	for _, r := range rows {
		values = append(values, registrationValues(r)...)
	}
	//nolint:gosec // the text has only placeholders, as many as values
	_, err := tx.ExecContext(ctx, `INSERT INTO registrations (`+registrationColumns+`) VALUES `+onePlaceholder+
		strings.Repeat(`, `+onePlaceholder, len(rows)-1), values...)
	return err
}

// updateEvent writes what a batch changes in one event.
func updateEvent(ctx context.Context, tx *sql.Tx, c store.Change) error {
	after, added := c.After, c.After.TicketsSold-c.Before.TicketsSold
	columns := []string{"tickets_sold = ?", "waiting = ?", "last_number = ?", "confirmed_through = ?", "revision = ?", "recorded = ?"}
	values := []any{after.TicketsSold, after.Waiting, after.LastNumber, after.ConfirmedThrough, after.Revision, after.Recorded}
	set := func(column string, value any) {
		columns, values = append(columns, column+" = ?"), append(values, sqldb.Value(value))
	}
	set("leases_granted", after.LeasesGranted)
	set("lease_ms", after.LeaseMillis)
	set("leases_ending", after.LeasesEnding)
	if c.Edit != nil {
		set("version", after.Version)
		set("last_edit", after.LastEdits)
		set("cancelled_at", after.CancelledAt)
		for field, value := range c.Edit.Fields() {
			set(field.Column, value)
		}
	}
	values = append(values, c.Before.ID[:], c.Before.Revision, c.Before.LeasesGranted, after.Capacity, added)
	//nolint:gosec // the names of columns are ours
	res, err := tx.ExecContext(ctx, `UPDATE events SET `+strings.Join(columns, ", ")+
		` WHERE id = ? AND revision = ? AND leases_granted = ? AND tickets_sold <= ? - ?`, values...)
	if err != nil {
		return err
	}
	if rows, err := res.RowsAffected(); err != nil || rows != 1 {
		return errors.Join(fmt.Errorf("event %s: %w", c.Before.ID.Hex(), errConflict), err)
	}
	return updateSearch(ctx, tx, c)
}
