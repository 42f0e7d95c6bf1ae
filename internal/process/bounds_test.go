package process_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/process"
)

// TestTimes: a time that cannot be meant is refused with the flag's name and what it may be.
func TestTimes(t *testing.T) {
	for name, c := range map[string]struct {
		check func(time.Duration) error
		good  []time.Duration
		bad   []time.Duration
	}{
		"--request-timeout": {process.RequestTimeout, []time.Duration{50 * time.Millisecond, 5 * time.Second, 15 * time.Second},
			[]time.Duration{-time.Second, 0, time.Nanosecond, time.Millisecond, 15*time.Second + 1, time.Minute, 1000 * time.Hour}},
		"--start-timeout": {process.StartTimeout, []time.Duration{time.Millisecond, time.Minute, 24 * time.Hour}, []time.Duration{-1, 0, 1000 * time.Hour}},
		"--drain-delay":   {process.DrainDelay, []time.Duration{0, time.Second, 10 * time.Minute}, []time.Duration{-1, time.Hour, 1000 * time.Hour}},
	} {
		for _, d := range c.good {
			if err := c.check(d); err != nil {
				t.Errorf("%s %v: %v", name, d, err)
			}
		}
		for _, d := range c.bad {
			if err := c.check(d); !errors.Is(err, process.ErrUsage) || !strings.HasPrefix(err.Error(), name+" must be ") {
				t.Errorf("%s %v: %v", name, d, err)
			}
		}
	}
}
