// Package history judges what clients of Event.io were told. A history is a list of operations, each with
// the time of its call, of its return, and its outcome; the package says whether any order of the
// operations explains all of the answers.
//
// There are two judges. [Check] is exact and looks for such an order, by porcupine, with a model of an
// event that is written anew from docs/api.md; it is for a few hundred operations an event. [CheckLong]
// takes the time of a sort, looks at each rule by itself, and is for runs of any length.
//
// # What an outcome proves
//
// A definite answer holds. [Nothing] means that the operation surely changed nothing, now and later.
// [Unknown] means that it may take effect once, at any later time, but no later than the return of a
// definite answer to an operation under the same key.
package history

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Kind says what an operation asks for.
type Kind string

// The kinds of operations.
const (
	Register  Kind = "register"   // POST of a registration
	Put       Kind = "put"        // PUT of a registration
	Cancel    Kind = "cancel"     // DELETE of a registration
	Capacity  Kind = "capacity"   // the organizer sets Op.Capacity
	End       Kind = "end"        // the organizer cancels the event
	ReadEvent Kind = "read event" // the counters of the event
	ReadSeat  Kind = "read seat"  // the registration of the user
	ReadList  Kind = "read list"  // all who hold a seat, in order
)

// Outcome is what the client was told.
type Outcome string

// The outcomes. Which of them a kind may have is in the model.
const (
	Made       Outcome = "made"        // the registration was made by this operation, or by another one under its key
	Found      Outcome = "found"       // a Put found one that was there
	Already    Outcome = "already"     // refused: registered already
	SoldOut    Outcome = "sold out"    // refused: no seat is free
	Replayed   Outcome = "replayed"    // refused: what this key did was cancelled since
	EventEnded Outcome = "event ended" // refused: the event is cancelled
	BelowSold  Outcome = "below sold"  // refused: more seats are taken
	Done       Outcome = "done"        // a Cancel, Capacity or End holds
	Seen       Outcome = "seen"        // a read has found what the operation's fields say
	Missing    Outcome = "missing"     // a ReadSeat has found none
	Nothing    Outcome = "nothing"     // surely nothing happened: 503, 429, a connection that was not made
	Unknown    Outcome = "unknown"     // it may have happened: 504, a connection that broke
)

// Op is one operation of one client on one event.
type Op struct {
	Client  int     `json:"client"` // of one client at most one operation is under way; a new one after each Unknown
	Event   string  `json:"event"`
	Kind    Kind    `json:"kind"`
	User    string  `json:"user,omitempty"`
	Key     string  `json:"key,omitempty"` // of the operation and its repetitions alone; empty: none
	Call    int64   `json:"call"`          // nanoseconds since the start of the history
	Return  int64   `json:"return"`
	Outcome Outcome `json:"outcome"`

	Capacity int64 `json:"capacity,omitempty"` // asked for by Capacity, told to ReadEvent
	// Of a registration that was told with Made, Found, Already or Seen. A Number of 0 was not told.
	Waiting  bool  `json:"waiting,omitempty"`
	Number   int64 `json:"number,omitempty"`
	Position int64 `json:"position,omitempty"` // in the waiting list, from 1; 0: not told
	// Told to ReadEvent.
	Sold int64 `json:"sold,omitempty"`
	Line int64 `json:"line,omitempty"` // how many wait
	// Told to ReadList.
	Users []string `json:"users,omitempty"`

	Error string `json:"error,omitempty"` // that the client got, for who reads the history

	untold bool // Waiting says nothing
}

// String describes the operation and its answer in a few words.
func (o Op) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s %s", o.Kind, o.User)
	if o.Key != "" {
		fmt.Fprintf(&s, " key %s", o.Key)
	}
	if o.Kind == Capacity {
		fmt.Fprintf(&s, " %d", o.Capacity)
	}
	fmt.Fprintf(&s, " -> %s", o.Outcome)
	if o.Waiting {
		fmt.Fprintf(&s, ", waits as %d", o.Position)
	}
	if o.Number != 0 {
		fmt.Fprintf(&s, ", number %d", o.Number)
	}
	switch o.Kind {
	case ReadEvent:
		fmt.Fprintf(&s, ": %d of %d sold, %d wait", o.Sold, o.Capacity, o.Line)
	case ReadList:
		fmt.Fprintf(&s, ": %v", o.Users)
	}
	return s.String()
}

// takes reports whether o asks for a registration.
func (o Op) takes() bool { return o.Kind == Register || o.Kind == Put }

// reads reports whether o changes nothing.
func (o Op) reads() bool { return o.Kind == ReadEvent || o.Kind == ReadSeat || o.Kind == ReadList }

// definite reports whether the answer says what has become of o.
func (o Op) definite() bool { return o.Outcome != Unknown && o.Outcome != Nothing }

// keyed reports whether a repetition of o is recognized although o changed nothing: docs/api.md
// promises that for PUT and DELETE under a key.
func (o Op) keyed() bool { return o.Key != "" && o.Kind != Register }

// Event is an event as it was created.
type Event struct {
	ID       string `json:"id"`
	Capacity int64  `json:"capacity"`
	Waitlist bool   `json:"waitlist"`
}

// History is what clients did and were told.
type History struct {
	Events []Event `json:"events"`
	Ops    []Op    `json:"ops"`
	Faults []Fault `json:"faults,omitempty"` // in the order of their ends
	// Feeds are the records of changes by event, for who reads the history: judges are given them.
	Feeds map[string][]Change `json:"feeds,omitempty"`
}

// Fault is something that was broken for a time, in nanoseconds since the start of the history. No judge looks at it:
// it is for who reads the history or its picture.
type Fault struct {
	Name  string `json:"name"`
	Begin int64  `json:"begin"`
	End   int64  `json:"end"`
}

// of returns the operations on an event, in order of their calls, without those that say nothing:
// reads that failed. An unknown outcome under a key ends with the first definite answer that the key
// gets.
func (h History) of(event string) []Op {
	var ops []Op
	for _, op := range h.Ops {
		if op.Event == event && (op.definite() || !op.reads()) {
			ops = append(ops, op)
		}
	}
	slices.SortStableFunc(ops, func(a, b Op) int { return cmp.Compare(a.Call, b.Call) })
	settled := make(map[[2]string]int64)
	for i := range slices.Backward(ops) {
		op := &ops[i]
		key := [2]string{op.User, op.Key}
		switch at, ok := settled[key]; {
		case op.Key != "" && op.definite():
			settled[key] = op.Return
		case op.Outcome != Unknown:
		case op.Key != "" && ok:
			op.Return = at
		default:
			op.Return = forever
		}
	}
	return ops
}

// forever is after everything.
const forever = 1 << 62

// Recorder records a history. It is safe for concurrent use.
type Recorder struct {
	started time.Time
	mu      sync.Mutex // guards all below
	history History
}

// NewRecorder returns a Recorder whose time begins now.
func NewRecorder() *Recorder { return &Recorder{started: time.Now()} }

// Created notes an event, which nobody uses yet.
func (r *Recorder) Created(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history.Events = append(r.history.Events, e)
}

// Do makes an operation by do, which fills in what it was told, and records it with its times.
func (r *Recorder) Do(op Op, do func(*Op)) Op {
	op.Call = int64(time.Since(r.started))
	do(&op)
	op.Return = int64(time.Since(r.started))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history.Ops = append(r.history.Ops, op)
	return op
}

// Broke makes a fault by do, which ends it too, and notes when that was.
func (r *Recorder) Broke(name string, do func() error) error {
	f := Fault{Name: name, Begin: int64(time.Since(r.started))}
	err := do()
	f.End = int64(time.Since(r.started))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history.Faults = append(r.history.Faults, f)
	return err
}

// History returns what was recorded so far.
func (r *Recorder) History() History {
	r.mu.Lock()
	defer r.mu.Unlock()
	return History{Events: slices.Clone(r.history.Events), Ops: slices.Clone(r.history.Ops), Faults: slices.Clone(r.history.Faults)}
}

// WithoutReads returns the history without what was read while one of some faults was there: of these reads nothing is
// promised.
func (h History) WithoutReads(during func(Fault) bool) History {
	h.Ops = slices.DeleteFunc(slices.Clone(h.Ops), func(op Op) bool {
		return op.reads() && slices.ContainsFunc(h.Faults, func(f Fault) bool { return during(f) && op.Call <= f.End && op.Return >= f.Begin })
	})
	return h
}

// Count returns how many operations had each outcome, reads not counted.
func (h History) Count() map[Outcome]int {
	counts := make(map[Outcome]int)
	for _, op := range h.Ops {
		if !op.reads() {
			counts[op.Outcome]++
		}
	}
	return counts
}
