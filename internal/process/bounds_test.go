package process_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

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

// TestQuiet: a part of a command tells what needs attention, and less when that was asked for.
func TestQuiet(t *testing.T) {
	for level, want := range map[zerolog.Level]string{zerolog.DebugLevel: "we", zerolog.InfoLevel: "we", zerolog.WarnLevel: "we", zerolog.ErrorLevel: "e"} {
		var out bytes.Buffer
		log := process.Quiet(zerolog.New(&out).Level(level))
		log.Info().Msg("i")
		log.Warn().Msg("w")
		log.Error().Msg("e")
		got := ""
		for line := range strings.Lines(out.String()) {
			got += line[len(line)-len("w\"}\n") : len(line)-len("\"}\n")]
		}
		if got != want {
			t.Errorf("at level %v it tells %q, want %q", level, got, want)
		}
	}
}
