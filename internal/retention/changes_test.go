package retention

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// TestRecordsOfChangesGoAfterTheEndOfTheirEvents: in more than one step, and no others.
func TestRecordsOfChangesGoAfterTheEndOfTheirEvents(t *testing.T) {
	st, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	const old = events + 3
	var last store.Event
	for range old {
		last = storetest.NewEvent(t, st, 5)
		storetest.MustApply(t, st, storetest.NewRequest(last.ID))
	}
	late, later := storetest.NewEvent(t, st, 5), last.EndsAt.AddDate(3, 0, 0)
	storetest.MustApply(t, st, storetest.NewEdit(late.ID, store.Edit{Version: store.AnyVersion, EndsAt: &later}))
	for _, c := range []struct {
		name string
		keep time.Duration
		at   time.Time
		want int
	}{
		{"kept for ever", 0, last.EndsAt.AddDate(50, 0, 0), 0},
		{"before its time", 48 * time.Hour, last.EndsAt.Add(48 * time.Hour), 0},
		{"after it, in more than one step", 48 * time.Hour, last.EndsAt.Add(48*time.Hour + time.Second), old},
		{"once", 48 * time.Hour, last.EndsAt.Add(49 * time.Hour), 0},
	} {
		if n, err := (Flags{KeepChanges: c.keep}).OnceChanges(t.Context(), st, c.at); err != nil || n != c.want {
			t.Errorf("%s: %d, %v, want %d", c.name, n, err, c.want)
		}
	}
	for event, want := range map[store.ID]int{last.ID: 0, late.ID: 1} {
		if rows := storetest.Collect(t, st.EventChanges(t.Context(), event, 0, 0)); len(rows) != want {
			t.Errorf("%d rows, want %d", len(rows), want)
		}
	}
	for keep, ok := range map[time.Duration]bool{0: true, time.Hour: false, -time.Hour: false, 24 * time.Hour: true} {
		if err := (Flags{KeepChanges: keep}).Check(); (err == nil) != ok {
			t.Errorf("%v: %v", keep, err)
		}
	}
}
