package setup

import (
	"errors"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/process"
)

// TestWhichLeasesCanBeMeant: none, or some of at most a second, which a worker grants without shortening them.
func TestWhichLeasesCanBeMeant(t *testing.T) {
	for length, want := range map[time.Duration]bool{
		0: true, time.Millisecond: true, time.Second: true,
		-time.Second: false, time.Microsecond: false, time.Second + 1: false, time.Hour: false,
	} {
		if err := (Leases{length}).CheckLeases(); (err == nil) != want || err != nil && !errors.Is(err, process.ErrUsage) {
			t.Errorf("%s: %v", length, err)
		}
	}
}
