package bounds_test

import (
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store/bounds"
)

// TestTextsAreTakenUpToTheirBounds checks that a line may be as long as it is said, that only an optional one may be empty, and
// that only a text has several lines.
func TestTextsAreTakenUpToTheirBounds(t *testing.T) {
	for name, c := range map[string]struct {
		normal func(string, int) (string, error)
		value  string
		want   string
		ok     bool
	}{
		"a line":                      {bounds.Line, " four ", "four", true},
		"a line that is too long":     {bounds.Line, "fives", "", false},
		"no line":                     {bounds.Line, "", "", false},
		"two lines for one":           {bounds.Line, "a\nb", "", false},
		"an optional line":            {bounds.OptionalLine, " four ", "four", true},
		"an optional line, too long":  {bounds.OptionalLine, "fives", "", false},
		"no optional line":            {bounds.OptionalLine, "", "", true},
		"a blank optional line":       {bounds.OptionalLine, " ", "", false},
		"two lines":                   {bounds.Text, "a\r\nb", "a\r\nb", true},
		"a text that is too long":     {bounds.Text, "a\nb\nc", "", false},
		"no text":                     {bounds.Text, "", "", true},
		"a text that has no encoding": {bounds.Text, "\xff", "", false},
	} {
		if got, err := c.normal(c.value, 4); got != c.want || (err == nil) != c.ok {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestTimesAreOfTheseYears checks the first and the last moment that is taken, by the clock of UTC, and that what is taken is
// in UTC and milliseconds.
func TestTimesAreOfTheseYears(t *testing.T) {
	first, end := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	east := time.FixedZone("", 3600)
	for name, c := range map[string]struct {
		value, want time.Time
		ok          bool
	}{
		"the first moment":                     {first, first, true},
		"the moment before":                    {first.Add(-1), time.Time{}, false},
		"the last moment":                      {end.Add(-1), end.Add(-time.Millisecond), true},
		"the moment behind":                    {end, time.Time{}, false},
		"the first moment, in another zone":    {first.In(east), first, true},
		"year 1, which is year 0 in UTC":       {time.Date(1, 1, 1, 0, 30, 0, 0, east), time.Time{}, false},
		"year 10000, which is year 9999 there": {time.Date(10_000, 1, 1, 0, 30, 0, 0, east), end.Add(-30 * time.Minute), true},
	} {
		if got, err := bounds.Instant(c.value); got != c.want || (err == nil) != c.ok {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// TestTimeZonesAreNamesOrNothing checks which names are taken.
func TestTimeZonesAreNamesOrNothing(t *testing.T) {
	for name, ok := range map[string]bool{"": true, "UTC": true, "Europe/Berlin": true, "Local": false, "Mars/Base": false, " ": false} {
		if err := bounds.TimeZone(name); (err == nil) != ok || err != nil && !strings.HasPrefix(err.Error(), "must be ") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestSeatsAreCounted checks the fewest and the most seats that an event may have.
func TestSeatsAreCounted(t *testing.T) {
	for seats, ok := range map[int64]bool{-1: false, 0: false, 1: true, bounds.MaxCapacity: true, bounds.MaxCapacity + 1: false} {
		if err := bounds.Capacity(seats); (err == nil) != ok {
			t.Errorf("%d: %v", seats, err)
		}
	}
}
