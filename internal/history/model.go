package history

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
)

// state is an event between two operations. It is never changed, only replaced, and equal states are
// written equally: people stand in the order of their ids.
type state struct {
	capacity int64
	waitlist bool
	ended    bool
	last     int64 // no registration has a higher number
	sold     int64
	line     []string // who holds a seat, the first sold of them, and then who waits; in order
	people   []person // who ever did something
}

// begin is the state of a new event.
func begin(e Event) *state { return &state{capacity: e.Capacity, waitlist: e.Waitlist} }

// step returns the states in which an operation with this answer may leave s: none when the answer is
// wrong, two when it leaves open whether the operation took place.
func (s *state) step(op Op) []*state {
	switch op.Outcome {
	case Nothing:
		return []*state{s}
	case Unknown:
		next, _ := s.apply(op)
		if next.equal(s) {
			return []*state{s}
		}
		return []*state{s, next}
	}
	if op.reads() {
		if !s.shows(op) {
			return nil
		}
		return []*state{s.heard(op)}
	}
	next, right := s.apply(op)
	if !right {
		return nil
	}
	return []*state{next}
}

// apply makes an operation. right tells whether the answer of op is the one that the rules give.
func (s *state) apply(op Op) (next *state, right bool) {
	switch op.Kind {
	case Register, Put:
		return s.register(op)
	case Cancel:
		return s.cancel(op)
	case Capacity:
		switch {
		case s.ended:
			return s, op.Outcome == EventEnded
		case op.Capacity < s.sold:
			return s, op.Outcome == BelowSold
		}
		n := *s
		n.capacity = op.Capacity
		n.promote()
		return &n, op.Outcome == Done
	case End:
		n := *s
		n.ended = true
		return &n, op.Outcome == Done
	}
	return s, false
}

func (s *state) register(op Op) (*state, bool) {
	p, said := s.person(op.User).register(op)
	at := slices.Index(s.line, op.User)
	waits := int64(at) >= s.sold
	switch said {
	case replayed:
		return s, op.Outcome == Replayed
	case same, other:
		want := Made
		if said == other {
			want = Found
			if op.Kind == Register {
				want = Already
			}
		}
		p, right := p.told(op.Number)
		right = right && op.Outcome == want && s.told(op, waits, at)
		return s.put(p), right
	}
	switch {
	case s.ended:
		return s, op.Outcome == EventEnded
	case s.sold >= s.capacity && !s.waitlist:
		return s, op.Outcome == SoldOut
	}
	n := s.put(p.made(op))
	n.last++
	right := op.Outcome == Made
	if op.Number != 0 {
		right = right && op.Number > s.last
		n.last = max(s.last, op.Number)
	}
	waits = s.sold >= s.capacity || int64(len(s.line)) > s.sold
	n.line = append(slices.Clip(s.line), op.User)
	if !waits {
		n.sold++
	}
	return n, right && n.told(op, waits, len(s.line))
}

// told reports whether op was told rightly whether the registration at a place of the list waits, and its position.
func (s *state) told(op Op, waits bool, at int) bool {
	if op.untold {
		return true
	}
	return op.Waiting == waits && (!op.Waiting || op.Position == 0 || op.Position == int64(at)-s.sold+1)
}

func (s *state) cancel(op Op) (*state, bool) {
	p, ended := s.person(op.User).cancel(op)
	n := s.put(p)
	if ended {
		at := slices.Index(s.line, op.User)
		n.line = slices.Delete(slices.Clone(s.line), at, at+1)
		if int64(at) < s.sold {
			n.sold--
			n.promote()
		}
	}
	return n, op.Outcome == Done
}

// promote gives free seats to who waits, in order. Only who has made n may call it.
func (s *state) promote() {
	if !s.ended {
		s.sold = max(s.sold, min(s.capacity, int64(len(s.line))))
	}
}

// shows reports whether a read may have found what it says.
func (s *state) shows(op Op) bool {
	switch op.Kind {
	case ReadEvent:
		return op.Sold == s.sold && op.Line == int64(len(s.line))-s.sold && op.Capacity == s.capacity
	case ReadList:
		return slices.Equal(op.Users, s.line[:s.sold])
	}
	p := s.person(op.User)
	if op.Outcome == Missing {
		return !p.live
	}
	at := slices.Index(s.line, op.User)
	_, right := p.told(op.Number)
	return p.live && right && s.told(op, int64(at) >= s.sold, at)
}

// heard returns the state with the number that a read has told.
func (s *state) heard(op Op) *state {
	p := s.person(op.User)
	if op.Kind != ReadSeat || op.Outcome == Missing || p.number != 0 {
		return s
	}
	p, _ = p.told(op.Number)
	return s.put(p)
}

func (s *state) find(user string) (int, bool) {
	return slices.BinarySearchFunc(s.people, user, func(p person, user string) int { return strings.Compare(p.user, user) })
}

func (s *state) person(user string) person {
	if i, ok := s.find(user); ok {
		return s.people[i]
	}
	return person{user: user}
}

// put returns a copy of s with this person.
func (s *state) put(p person) *state {
	n := *s
	n.people = slices.Clone(s.people)
	if i, ok := s.find(p.user); ok {
		n.people[i] = p
	} else {
		n.people = slices.Insert(n.people, i, p)
	}
	return &n
}

func (s *state) equal(o *state) bool {
	return s.capacity == o.capacity && s.ended == o.ended && s.last == o.last && s.sold == o.sold &&
		slices.Equal(s.line, o.line) && slices.EqualFunc(s.people, o.people, person.equal)
}

func (s *state) hash() uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte{byte(s.capacity), byte(s.sold), byte(s.last)})
	for _, user := range s.line {
		_, _ = h.Write([]byte(user))
	}
	return h.Sum64()
}

// String describes the state for a picture.
func (s *state) String() string {
	text := fmt.Sprintf("%d/%d held %v, wait %v", s.sold, s.capacity, s.line[:s.sold], s.line[s.sold:])
	if s.ended {
		text += ", cancelled"
	}
	return text
}
