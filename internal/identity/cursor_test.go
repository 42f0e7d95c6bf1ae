package identity

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestNoChangeIsMissed: whatever order changes become visible in, each is read by the first reading that begins after; and
// when nothing has changed for a while, next to nothing is read again.
func TestNoChangeIsMissed(t *testing.T) {
	type change struct {
		at      time.Time // by the clock of the store
		visible time.Time // by that of the process
		read    bool
	}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		// The clocks are apart, and their distance does not matter.
		apart := time.Duration(r.Int64N(int64(2*time.Hour))) - time.Hour
		begin := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
		var changes []change
		for now := begin; now.Before(begin.Add(20 * time.Minute)); now = now.Add(time.Duration(r.ExpFloat64() * float64(10*time.Second))) {
			behind := time.Duration(r.Int64N(int64(overlap))) // under way, or by the clock of another primary
			late := time.Duration(r.Int64N(int64(overlap - behind)))
			changes = append(changes, change{at: now.Add(apart - behind), visible: now.Add(late)})
		}
		var c cursor
		for now := begin; now.Before(begin.Add(30 * time.Minute)); {
			now = now.Add(time.Duration(r.Int64N(int64(6 * time.Second))))
			ended := now.Add(time.Duration(r.Int64N(int64(time.Second))))
			if r.IntN(5) == 0 {
				continue // a reading that fails
			}
			since, latest, again := c.since(), time.Time{}, 0
			for i := range changes {
				if changes[i].visible.After(now) {
					continue
				}
				if !changes[i].at.Before(since) {
					if changes[i].read {
						again++
					}
					changes[i].read = true
					if changes[i].at.After(latest) {
						latest = changes[i].at
					}
				}
				if !changes[i].read {
					t.Fatalf("seed %d: the change of %v, visible at %v, is not read at %v, from %v on", seed, changes[i].at, changes[i].visible, now, since)
				}
			}
			c.moved(now, ended, latest)
			if now.After(begin.Add(23*time.Minute)) && again > 1 {
				t.Fatalf("seed %d: minutes after the last change %d are read again", seed, again)
			}
		}
	}
}
