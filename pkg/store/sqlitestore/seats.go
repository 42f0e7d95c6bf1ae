package sqlitestore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/eventio/eventio/pkg/store"
)

// Apply implements store.Seats: one immediate transaction a batch. It loads, decides and writes
// while it holds the write lock of the file, so no other batch can come in between.
func (s *Store) Apply(ctx context.Context, batch []store.SeatRequest) ([]store.SeatResult, error) {
	var results []store.SeatResult
	var changes []store.Change
	err := s.transact(ctx, func(tx *sql.Tx) error {
		states, err := load(ctx, tx, batch)
		if err != nil {
			return err
		}
		results, changes = store.Decide(states, batch)
		return writeBatch(ctx, tx, changes)
	})
	if err != nil {
		return nil, fmt.Errorf("apply a batch of %d: %w", len(batch), err)
	}
	store.TellChanges(ctx, changes)
	return results, nil
}

// rowsPerStatement is how many rows one statement writes at most; SQLite takes 32,766 parameters.
const rowsPerStatement = 128
