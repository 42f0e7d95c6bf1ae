package retention

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
	"github.com/eventio/eventio/pkg/store/storetest"
)

func TestWhatWasGivenUpIsForgottenWhenItsTimeIsOver(t *testing.T) {
	st, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	const many = chunk + 20
	event := storetest.NewEvent(t, st, many)
	wishes := storetest.NewRequests(event.ID, many)
	leaves := make([]store.SeatRequest, many)
	for i, w := range wishes {
		leaves[i] = store.SeatRequest{Kind: store.Cancel, EventID: event.ID, UserID: w.UserID, RequestID: "leave", At: w.At}
	}
	if _, err := st.Apply(t.Context(), append(wishes, leaves...)); err != nil {
		t.Fatal(err)
	}
	left := wishes[0].At
	for _, c := range []struct {
		name string
		keep time.Duration
		at   time.Time
		want int
	}{
		{"kept for ever", 0, left.Add(10_000 * time.Hour), 0},
		{"before its time", 48 * time.Hour, left.Add(48 * time.Hour), 0},
		{"after it, in more than one step", 48 * time.Hour, left.Add(48*time.Hour + time.Second), many},
		{"once", 48 * time.Hour, left.Add(49 * time.Hour), 0},
	} {
		if n, _, err := (Flags{KeepCancelled: c.keep}).Once(t.Context(), st, c.at); err != nil || n != c.want {
			t.Errorf("%s: %d, %v, want %d", c.name, n, err, c.want)
		}
	}
	for keep, ok := range map[time.Duration]bool{0: false, time.Minute: false, time.Hour: true, 24 * time.Hour: true, 720 * time.Hour: true, 721 * time.Hour: false} {
		if err := (KeyFlags{KeepKeys: keep}).Check(); (err == nil) != ok {
			t.Errorf("keys for %v: %v", keep, err)
		}
	}
	for keep, ok := range map[time.Duration]bool{0: true, time.Hour: false, -time.Hour: false, 24 * time.Hour: true} {
		if err := (Flags{KeepCancelled: keep}).Check(); (err == nil) != ok {
			t.Errorf("%v: %v", keep, err)
		}
	}
}
