package history

import "slices"

// person is what an event remembers of a user. A person is never changed, only replaced.
type person struct {
	user   string
	live   bool
	key    string // of the live registration; empty: it was made without one
	number int64  // of the live registration; 0: nobody was told
	// over are the keys of what is over: registrations that were cancelled, cancellations.
	over []string
	// found are the keys of operations that found a registration of another key.
	found []string
}

// verdict is what the rules say of a registration, before they look at the event.
type verdict int

const (
	fresh    verdict = iota // a registration is due
	same                    // the live one was made under this key
	other                   // the live one was not
	replayed                // what the key did is over
)

// register returns what becomes of an operation that asks for a registration, and the person after it
// unless a registration is due.
func (p person) register(op Op) (person, verdict) {
	switch {
	case op.Key != "" && slices.Contains(p.over, op.Key):
		return p, replayed
	case p.live && op.Key != "" && p.key == op.Key:
		return p, same
	case p.live:
		if op.keyed() && !slices.Contains(p.found, op.Key) {
			p.found = with(p.found, op.Key)
		}
		return p, other
	case op.Key != "" && slices.Contains(p.found, op.Key):
		return p, replayed
	}
	return p, fresh
}

// made returns the person with the registration that is due.
func (p person) made(op Op) person {
	p.live, p.key, p.number = true, op.Key, op.Number
	return p
}

// cancel returns the person after a cancellation, and whether it ended a registration.
func (p person) cancel(op Op) (person, bool) {
	if op.Key != "" && slices.Contains(p.over, op.Key) {
		return p, false
	}
	ended := p.live
	p.over = with(p.over, op.Key)
	if p.live {
		p.over = with(p.over, p.key)
		p.live, p.key, p.number = false, "", 0
	}
	return p, ended
}

// told returns the person whose live registration has a number, and false when it has another one.
func (p person) told(number int64) (person, bool) {
	if p.number == 0 {
		p.number = number
	}
	return p, number == 0 || p.number == number
}

func (p person) equal(q person) bool {
	return p.user == q.user && p.live == q.live && p.key == q.key && p.number == q.number &&
		slices.Equal(p.over, q.over) && slices.Equal(p.found, q.found)
}

// with returns a sorted list with one more key, which is another list.
func with(keys []string, key string) []string {
	if key == "" {
		return keys
	}
	i, there := slices.BinarySearch(keys, key)
	if there {
		return keys
	}
	return slices.Insert(slices.Clone(keys), i, key)
}
