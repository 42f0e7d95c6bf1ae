package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// TestAQuotaIsExact checks that the last amount of a day still fits, that nothing above it does, and that the first
// kind that is used up is named.
func TestAQuotaIsExact(t *testing.T) {
	at := time.Date(2027, 5, 2, 1, 30, 0, 0, time.FixedZone("", 2*3600)) // the day before, in UTC
	use := store.QuotaUse{Subject: "person x", At: at, Amounts: []store.QuotaAmount{
		{Kind: "events", Amount: 1, Limit: 3}, {Kind: "event_bytes", Amount: 40, Limit: 100},
	}}
	for _, c := range []struct {
		used map[string]int64
		kind string
	}{
		{nil, ""},
		{map[string]int64{"events": 2, "event_bytes": 60, "other": 1 << 40}, ""},
		{map[string]int64{"events": 3, "event_bytes": 60}, "events"},
		{map[string]int64{"events": 2, "event_bytes": 61}, "event_bytes"},
		{map[string]int64{"events": 9, "event_bytes": 99}, "events"},
	} {
		err := use.Exceeded(c.used)
		if err == nil {
			if c.kind != "" {
				t.Errorf("%v: nothing is used up", c.used)
			}
			continue
		}
		midnight := time.Date(2027, 5, 2, 0, 0, 0, 0, time.UTC)
		if err.Kind != c.kind || err.Subject != "person x" || err.Until != midnight || !errors.Is(err, store.ErrNothingStored) {
			t.Errorf("%v: %+v, want %s", c.used, err, c.kind)
		}
	}
	if day := use.Day(); day != time.Date(2027, 5, 1, 0, 0, 0, 0, time.UTC) {
		t.Errorf("the day is %v", day)
	}
}
