package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// TestWhatIsNotKnownToPassIsNotUnavailable checks that a damaged table fails reads and writes at
// once, with nothing stored, and not as unavailable; and that a lock of another process is
// unavailable.
func TestWhatIsNotKnownToPassIsNotUnavailable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eventio.db")
	s, other := open(t, path), open(t, path)
	event := storetest.NewEvent(t, s, 5)
	attempts := map[string]func(context.Context) error{
		"apply": func(ctx context.Context) error {
			_, err := s.Apply(ctx, storetest.NewRequests(event.ID, 2))
			return err
		},
		"create event": func(ctx context.Context) error {
			return s.CreateEvent(ctx, store.Event{ID: store.NewID(), Capacity: 1})
		},
		"read event": func(ctx context.Context) error {
			_, err := s.Event(ctx, event.ID)
			return err
		},
		"read events": func(ctx context.Context) error {
			_, err := s.FindEvents(ctx, store.EventQuery{})
			return err
		},
	}
	writes := []string{"apply"} // each waits for busyTimeout
	edit(t, path, `ALTER TABLE events DROP COLUMN last_edit`)
	for name, attempt := range attempts {
		if err := attempt(t.Context()); !errors.Is(err, store.ErrNothingStored) || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s, a column less: %v", name, err)
		}
	}
	edit(t, path, `ALTER TABLE events ADD COLUMN last_edit TEXT NOT NULL DEFAULT ''`)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, attempt := range attempts {
		if err := attempt(gone); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s, nobody waits: %v", name, err)
		}
	}
	err := other.transact(t.Context(), func(*sql.Tx) error {
		for _, name := range writes {
			if err := attempts[name](t.Context()); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s, another process writes: %v", name, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
