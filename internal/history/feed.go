package history

import (
	"errors"
	"fmt"
	"slices"
)

// Change is one item of what an event's record of changes told.
type Change struct {
	Revision int64  `json:"revision"`
	Request  string `json:"request"` // the key of the operation that made it, or what the API took for one
	Type     string `json:"type"`    // registered, waitlisted, cancelled, promoted; others only say what the counters are
	User     string `json:"user,omitempty"`
	Number   int64  `json:"number,omitempty"`
	// Of the event after the revision.
	Capacity int64 `json:"capacity"`
	Sold     int64 `json:"sold"`
	Line     int64 `json:"line"`
}

// CheckFeed judges the whole record of an event, which begins with revision 1 or 2, against what clients were told, when nothing is under
// way any more: its revisions have no gap; it replays to its own counters; everybody moves up in order; every
// registration that somebody was told of is in it once, and each in it was asked for.
func CheckFeed(h History, e Event, feed []Change) error {
	r := replay{last: make(map[string]int64), numbers: make(map[int64]string)}
	for i, c := range feed {
		begins := i > 0 && feed[i-1].Revision != c.Revision
		if begins && c.Revision != r.revision+1 || i == 0 && c.Revision > 2 {
			return fmt.Errorf("%w: event %s: revision %d follows %d", ErrIllegal, e.ID, c.Revision, r.revision)
		}
		r.revision = c.Revision
		if err := r.apply(c); err != nil {
			return fmt.Errorf("%w: event %s, revision %d: %s %s: %w", ErrIllegal, e.ID, c.Revision, c.Type, c.User, err)
		}
		ends := i == len(feed)-1 || feed[i+1].Revision != c.Revision
		if ends && (c.Sold != int64(len(r.held)) || c.Line != int64(len(r.line)) || c.Sold > c.Capacity) {
			return fmt.Errorf("%w: event %s, revision %d: %d of %d sold and %d wait, and the record says %d and %d",
				ErrIllegal, e.ID, c.Revision, c.Sold, c.Capacity, c.Line, len(r.held), len(r.line))
		}
	}
	asked := make(map[string]bool)
	for _, op := range h.of(e.ID) {
		asked[op.User] = asked[op.User] || op.takes() && op.Outcome != Nothing
		if op.Number != 0 && r.numbers[op.Number] != op.User {
			return broken("the record does not have this number for this user", op)
		}
	}
	for number, user := range r.numbers {
		if !asked[user] {
			return fmt.Errorf("%w: event %s: nobody has asked for number %d of user %s", ErrIllegal, e.ID, number, user)
		}
	}
	return nil
}

// replay is an event as its record has told it so far.
type replay struct {
	revision   int64
	highest    int64
	held, line []string
	last       map[string]int64 // the number of each user's last registration
	numbers    map[int64]string
}

func (r *replay) apply(c Change) error {
	switch c.Type {
	case "registered", "waitlisted":
		if slices.Contains(r.held, c.User) || slices.Contains(r.line, c.User) {
			return errors.New("is registered already")
		}
		if c.Number <= r.highest {
			return fmt.Errorf("number %d comes after %d", c.Number, r.highest)
		}
		r.highest, r.last[c.User], r.numbers[c.Number] = c.Number, c.Number, c.User
		if c.Type == "registered" {
			r.held = append(r.held, c.User)
		} else {
			r.line = append(r.line, c.User)
		}
	case "cancelled":
		out := func(user string) bool { return user == c.User }
		before := len(r.held) + len(r.line)
		r.held, r.line = slices.DeleteFunc(r.held, out), slices.DeleteFunc(r.line, out)
		if len(r.held)+len(r.line) != before-1 || r.last[c.User] != c.Number {
			return fmt.Errorf("number %d was not registered", c.Number)
		}
	case "promoted":
		if len(r.line) == 0 || r.line[0] != c.User {
			return fmt.Errorf("is not the first who waits: %v", r.line)
		}
		r.held, r.line = append(r.held, c.User), r.line[1:]
	}
	return nil
}
