package sqlitestore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/eventio/eventio/internal/telemetry/measure"
	"github.com/eventio/eventio/pkg/store"
)

// Apply implements store.Seats: one immediate transaction a batch. It loads, decides and writes
// while it holds the write lock of the file, so no other batch can come in between.
func (s *Store) Apply(ctx context.Context, batch []store.SeatRequest) ([]store.SeatResult, error) {
	var results []store.SeatResult
	var changes []store.Change
	var loading, deciding, saving, committing time.Time
	err := s.transact(ctx, func(tx *sql.Tx) error {
		loading = time.Now()
		states, err := load(ctx, tx, batch)
		if err != nil {
			return err
		}
		deciding = time.Now()
		results, changes = store.Decide(states, batch)
		saving = time.Now()
		err = writeBatch(ctx, tx, changes)
		committing = time.Now()
		return err
	})
	if err == nil {
		s.stats.Load.Observe(deciding.Sub(loading).Seconds())
		s.stats.Decide.Observe(saving.Sub(deciding).Seconds())
		s.stats.Save.Observe(committing.Sub(saving).Seconds())
		s.stats.Commit.Observe(measure.Since(committing))
	}
	if err != nil {
		s.stats.Fail(err)
		return nil, fmt.Errorf("apply a batch of %d: %w", len(batch), err)
	}
	store.TellChanges(ctx, changes)
	return results, nil
}

// rowsPerStatement is how many rows one statement writes at most; SQLite takes 32,766 parameters.
const rowsPerStatement = 128
