package history

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// CheckLong judges a history rule by rule, in about the time that sorting it takes:
//
//   - each user's answers fit the user's earlier ones, as of somebody alone at the event;
//   - no more seats are surely held at one moment than there are, and who was told that none is free was
//     told so when all were possibly held;
//   - a number is given once, and a later call gets a higher one;
//   - nobody waits while somebody behind them holds a seat;
//   - what the counters showed can have been so.
//
// It needs that no two operations of one user on one event overlap, but for unknown ones, and it finds less than
// Check. The error has every rule that was broken, and where the history is.
func CheckLong(h History) error {
	var broken []error
	byEvent := make(map[string][]Op, len(h.Events))
	for _, op := range h.Ops {
		byEvent[op.Event] = append(byEvent[op.Event], op)
	}
	for _, e := range h.Events {
		ops := History{Ops: byEvent[e.ID]}.of(e.ID)
		for _, check := range []func(Event, []Op) error{checkPeople, checkSeats, checkNumbers, checkLine, checkEnd} {
			if err := check(e, ops); err != nil {
				broken = append(broken, fmt.Errorf("event %s: %w", e.ID, err))
			}
		}
	}
	if len(broken) == 0 {
		return nil
	}
	return errors.Join(append(broken, keep(h))...)
}

// broken is the error of a rule.
func broken(rule string, op Op) error {
	return fmt.Errorf("%w: %s: %v, called at %.6f s", ErrIllegal, rule, op, float64(op.Call)/1e9)
}

// checkPeople follows each user through all that may have become of them.
func checkPeople(_ Event, ops []Op) error {
	users := make(map[string]*fate)
	for _, op := range ops {
		if op.User == "" {
			continue
		}
		f := users[op.User]
		if f == nil {
			f = &fate{now: []branch{{person: person{user: op.User}}}}
			users[op.User] = f
		}
		if err := f.next(op); err != nil {
			return fmt.Errorf("%w; the user before: %s", err, story(ops, op))
		}
	}
	return nil
}

// story tells in some lines what a user was told before the return of an operation, and when.
func story(ops []Op, until Op) string {
	const most = 12
	var lines []string
	for _, op := range ops {
		if op.User == until.User && op.Call < until.Call {
			returned := "never"
			if op.Return < forever {
				returned = fmt.Sprintf("%.6f s", float64(op.Return)/1e9)
			}
			lines = append(lines, fmt.Sprintf("\n\t%.6f s to %s: %v", float64(op.Call)/1e9, returned, op))
		}
	}
	return strings.Join(lines[max(0, len(lines)-most):], "")
}

// fate is all that may have become of a user.
type fate struct {
	now     []branch
	pending []Op // unknown operations that may still take effect
}

// branch is one of the possibilities.
type branch struct {
	person person
	landed []int64 // the calls of those pending operations that have taken effect
}

// mostBranches bounds a fate. The people of a run insist on an answer, so there are few.
const mostBranches = 4096

func (f *fate) next(op Op) error {
	if op.Outcome == Nothing {
		return nil
	}
	if op.Outcome == Unknown {
		f.pending = append(f.pending, op)
		return nil
	}
	if op.Outcome == Replayed { // an API process may have made an attempt before, in the same operation
		f.pending = append(f.pending, op.attempt())
	}
	var next []branch
	for _, b := range f.landings() {
		if p, right := b.person.alone(op); right {
			next = merge(next, branch{p, b.landed})
		}
	}
	if len(next) == 0 {
		return broken("the answer contradicts what this user was told before", op)
	}
	// A definite answer settles what its key did. What has taken effect in every possibility will not again.
	f.pending = slices.DeleteFunc(f.pending, func(p Op) bool {
		settled := op.Key != "" && p.Key == op.Key
		if !settled {
			settled = !slices.ContainsFunc(next, func(b branch) bool { return !slices.Contains(b.landed, p.Call) })
		}
		if settled {
			for i := range next {
				next[i].landed = slices.DeleteFunc(slices.Clone(next[i].landed), func(at int64) bool { return at == p.Call })
			}
		}
		return settled
	})
	f.now = nil
	for _, b := range next {
		f.now = merge(f.now, b)
	}
	return nil
}

// landings returns the possibilities with every choice and order of what is pending.
func (f *fate) landings() []branch {
	all := slices.Clone(f.now)
	for i := 0; i < len(all) && len(all) < mostBranches; i++ {
		for _, op := range f.pending {
			if slices.Contains(all[i].landed, op.Call) {
				continue
			}
			landed := append(slices.Clone(all[i].landed), op.Call)
			slices.Sort(landed)
			all = merge(all, branch{all[i].person.after(op), landed})
		}
	}
	return all
}

func merge(branches []branch, b branch) []branch {
	if slices.ContainsFunc(branches, func(o branch) bool { return o.person.equal(b.person) && slices.Equal(o.landed, b.landed) }) {
		return branches
	}
	return append(branches, b)
}

// after returns the person after an operation whose outcome nobody knows.
func (p person) after(op Op) person {
	if op.Kind == Cancel {
		p, _ = p.cancel(op)
		return p
	}
	if q, said := p.register(op); said != fresh {
		return q
	}
	return p.made(op)
}

// alone returns the person after an operation with this answer, and whether the answer can be right at
// some state of the event.
func (p person) alone(op Op) (person, bool) {
	switch op.Kind {
	case Cancel:
		p, _ = p.cancel(op)
		return p, op.Outcome == Done
	case ReadSeat:
		if op.Outcome == Missing {
			return p, !p.live
		}
		q, right := p.told(op.Number)
		return q, p.live && right
	}
	q, said := p.register(op)
	switch said {
	case replayed:
		return q, op.Outcome == Replayed
	case same:
		q, right := q.told(op.Number)
		return q, right && op.Outcome == Made
	case other:
		q, right := q.told(op.Number)
		return q, right && (op.Outcome == Found && op.Kind == Put || op.Outcome == Already && op.Kind == Register)
	}
	if op.Outcome == Made {
		return q.made(op), true
	}
	return q, op.Outcome == SoldOut || op.Outcome == EventEnded
}

// checkNumbers: a number belongs to one registration, and who called later has a higher one.
func checkNumbers(_ Event, ops []Op) error {
	owner := make(map[int64]string)
	var made []Op
	for _, op := range ops {
		if op.Number == 0 {
			continue
		}
		user, known := owner[op.Number]
		if known && user != op.User {
			return broken("this number is that of user "+user, op)
		}
		if !known && op.Outcome == Made {
			made = append(made, op)
		}
		owner[op.Number] = op.User
	}
	// made is in order of calls. A registration may be older than the call that was told of it, when it
	// was made by an unknown one; then its number only looks low, so that one is left out.
	unsure := make(map[[2]string]bool)
	for _, op := range ops {
		if op.takes() && op.Outcome == Unknown {
			unsure[[2]string{op.User, op.Key}] = true
		}
	}
	byReturn := slices.Clone(made)
	slices.SortFunc(byReturn, func(a, b Op) int { return cmp.Compare(a.Return, b.Return) })
	var highest int64
	i := 0
	for _, op := range made {
		for ; i < len(byReturn) && byReturn[i].Return < op.Call; i++ {
			highest = max(highest, byReturn[i].Number)
		}
		if op.Number < highest && !unsure[[2]string{op.User, op.Key}] {
			return broken(fmt.Sprintf("number %d was given before it was called", highest), op)
		}
	}
	return nil
}

// checkLine: who holds a seat came before all who wait.
func checkLine(_ Event, ops []Op) error {
	byReturn := slices.DeleteFunc(slices.Clone(ops), func(op Op) bool { return op.Number == 0 || op.Waiting })
	slices.SortFunc(byReturn, func(a, b Op) int { return cmp.Compare(a.Return, b.Return) })
	var confirmed int64 // the highest number of a registration that surely held a seat
	i := 0
	for _, op := range ops {
		for ; i < len(byReturn) && byReturn[i].Return < op.Call; i++ {
			confirmed = max(confirmed, byReturn[i].Number)
		}
		if op.Waiting && op.Number != 0 && op.Number < confirmed {
			return broken(fmt.Sprintf("number %d held a seat before", confirmed), op)
		}
	}
	return nil
}

// checkEnd: nobody registers for an event that surely was cancelled, and nobody is told so before.
func checkEnd(_ Event, ops []Op) error {
	called, over := int64(forever), int64(forever)
	for _, op := range ops {
		if op.Kind == End && op.Outcome != Nothing {
			called = min(called, op.Call)
			if op.Outcome == Done {
				over = min(over, op.Return)
			}
		}
	}
	for _, op := range ops {
		if op.Outcome == EventEnded && op.Return < called {
			return broken("nobody has cancelled the event", op)
		}
		// A repetition under its key is told what the first one did.
		if op.takes() && op.Outcome == Made && op.Key == "" && op.Call > over {
			return broken("the event was cancelled before", op)
		}
		if op.Kind == Capacity && op.Outcome == Done && op.Call > over {
			return broken("the event was cancelled before", op)
		}
	}
	return nil
}
