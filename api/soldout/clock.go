package soldout

import "time"

// moment is a time by both clocks of the machine: how long the process has run, which stands still while the machine is
// suspended, and the clock on the wall, which somebody may set.
type moment struct{ ran, wall time.Duration }

// clock returns a function that tells the time.
func clock() func() moment {
	begun := time.Now()
	return func() moment {
		now := time.Now()
		return moment{now.Sub(begun), time.Duration(now.UnixNano())}
	}
}

// since returns how long ago a moment was, by the clock that ran further: a lease must not outlast either.
func (m moment) since(earlier moment) time.Duration {
	return max(m.ran-earlier.ran, m.wall-earlier.wall)
}
