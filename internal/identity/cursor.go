package identity

import (
	"iter"
	"time"
)

// overlap is how long a change may take until a reading of the store finds it: one that takes longer may be missed. Changes
// have the time of the store, so they come in order but for those that are under way, and for the clocks of a replica set
// after an election.
const overlap = time.Minute

// cursor says from which change on a store is read again, so that no change is missed and few are read twice. It is for one
// goroutine; the zero value has read nothing.
type cursor struct {
	latest  time.Time // the latest change that was read
	settled time.Time // no change up to it is unread
	// The latest change that was read by askedAt, by the clock of this process: it is settled when a reading begins an
	// overlap later.
	asked   time.Time
	askedAt time.Time
}

// since returns the time of the store from which on changes may be unread; zero: all may.
func (c *cursor) since() time.Time {
	if c.latest.IsZero() {
		return time.Time{}
	}
	if since := c.latest.Add(-overlap); since.After(c.settled) {
		return since
	}
	return c.settled
}

// moved notes that a reading from since on was completed, which began and ended at these times, by the clock of this process,
// and whose latest change is of latest; zero: it found none.
func (c *cursor) moved(began, ended, latest time.Time) {
	if latest.After(c.latest) {
		c.latest = latest
	}
	if !c.askedAt.IsZero() && began.Sub(c.askedAt) >= overlap {
		c.settled, c.askedAt = c.asked, time.Time{}
	}
	if c.askedAt.IsZero() && c.latest.After(c.settled) {
		c.asked, c.askedAt = c.latest, ended
	}
}

// follow gives each of the changes from c.since on to learn, and moves c when they are complete; changedAt is when one was made,
// by the clock of the store. It returns the error of changes.
func follow[T any](c *cursor, changes iter.Seq2[T, error], changedAt func(T) time.Time, learn func(T)) error {
	began, latest := time.Now(), time.Time{}
	for change, err := range changes {
		if err != nil {
			return err
		}
		learn(change)
		if at := changedAt(change); at.After(latest) {
			latest = at
		}
	}
	c.moved(began, time.Now(), latest)
	return nil
}
