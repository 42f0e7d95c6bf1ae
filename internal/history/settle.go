package history

import (
	"cmp"
	"slices"
)

// attempts joins the attempts of one operation: those under one key up to its first definite answer. A search
// that takes each for itself looks at every choice of those that may have taken effect, and what is known of a
// key makes most of these choices the same:
//
//   - an operation that succeeded took effect at some time between its first attempt and its answer, once;
//   - what was refused, or found, has not taken effect before, or the answer would tell that it is over;
//   - when the answer tells so, one of the attempts has: the first of those that an API process makes of one operation, too.
//
// It returns the operations that are left, in no order.
func attempts(ops []Op) []attempt {
	var left []attempt
	pending := make(map[[2]string][]Op)
	for _, op := range ops {
		key := [2]string{op.User, op.Key}
		switch {
		case op.Outcome == Nothing: // any order explains it
		case op.Key == "":
			left = append(left, attempt{op, op.Call})
		case op.Outcome == Unknown:
			pending[key] = append(pending[key], op)
		default:
			last := attempt{op, op.Call}
			before := pending[key]
			if op.Outcome == Replayed && len(before) == 0 {
				before = []Op{op.attempt()}
			}
			if len(before) > 0 {
				switch op.Outcome {
				case Made, Done:
					last.begun = before[0].Call
				case Replayed:
					left = append(left, attempt{before[0], before[0].Call})
				}
				delete(pending, key)
			}
			left = append(left, last)
		}
	}
	for _, unsettled := range pending {
		for _, op := range unsettled {
			left = append(left, attempt{op, op.Call})
		}
	}
	return left
}

// attempt returns an attempt of o of which nobody was told anything.
func (o Op) attempt() Op {
	o.Outcome, o.Number, o.Waiting, o.Position = Unknown, 0, false, 0
	return o
}

// attempt is an operation with the time of its first attempt.
type attempt struct {
	Op
	begun int64
}

// again reports whether there was more than one attempt.
func (a attempt) again() bool { return a.begun < a.Call }

// Settle returns the history with what the records of changes of its events tell of operations without a key
// whose outcome nobody was told: either they took effect, or they never will. The records are whole, and
// nothing is under way any more. What a record leaves open stays unknown. CheckFeed judges the records.
func Settle(h History, feeds map[string][]Change) History {
	settled := History{Events: h.Events, Faults: h.Faults, Feeds: feeds}
	byUser := make(map[[2]string][]Op)
	keys := make(map[[2]string]bool)
	for _, op := range h.Ops {
		if op.Key != "" {
			keys[[2]string{op.Event, op.Key}] = true
		}
		if op.User == "" {
			settled.Ops = append(settled.Ops, op)
			continue
		}
		who := [2]string{op.Event, op.User}
		byUser[who] = append(byUser[who], op)
	}
	for who, ops := range byUser {
		feed := feeds[who[0]]
		var own []Change
		for _, c := range feed {
			if c.User == who[1] && !keys[[2]string{who[0], c.Request}] {
				own = append(own, c)
			}
		}
		settled.Ops = append(settled.Ops, settleUser(ops, own, newSeen(h, who[0], feed))...)
	}
	return settled
}

// settleUser settles the operations of a user on an event by the changes that the user's operations without a key made.
func settleUser(ops []Op, own []Change, seen *seen) []Op {
	told := make(map[int64]bool)
	endings := 0 // cancellations that may have ended a registration
	for _, op := range ops {
		told[op.Number] = told[op.Number] || op.Outcome == Made
		if op.Kind == Cancel && op.Key == "" && op.Outcome == Done {
			endings++
		}
	}
	var made, ended []Change
	for _, c := range own {
		switch {
		case c.Type == "cancelled":
			ended = append(ended, c)
		case (c.Type == "registered" || c.Type == "waitlisted") && !told[c.Number]:
			made = append(made, c)
		}
	}
	open := func(kind func(Op) bool) (n int) {
		for _, op := range ops {
			if op.Key == "" && op.Outcome == Unknown && kind(op) {
				n++
			}
		}
		return n
	}
	cancels := func(op Op) bool { return op.Kind == Cancel }
	allMade, allEnded := open(Op.takes) == len(made), endings == 0 && open(cancels) == len(ended)

	slices.SortFunc(ops, func(a, b Op) int { return cmp.Compare(a.Call, b.Call) })
	var left []Op
	for _, op := range ops {
		if op.Key != "" || op.Outcome != Unknown {
			left = append(left, op)
			continue
		}
		switch {
		case op.takes() && len(made) == 0, cancels(op) && len(ended) == 0:
			continue // it has done nothing
		case op.takes() && allMade:
			op.Outcome, op.Number, op.untold = Made, made[0].Number, true
			op.Return = max(op.Call, seen.after(made[0]))
			made = made[1:]
			allMade = len(made) > 0
		case cancels(op) && allEnded:
			op.Outcome = Done
			op.Return = max(op.Call, seen.after(ended[0]))
			ended = ended[1:]
			allEnded = len(ended) > 0
		}
		left = append(left, op)
	}
	return left
}

// seen tells when the changes of an event had surely been made.
type seen struct {
	revisions []int64
	times     []int64 // the revision of the same place, and all before it, were made by then
}

func newSeen(h History, event string, feed []Change) *seen {
	revision := make(map[int64]int64) // of a number
	for _, c := range feed {
		if c.Type == "registered" || c.Type == "waitlisted" {
			revision[c.Number] = c.Revision
		}
	}
	earliest := make(map[int64]int64)
	for _, op := range h.Ops {
		if r, known := revision[op.Number]; known && op.Event == event && op.Number != 0 {
			if at, there := earliest[r]; !there || op.Return < at {
				earliest[r] = op.Return
			}
		}
	}
	s := &seen{}
	for r := range earliest {
		s.revisions = append(s.revisions, r)
	}
	slices.Sort(s.revisions)
	s.times = make([]int64, len(s.revisions))
	at := int64(forever)
	for i := range slices.Backward(s.revisions) {
		at = min(at, earliest[s.revisions[i]])
		s.times[i] = at
	}
	return s
}

// after returns by when a change was surely made.
func (s *seen) after(c Change) int64 {
	i, _ := slices.BinarySearch(s.revisions, c.Revision)
	if i == len(s.revisions) {
		return forever
	}
	return s.times[i]
}
