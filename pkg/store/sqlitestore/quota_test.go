package sqlitestore

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// TestOldQuotasAreForgotten checks that what was used in a day counts through the next one, when clocks differ, and
// is removed after that, also by a process that was started since.
func TestOldQuotasAreForgotten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "eventio.db")
	use := func(s *Store, subject string, days int) error {
		return s.UseQuota(t.Context(), store.QuotaUse{
			Subject: subject, At: storetest.Now().AddDate(0, 0, days), Amounts: []store.QuotaAmount{{Kind: "events", Amount: 3, Limit: 3}},
		})
	}
	usedUp := func(err error) bool {
		_, exceeded := errors.AsType[*store.QuotaError](err)
		return exceeded
	}
	s := open(t, path)
	for _, subject := range []string{"ada", "bob"} {
		if err := use(s, subject, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := use(s, "carol", 1); err != nil || !usedUp(use(s, "ada", 0)) {
		t.Errorf("the day before is forgotten: %v", err)
	}
	if err := use(open(t, path), "dora", 2); err != nil {
		t.Fatal(err)
	}
	if err := use(s, "ada", 0); err != nil {
		t.Errorf("the day before yesterday is remembered: %v", err)
	}
	if !usedUp(use(s, "carol", 1)) || !usedUp(use(s, "dora", 2)) {
		t.Error("yesterday or today is forgotten")
	}
	// A day that is over stays when it is used again, and the next new day removes it.
	if err := use(s, "erik", 3); err != nil || use(s, "carol", 1) != nil || use(s, "bob", 0) != nil {
		t.Errorf("a third day removes nothing: %v", err)
	}
}

// TestOldRefusalsAreForgotten checks that counts of refusals go when nobody is told of them any more, and no earlier.
// MongoDB has a TTL index for that.
func TestOldRefusalsAreForgotten(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "eventio.db"))
	event, now := store.NewID(), time.Now().UTC().Truncate(time.Minute)
	kept := store.RefusedMinute{EventID: event, At: now.Add(time.Hour - store.RefusalsKept), Refused: 2}
	old := store.RefusedMinute{EventID: event, At: now.Add(-store.RefusalsKept), Refused: 3}
	if err := s.AddRefusals(t.Context(), []store.RefusedMinute{old, kept}); err != nil {
		t.Fatal(err)
	}
	if n, err := s.ForgetKeys(t.Context()); n != 1 || err != nil {
		t.Errorf("%d are forgotten, %v", n, err)
	}
	if got, err := s.RefusedMinutes(t.Context(), event, time.Time{}); err != nil || !slices.Equal(got, []store.RefusedMinute{kept}) {
		t.Errorf("there are %v, %v", got, err)
	}
}
